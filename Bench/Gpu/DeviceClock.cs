using System.Diagnostics;
using GlowGpu.Bench.Report;
using GlowGpu.Kernels;
using GlowGpu.Kernels.Gpu;
using ILGPU.Runtime.Cuda;

namespace GlowGpu.Bench.Gpu;

/// <summary>
/// Times work that is queued on a device, with caches that hold none of its operands: before every run a block larger
/// than the last-level cache is written. CUDA has events on the stream; elsewhere the host's clock runs from an idle
/// device to an idle device.
/// </summary>
internal abstract class DeviceClock : IDisposable
{
    private const int LeastWarmRuns = 2, TrialRuns = 3;
    private const double WarmMilliseconds = 50;

    private readonly GpuBackend backend;
    private readonly IBuffer block;
    private readonly View flushed;
    private float value;

    /// <summary>A clock that writes <paramref name="flushBytes"/> before each run.</summary>
    protected DeviceClock(GpuBackend backend, long flushBytes)
    {
        this.backend = backend;
        const int Cols = 1 << 14;
        int rows = checked((int)Math.Max(1, flushBytes / sizeof(float) / Cols));
        block = backend.Allocate((long)rows * Cols);
        flushed = View.Dense(block, 0, rows, Cols);
        FlushBytes = block.Length * sizeof(float);
    }

    /// <summary>Bytes written before each run.</summary>
    public long FlushBytes { get; }

    /// <summary>How it takes the time, for people.</summary>
    public abstract string Kind { get; }

    /// <summary>The best clock of a device.</summary>
    public static DeviceClock Of(GpuBackend backend, bool quick) => backend.Accelerator is CudaAccelerator cuda
        ? new CudaClock(backend, cuda, Math.Max(4L * cuda.L2CacheSize, 256L << 20))
        : new HostClock(backend, quick ? 16L << 20 : 256L << 20);

    /// <summary>Times so many runs of what <paramref name="queue"/> queues, after warm-up.</summary>
    public Timing Measure(Action queue, int runs) => Measure(queue, runs, WarmMilliseconds);

    /// <summary>Milliseconds of a run, roughly: enough to tell the fastest of several ways.</summary>
    public double Try(Action queue) => Measure(queue, TrialRuns, 0).Median;

    private Timing Measure(Action queue, int runs, double warmMilliseconds)
    {
        long begin = Stopwatch.GetTimestamp();
        for (int warm = 0; warm < LeastWarmRuns || Stopwatch.GetElapsedTime(begin)
            .TotalMilliseconds < warmMilliseconds; warm++)
        {
            queue();
            backend.Synchronize();
        }
        Prepare(queue);
        double[] times = new double[runs];
        for (int i = 0; i < runs; i++) times[i] = Once(queue);
        return new Timing(times);
    }

    /// <inheritdoc/>
    public virtual void Dispose() => block.Dispose();

    /// <summary>Called once between warm-up and the runs.</summary>
    protected virtual void Prepare(Action queue)
    {
    }

    /// <summary>Milliseconds of one run from cold caches.</summary>
    protected abstract double Once(Action queue);

    /// <summary>Waits for the device.</summary>
    protected void Synchronize() => backend.Synchronize();

    /// <summary>Queues the write that takes the operands out of the caches.</summary>
    protected void Flush() => backend.Fill(flushed, value++ % 16);
}

/// <summary>The host's clock.</summary>
internal sealed class HostClock(GpuBackend backend, long flushBytes) : DeviceClock(backend, flushBytes)
{
    /// <inheritdoc/>
    public override string Kind => "host clock from idle device to idle device";

    /// <inheritdoc/>
    protected override double Once(Action queue)
    {
        Flush();
        Synchronize();
        long begin = Stopwatch.GetTimestamp();
        queue();
        Synchronize();
        return Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
    }
}

/// <summary>
/// Events on the stream. The write of the block goes on for longer than the host takes to queue the run, so that no
/// time of the host is in the result: what a captured graph would show.
/// </summary>
internal sealed class CudaClock : DeviceClock
{
    private const int MostFlushes = 200;

    private readonly CudaAccelerator accelerator;
    private readonly nint stream, begin, end;
    private int flushes = 1;

    /// <summary>On a backend's own stream.</summary>
    public CudaClock(GpuBackend backend, CudaAccelerator accelerator, long flushBytes) : base(backend, flushBytes)
    {
        this.accelerator = accelerator;
        accelerator.Bind();
        stream = ((CudaStream)backend.Gpu.Stream).StreamPtr;
        (begin, end) = (CudaDriver.CreateEvent(), CudaDriver.CreateEvent());
    }

    /// <inheritdoc/>
    public override string Kind => "CUDA events, queue kept full";

    /// <inheritdoc/>
    public override void Dispose()
    {
        accelerator.Bind();
        CudaDriver.DestroyEvent(begin);
        CudaDriver.DestroyEvent(end);
        base.Dispose();
    }

    /// <inheritdoc/>
    protected override void Prepare(Action queue)
    {
        Synchronize();
        double queueing = Timing.Once(queue);
        Synchronize();
        double flush = Elapsed(Flush);
        flushes = Math.Clamp((int)Math.Ceiling(1.5 * queueing / Math.Max(flush, 1e-3)), 1, MostFlushes);
    }

    /// <inheritdoc/>
    protected override double Once(Action queue)
    {
        for (int i = 0; i < flushes; i++) Flush();
        return Elapsed(queue);
    }

    private double Elapsed(Action queue)
    {
        accelerator.Bind();
        CudaDriver.Record(begin, stream);
        queue();
        CudaDriver.Record(end, stream);
        CudaDriver.Wait(end);
        return CudaDriver.Elapsed(begin, end);
    }
}
