using System.Runtime.ExceptionServices;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// <see cref="IChannelMap"/> for a GPU: one download of all that is needed, the arithmetic in double on the host
/// (<see cref="ChannelMapMath"/>, the steps in parallel), one upload of the results. It therefore waits for the device
/// once per call. A batched kernel on the device can take its place without a change of the contract.
/// </summary>
internal sealed class GpuChannelMap : IChannelMap, IDisposable
{
    private readonly GpuContext gpu;
    private readonly Staging prepareIn, prepareOut, backwardIn, backwardOut;

    public GpuChannelMap(GpuContext gpu)
    {
        this.gpu = gpu;
        Staging.Kernels kernels = new(gpu);
        prepareIn = new(gpu, kernels);
        prepareOut = new(gpu, kernels);
        backwardIn = new(gpu, kernels);
        backwardOut = new(gpu, kernels);
    }

    /// <inheritdoc/>
    public void Prepare(IReadOnlyList<ChannelMapStep> steps, View logDet)
    {
        foreach (ChannelMapStep step in steps) Shapes.CheckChannelMap(step);
        prepareIn.Arrange([.. steps.SelectMany(static s => Views(s, s.Parameters))]);
        prepareOut.Arrange([.. steps.SelectMany(static s => Results(s.Maps)), logDet]);
        prepareIn.Download();
        double[] logDets = new double[steps.Count];
        Run(steps, (i, scratch) =>
        {
            Cursor from = new(prepareIn.Host, steps, i, ParameterLength);
            Cursor to = new(prepareOut.Host, steps, i, static s => 2 * (s.Channels + 1) * s.Channels);
            ChannelMapValues parameters = from.Values(steps[i]);
            logDets[i] = ChannelMapMath.Prepare(steps[i], parameters, to.Results(steps[i].Channels), scratch);
        });
        prepareOut.Host[^1] = (float)logDets.Sum();
        prepareOut.Upload();
    }

    /// <inheritdoc/>
    public void Backward(IReadOnlyList<ChannelMapStep> steps, float gLogDet)
    {
        foreach (ChannelMapStep step in steps) Shapes.CheckChannelMapBackward(step);
        backwardIn.Arrange([.. steps.SelectMany(static s =>
            (IEnumerable<View>)[.. Views(s, s.Parameters), .. Results(s.Maps), s.Maps.DW, s.Maps.DB])]);
        backwardOut.Arrange([.. steps.SelectMany(static s => Views(s, s.Gradients))]);
        backwardIn.Download();
        Run(steps, (i, scratch) =>
        {
            int c = steps[i].Channels;
            Cursor from = new(backwardIn.Host, steps, i, static s => ParameterLength(s) + 3 * (s.Channels + 1) * s.Channels);
            Cursor to = new(backwardOut.Host, steps, i, ParameterLength);
            ChannelMapValues parameters = from.Values(steps[i]);
            ChannelMapTables maps = from.Results(c);
            maps = new()
            {
                W = maps.W,
                B = maps.B,
                V = maps.V,
                C = maps.C,
                DW = from.Take(c * c),
                DB = from.Take(c),
            };
            ChannelMapMath.Backward(steps[i], parameters, maps, gLogDet, to.Values(steps[i]), scratch);
        });
        backwardOut.Upload();
    }

    public void Dispose()
    {
        prepareIn.Dispose();
        prepareOut.Dispose();
        backwardIn.Dispose();
        backwardOut.Dispose();
    }

    /// <summary>Walks through a staging area from where step <paramref name="index"/> begins.</summary>
    private ref struct Cursor(float[] area, IReadOnlyList<ChannelMapStep> steps, int index, Func<ChannelMapStep, int> length)
    {
        private Span<float> rest = area.AsSpan(steps.Take(index).Sum(length));

        public Span<float> Take(int count)
        {
            Span<float> taken = rest[..count];
            rest = rest[count..];
            return taken;
        }

        /// <summary>The parameters (or gradients) in the order of <see cref="Views"/>.</summary>
        public ChannelMapValues Values(ChannelMapStep step)
        {
            int c = step.Channels;
            bool dense = step.Mixing == ChannelMixing.Dense, plu = step.Mixing == ChannelMixing.Plu;
            return new()
            {
                Bias = Take(c),
                Logs = Take(c),
                Weight = Take(dense ? c * c : 0),
                Lower = Take(plu ? c * c : 0),
                Upper = Take(plu ? c * c : 0),
                LogS = Take(plu ? c : 0),
            };
        }

        /// <summary>The maps in the order of <see cref="GpuChannelMap.Results"/>.</summary>
        public ChannelMapTables Results(int c) => new() { W = Take(c * c), B = Take(c), V = Take(c * c), C = Take(c) };
    }

    private static IEnumerable<View> Views(ChannelMapStep step, ChannelMapParameters p) => step.Mixing switch
    {
        ChannelMixing.Dense => [p.Bias, p.Logs, p.Weight],
        ChannelMixing.Plu => [p.Bias, p.Logs, p.Lower, p.Upper, p.LogS],
        _ => [p.Bias, p.Logs],
    };

    private static IEnumerable<View> Results(ChannelMaps maps) => [maps.W, maps.B, maps.V, maps.C];

    private static int ParameterLength(ChannelMapStep step) => step.Mixing switch
    {
        ChannelMixing.Dense => (2 + step.Channels) * step.Channels,
        ChannelMixing.Plu => (3 + 2 * step.Channels) * step.Channels,
        _ => 2 * step.Channels,
    };

    /// <summary>Runs the steps in parallel, each with its scratch; what the first failing one throws is thrown.</summary>
    private static void Run(IReadOnlyList<ChannelMapStep> steps, Action<int, double[]> work)
    {
        Exception?[] failures = new Exception?[steps.Count];
        int scratch = steps.Count == 0 ? 0 : steps.Max(static s => ChannelMapMath.ScratchLength(s.Channels));
        Parallel.For(0, steps.Count, () => new double[scratch], (i, _, mine) =>
        {
            try
            {
                work(i, mine);
            }
            catch (ArithmeticException e)
            {
                failures[i] = e;
            }
            return mine;
        }, static _ => { });
        Exception? first = Array.Find(failures, static e => e is not null);
        if (first is not null) ExceptionDispatchInfo.Throw(first);
    }
}
