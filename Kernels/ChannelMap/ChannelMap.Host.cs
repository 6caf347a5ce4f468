using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

/// <summary>
/// <see cref="IChannelMap"/> on the host: <see cref="ChannelMapMath"/> on every step, steps in parallel. Neighbouring
/// steps go to different workers, because those of a deep level are far dearer than those of a shallow one.
/// </summary>
public sealed unsafe class HostChannelMap : IChannelMap
{
    private readonly Workers workers;
    private readonly KeptMemory<double>[] scratch;
    private readonly KeptMemory<double> logDets = new();
    private readonly KeptMemory<float> statuses = new();

    /// <summary>Runs on that team.</summary>
    public HostChannelMap(Workers workers)
    {
        this.workers = workers;
        scratch = new KeptMemory<double>[workers.Count];
        for (int i = 0; i < scratch.Length; i++) scratch[i] = new KeptMemory<double>();
    }

    /// <inheritdoc/>
    public void Prepare(IReadOnlyList<ChannelMapStep> steps, View logDet, View status)
    {
        Shapes.CheckChannelMapResults(logDet, status);
        for (int i = 0; i < steps.Count; i++) Shapes.CheckChannelMap(steps[i]);
        double* perStep = logDets.Take(steps.Count + 1);
        float* found = statuses.Take(ChannelMapStatus.Length * (steps.Count + 1));
        workers.Run(workers.Count, new PrepareWork
        {
            Steps = steps,
            Stride = workers.Count,
            Scratch = scratch,
            LogDets = perStep,
            Statuses = found,
        });
        double sum = 0;
        Span<float> first = Floats(status);
        ChannelMapStatus.Clear(first);
        for (int i = 0; i < steps.Count; i++)
        {
            // The first bad step, whatever the number of threads; its NaN makes the sum one.
            sum += perStep[i];
            ReadOnlySpan<float> own = StatusOf(found, i);
            if (ChannelMapStatus.HasFailed(own) && !ChannelMapStatus.HasFailed(first)) own.CopyTo(first);
        }
        *HostBuffer.Address(logDet) = (float)sum;
    }

    /// <inheritdoc/>
    public void Backward(IReadOnlyList<ChannelMapStep> steps, float gLogDet)
    {
        for (int i = 0; i < steps.Count; i++) Shapes.CheckChannelMapBackward(steps[i]);
        workers.Run(workers.Count, new BackwardWork
        {
            Steps = steps,
            Stride = workers.Count,
            Scratch = scratch,
            GLogDet = gLogDet,
        });
    }

    private static Span<float> Floats(View view) =>
        view.IsNone ? default : new Span<float>(HostBuffer.Address(view), checked((int)view.Count));

    private static ChannelMapValues Values(ChannelMapParameters p) => new()
    {
        Bias = Floats(p.Bias),
        Logs = Floats(p.Logs),
        Weight = Floats(p.Weight),
        Lower = Floats(p.Lower),
        Upper = Floats(p.Upper),
        LogS = Floats(p.LogS),
    };

    private static ChannelMapTables Tables(ChannelMaps maps) => new()
    {
        W = Floats(maps.W),
        B = Floats(maps.B),
        V = Floats(maps.V),
        C = Floats(maps.C),
        DW = Floats(maps.DW),
        DB = Floats(maps.DB),
    };

    private static Span<double> ScratchFor(KeptMemory<double> memory, ChannelMapStep step)
    {
        int length = ChannelMapMath.ScratchLength(step.Channels);
        return new Span<double>(memory.Take(length), length);
    }

    private static Span<float> StatusOf(float* statuses, int step) =>
        new(statuses + ChannelMapStatus.Length * step, ChannelMapStatus.Length);

    private struct PrepareWork : IWork
    {
        public IReadOnlyList<ChannelMapStep> Steps;
        public int Stride;
        public KeptMemory<double>[] Scratch;
        public double* LogDets;
        public float* Statuses;

        public readonly void Run(int part, int worker)
        {
            for (int i = part; i < Steps.Count; i += Stride)
            {
                ChannelMapStep step = Steps[i];
                LogDets[i] = ChannelMapMath.Prepare(step, i, Values(step.Parameters), Tables(step.Maps),
                    ScratchFor(Scratch[worker], step), StatusOf(Statuses, i));
            }
        }
    }

    private struct BackwardWork : IWork
    {
        public IReadOnlyList<ChannelMapStep> Steps;
        public int Stride;
        public KeptMemory<double>[] Scratch;
        public float GLogDet;

        public readonly void Run(int part, int worker)
        {
            for (int i = part; i < Steps.Count; i += Stride)
            {
                ChannelMapStep step = Steps[i];
                ChannelMapMath.Backward(
                    step, Values(step.Parameters), Tables(step.Maps), GLogDet, Values(step.Gradients),
                        ScratchFor(Scratch[worker], step));
            }
        }
    }
}
