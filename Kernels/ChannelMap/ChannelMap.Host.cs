using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

/// <summary>
/// <see cref="IChannelMap"/> on the host: <see cref="ChannelMapMath"/> on every step, steps in parallel. Neighbouring steps go to
/// different workers, because those of a deep level are far dearer than those of a shallow one.
/// </summary>
public sealed unsafe class HostChannelMap : IChannelMap
{
    private readonly Workers workers;
    private readonly KeptMemory<double>[] scratch;
    private readonly KeptMemory<double> logDets = new();
    private ArithmeticException?[] failures = [];

    /// <summary>Runs on that team.</summary>
    public HostChannelMap(Workers workers)
    {
        this.workers = workers;
        scratch = new KeptMemory<double>[workers.Count];
        for (int i = 0; i < scratch.Length; i++) scratch[i] = new KeptMemory<double>();
    }

    /// <inheritdoc/>
    public void Prepare(IReadOnlyList<ChannelMapStep> steps, View logDet)
    {
        Shapes.CheckChannelMapLogDet(logDet);
        for (int i = 0; i < steps.Count; i++) Shapes.CheckChannelMap(steps[i]);
        if (failures.Length < steps.Count) failures = new ArithmeticException?[steps.Count];
        Array.Clear(failures);
        double* perStep = logDets.Take(steps.Count + 1);
        workers.Run(workers.Count, new PrepareWork
        {
            Steps = steps,
            Stride = workers.Count,
            Scratch = scratch,
            LogDets = perStep,
            Failures = failures,
        });
        double sum = 0;
        for (int i = 0; i < steps.Count; i++)
        {
            if (failures[i] is { } failure) throw failure;
            sum += perStep[i];
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

    private struct PrepareWork : IWork
    {
        public IReadOnlyList<ChannelMapStep> Steps;
        public int Stride;
        public KeptMemory<double>[] Scratch;
        public double* LogDets;
        public ArithmeticException?[] Failures;

        public readonly void Run(int part, int worker)
        {
            for (int i = part; i < Steps.Count; i += Stride)
            {
                ChannelMapStep step = Steps[i];
                try
                {
                    LogDets[i] = ChannelMapMath.Prepare(
                        step, Values(step.Parameters), Tables(step.Maps), ScratchFor(Scratch[worker], step));
                }
                catch (ArithmeticException e)
                {
                    // Thrown by the caller's thread, for the first bad step whatever the number of threads.
                    Failures[i] = e;
                }
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
                    step, Values(step.Parameters), Tables(step.Maps), GLogDet, Values(step.Gradients), ScratchFor(Scratch[worker], step));
            }
        }
    }
}
