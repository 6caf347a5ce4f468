using GlowGpu.Kernels.Gpu.TensorCore;
using ILGPU;
using ILGPU.Runtime;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// The operation set on an ILGPU accelerator: CUDA, OpenCL, or (for tests) ILGPU's emulation on the CPU. Work is
/// queued on one stream; only <see cref="IBuffer.Read"/> and <see cref="Synchronize"/> wait for it, and whatever has
/// memory to grow or to release, on a first step. Kernels use nothing that an OpenCL 2.0 device may lack: no warp
/// operations, no double precision, no atomics. Sums run in one fixed order, so a repeated step repeats its bits.
/// </summary>
public sealed class GpuBackend : IBackend
{
    private readonly GpuContext gpu;
    private readonly Views views;
    private readonly GpuChannelMap channelMap;
    private bool disposed;

    /// <summary>
    /// A backend that owns the accelerator and the ILGPU context behind it. Coupling networks are multiplied in a
    /// precision,
    /// <see cref="Precision.Tf32"/> on a device with tensor cores and <see cref="Precision.Fp32"/> on others if none
    /// is given.
    /// </summary>
    /// <exception cref="NotSupportedException">
    /// The device's groups have fewer than four threads, or the precision needs tensor cores that it lacks.
    /// </exception>
    public GpuBackend(Accelerator accelerator, Precision? precision = null) : this(accelerator, null, null, precision)
    {
    }

    /// <summary>
    /// As above, with another's traits, runner and graph driver in the place of the accelerator's own.
    /// </summary>
    internal GpuBackend(Accelerator accelerator, GpuTraits? traits, IKernelRunner? runner,
        Precision? precision = null, IGraphDriver? graphs = null)
    {
        ArgumentNullException.ThrowIfNull(accelerator);
        gpu = new GpuContext(accelerator, traits, runner);
        Precision = precision ?? (gpu.Traits.HasTensorCores ? Precision.Tf32 : Precision.Fp32);
        if (Precision != Precision.Fp32 && !gpu.Traits.HasTensorCores)
            throw new NotSupportedException(
                $"{Name} has no tensor cores for precision {Precision.ToString().ToLowerInvariant()}");
        graphs ??= CudaGraphDriver.For(gpu);
        if (graphs is not null) Recorder = new GraphRecorder(gpu, graphs);
        views = new Views(gpu);
        TapConvolution taps = new(gpu);
        PatchConvolution patches = new(gpu);
        ChannelAffine = new GpuChannelAffine(gpu);
        channelMap = new GpuChannelMap(gpu);
        GpuCouplingNet single = new(gpu, patches, taps);
        CouplingNet = Precision switch
        {
            Precision.Bf16 => new GpuTensorCouplingNet<BFloat16, BFloat16Outer, WarpTile64>(gpu, single, patches, taps),
            Precision.Tf32 => new GpuTensorCouplingNet<TensorFloat32, TensorFloat32Outer, WarpTile32>(gpu, single,
                patches, taps),
            _ => single,
        };
        Couple = new GpuCouple(gpu);
        GaussianScore = new GpuGaussianScore(gpu);
        ZeroConv = new GpuZeroConv(gpu, taps);
        Prior = new GpuPrior(gpu, taps, views);
        Squeeze = new GpuSqueeze(gpu);
        ChannelStats = new GpuChannelStats(gpu);
        ClassHead = new GpuClassHead(gpu);
        Dequantize = new GpuDequantize(gpu);
        OptimizerStep = new GpuOptimizerStep(gpu);
        Convolution = new GpuConvolution(gpu, patches, views);
        BatchNorm = new GpuBatchNorm(gpu);
        MaskedCouple = new GpuMaskedCouple(gpu);
        ScaledPrior = new GpuScaledPrior(gpu);
    }

    /// <inheritdoc/>
    public string Name => gpu.Accelerator.Name.Trim();

    /// <inheritdoc/>
    public Precision Precision { get; }

    /// <summary>The device.</summary>
    public Accelerator Accelerator => gpu.Accelerator;

    /// <inheritdoc/>
    public IWorkRecorder? Recorder { get; }

    /// <inheritdoc/>
    public long Allocations => gpu.Allocations;

    /// <inheritdoc/>
    public long Releases => gpu.Releases;

    /// <inheritdoc/>
    public IChannelAffine ChannelAffine { get; }

    /// <inheritdoc/>
    public IChannelMap ChannelMap => channelMap;

    /// <inheritdoc/>
    public ICouplingNet CouplingNet { get; }

    /// <inheritdoc/>
    public ICouple Couple { get; }

    /// <inheritdoc/>
    public IGaussianScore GaussianScore { get; }

    /// <inheritdoc/>
    public IZeroConv ZeroConv { get; }

    /// <inheritdoc/>
    public IPrior Prior { get; }

    /// <inheritdoc/>
    public ISqueeze Squeeze { get; }

    /// <inheritdoc/>
    public IChannelStats ChannelStats { get; }

    /// <inheritdoc/>
    public IClassHead ClassHead { get; }

    /// <inheritdoc/>
    public IDequantize Dequantize { get; }

    /// <inheritdoc/>
    public IOptimizerStep OptimizerStep { get; }

    /// <inheritdoc/>
    public IConvolution Convolution { get; }

    /// <inheritdoc/>
    public IBatchNorm BatchNorm { get; }

    /// <inheritdoc/>
    public IMaskedCouple MaskedCouple { get; }

    /// <inheritdoc/>
    public IScaledPrior ScaledPrior { get; }

    /// <summary>What tests reach below the operations with.</summary>
    internal GpuContext Gpu => gpu;

    /// <summary>Every kernel of the backend, compiled or not.</summary>
    internal IReadOnlyList<KernelDeclaration> Kernels => gpu.Kernels;

    /// <inheritdoc/>
    public IBuffer Allocate(long length) => new GpuBuffer(gpu, length);

    /// <inheritdoc/>
    public void Synchronize() => gpu.Synchronize();

    /// <inheritdoc/>
    public void Fill(View target, float value)
    {
        Shapes.CheckFill(target);
        views.Fill(target, value);
    }

    /// <inheritdoc/>
    public void Copy(View source, View target)
    {
        Shapes.CheckCopy(source, target);
        views.Copy(source, target);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (disposed) return;
        disposed = true;
        Context context = gpu.Accelerator.Context;
        channelMap.Dispose();
        gpu.Dispose();
        gpu.Accelerator.Dispose();
        context.Dispose();
    }
}
