namespace GlowGpu.Kernels;

/// <summary>Work of the processor in numbered parts that may run at the same time.</summary>
public interface IHostWork
{
    /// <summary>Does one part.</summary>
    void Run(int part);
}

/// <summary>
/// The operation set of a flow on one device. Every operation exists once per backend; an operation missing from a
/// backend is a compile error. All operations are queued in order; <see cref="IBuffer.Read"/> waits for them. Unless an
/// operation says otherwise its outputs are overwritten, must not overlap its inputs, and results do not depend on the
/// number of threads.
/// </summary>
public interface IBackend : IDisposable
{
    /// <summary>Short device name for people, e.g. <c>cpu (2 threads, AVX-512)</c>.</summary>
    string Name { get; }

    /// <summary>How coupling networks are multiplied.</summary>
    Precision Precision => Precision.Fp32;

    /// <summary>Allocates zeroed float32 memory whose start is aligned for the widest vector access.</summary>
    IBuffer Allocate(long length);

    /// <summary>Waits until all queued work is done.</summary>
    void Synchronize();

    /// <summary>Sets every element of the view (its gaps excluded).</summary>
    void Fill(View target, float value);

    /// <summary>Copies <c>[R,C]</c> to <c>[R,C]</c>; either side may be strided.</summary>
    void Copy(View source, View target);

    /// <summary>
    /// Does work of the processor, all of it before this returns: random numbers, whose bits no device may change. A
    /// backend with threads of its own does several parts at a time.
    /// </summary>
    void RunOnHost(int parts, IHostWork work)
    {
        for (int part = 0; part < parts; part++) work.Run(part);
    }

    /// <summary>Records queued work for replay; null where the device has no such thing.</summary>
    IWorkRecorder? Recorder => null;

    /// <summary>Number of blocks of device memory allocated so far; 0 for a device that is the host.</summary>
    long Allocations => 0;

    /// <summary>
    /// Number of blocks of device memory released so far: recorded work that used them must not run again.
    /// </summary>
    long Releases => 0;

    IChannelAffine ChannelAffine { get; }
    IChannelMap ChannelMap { get; }
    ICouplingNet CouplingNet { get; }
    ICouple Couple { get; }
    IGaussianScore GaussianScore { get; }
    IZeroConv ZeroConv { get; }
    IPrior Prior { get; }
    ISqueeze Squeeze { get; }
    IChannelStats ChannelStats { get; }
    IClassHead ClassHead { get; }
    IDequantize Dequantize { get; }
    IOptimizerStep OptimizerStep { get; }
    IConvolution Convolution { get; }
    IBatchNorm BatchNorm { get; }
    IMaskedCouple MaskedCouple { get; }
    IScaledPrior ScaledPrior { get; }
}
