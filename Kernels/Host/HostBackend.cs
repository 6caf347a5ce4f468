namespace GlowGpu.Kernels.Host;

/// <summary>
/// The operation set on the processor: SIMD C# over native memory, in parallel on a persistent team of threads. Every
/// operation is finished when its call returns, and from the second call of a size on allocates nothing. Not
/// thread-safe:
/// one caller at a time.
/// </summary>
public sealed unsafe class HostBackend : IBackend
{
    private const int PartElements = 65536;

    private readonly IDisposable[] disposables;
    private bool disposed;

    /// <summary>A backend on so many threads, the caller's included; by default one for each physical core.</summary>
    /// <exception cref="ArgumentException">Fewer than one thread.</exception>
    public HostBackend(int? threads = null) : this(threads, SimdLevels.Best) { }

    /// <summary>
    /// A backend whose matrix products use narrower vectors than the processor has, or to which it is given whether
    /// its threads' cores lie apart.
    /// </summary>
    internal HostBackend(int? threads, SimdLevel level, bool? apart = null)
    {
        int count = threads ?? HostProcessor.PhysicalCores;
        if (count < 1) throw new ArgumentException($"cpu: threads is {count}; at least 1 is needed");
        Workers = new Workers(count, apart);
        Name = $"cpu ({count} {(count == 1 ? "thread" : "threads")}, {HostProcessor.Vectors})";
        ChannelAffine = new HostChannelAffine(Workers, level);
        ChannelMap = new HostChannelMap(Workers);
        CouplingNet = new HostCouplingNet(Workers, level);
        Couple = new HostCouple(Workers);
        GaussianScore = new HostGaussianScore(Workers);
        ZeroConv = new HostZeroConv(Workers, level);
        Prior = new HostPrior(Workers);
        Squeeze = new HostSqueeze(Workers);
        ChannelStats = new HostChannelStats(Workers);
        ClassHead = new HostClassHead(Workers);
        Dequantize = new HostDequantize(Workers);
        OptimizerStep = new HostOptimizerStep(Workers);
        Convolution = new HostConvolution(Workers, level);
        BatchNorm = new HostBatchNorm(Workers);
        MaskedCouple = new HostMaskedCouple(Workers);
        ScaledPrior = new HostScaledPrior(Workers);
        object[] operations =
        [
            ChannelAffine, ChannelMap, CouplingNet, Couple, GaussianScore, ZeroConv,
            Prior, Squeeze, ChannelStats, ClassHead, Dequantize, OptimizerStep,
            Convolution, BatchNorm, MaskedCouple, ScaledPrior,
        ];
        disposables = [.. operations.OfType<IDisposable>(), Workers];
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <summary>The team of threads.</summary>
    public Workers Workers { get; }

    /// <inheritdoc/>
    public IChannelAffine ChannelAffine { get; }

    /// <inheritdoc/>
    public IChannelMap ChannelMap { get; }

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

    /// <inheritdoc/>
    public IBuffer Allocate(long length) => new HostBuffer(length);

    /// <summary>Returns at once: every operation has finished when its call returns.</summary>
    public void Synchronize() { }

    /// <inheritdoc/>
    public void Fill(View target, float value)
    {
        Shapes.CheckFill(target);
        Chunks chunks = Cut(target, target.IsDense);
        Workers.Run(chunks.Count, new FillWork
        {
            Chunks = chunks,
            IsFlat = target.IsDense,
            Target = new HostRows(target),
            Value = value,
        });
    }

    /// <inheritdoc/>
    public void Copy(View source, View target)
    {
        Shapes.CheckCopy(source, target);
        bool flat = source.IsDense && target.IsDense;
        Chunks chunks = Cut(target, flat);
        Workers.Run(chunks.Count, new CopyWork
        {
            Chunks = chunks,
            IsFlat = flat,
            Source = new HostRows(source),
            Target = new HostRows(target),
        });
    }

    /// <inheritdoc/>
    public void RunOnHost(int parts, IHostWork work)
    {
        int taken = 0;
        Workers.Run(Workers.Count, new HostWork { Work = work, Parts = parts, Taken = &taken });
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (disposed) return;
        disposed = true;
        foreach (IDisposable disposable in disposables) disposable.Dispose();
    }

    /// <summary>Chunks of elements of memory without gaps, else of rows.</summary>
    private static Chunks Cut(View view, bool flat) => flat
        ? new Chunks(view.Count, PartElements)
        : new Chunks(view.Rows, Math.Max(1, PartElements / Math.Max(1, view.Cols)));

    /// <summary>
    /// Parts go to whoever is free: the first work after a pause begins before the other threads have woken.
    /// </summary>
    private struct HostWork : IWork
    {
        public IHostWork Work;
        public int Parts;
        public int* Taken;

        public readonly void Run(int part, int worker)
        {
            for (int next; (next = Interlocked.Increment(ref *Taken) - 1) < Parts;) Work.Run(next);
        }
    }

    private struct FillWork : IWork
    {
        public Chunks Chunks;
        public bool IsFlat;
        public HostRows Target;
        public float Value;

        public readonly void Run(int part, int worker)
        {
            (long first, long end) = Chunks.Of(part);
            if (IsFlat)
            {
                new Span<float>(Target.Address + first, (int)(end - first)).Fill(Value);
                return;
            }
            for (int row = (int)first; row < end; row++) new Span<float>(Target.Row(row), Target.Cols).Fill(Value);
        }
    }

    private struct CopyWork : IWork
    {
        public Chunks Chunks;
        public bool IsFlat;
        public HostRows Source, Target;

        public readonly void Run(int part, int worker)
        {
            (long first, long end) = Chunks.Of(part);
            int count = (int)(end - first);
            if (IsFlat) HostRows.Copy(Source.Address + first, count, Target.Address + first, count, 1, count);
            else HostRows.Copy(Source.Row((int)first), Source.Stride, Target.Row((int)first), Target.Stride,
                count, Source.Cols);
        }
    }
}
