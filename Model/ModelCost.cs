using GlowGpu.Kernels;
using GlowGpu.Model.Layers;

namespace GlowGpu.Model;

/// <summary>Arithmetic and size of a model, from its shapes alone.</summary>
public static class ModelCost
{
    /// <summary>Number of trainable values.</summary>
    public static long Parameters(FlowConfig config) => Parameters(config, "");

    /// <summary>Number of trainable values whose names begin so.</summary>
    public static long Parameters(FlowConfig config, string prefix) => config.Layout()
        .Where(p => p.Name.StartsWith(prefix, StringComparison.Ordinal) && !RunningStatistics.IsName(p.Name))
        .Sum(static p => p.Shape.Aggregate(1L, static (a, b) => a * b));

    /// <summary>
    /// Floating-point operations of one image's forward pass; a multiplication and an addition count as two.
    /// Convolutions, fully connected layers and channel mixing only; element-wise work is left out. Sampling takes as
    /// many, a training step three times as many (backward: twice forward), with
    /// <see cref="Engine.MemoryMode.Reversible"/> four times.
    /// </summary>
    public static long ForwardFlops(FlowConfig config) => config switch
    {
        GlowConfig glow => ForwardFlops(glow),
        RealNvpConfig nvp => ForwardFlops(nvp),
        NiceConfig nice => ForwardFlops(nice),
        _ => throw new ArgumentException($"cost: a {config.Family} model is not known"),
    };

    private static long ForwardFlops(GlowConfig config)
    {
        long flops = 0;
        for (int level = 0; level < config.Levels; level++)
        {
            (int h, int w, _) = config.LatentShape(level);
            long pixels = (long)h * w;
            long c = config.LevelChannels(level);
            CouplingNetShape net = GlowParameters.Network(config, level);
            long network = (long)net.Width * (9L * net.In1 + net.Width + 9L * net.Out);
            flops += 2 * pixels * config.Depth * (c * c + network);
            if (level == config.Levels - 1) continue;
            ZeroConvShape split = GlowParameters.Split(config, level);
            flops += 2 * pixels * 9 * split.In1 * split.Out;
        }
        return flops;
    }
    private static long ForwardFlops(RealNvpConfig config) => Enumerable.Range(0, config.Levels)
        .SelectMany(config.Couplings)
        .Sum(c => 2L * c.Height * c.Width * ResidualNetwork.MultiplyAdds(c.NetworkShape(config)));

    private static long ForwardFlops(NiceConfig config) =>
        2L * config.Depth * Enumerable.Range(0, config.Hidden + 1)
            .Sum(i => (long)config.Layer(i).In * config.Layer(i).Out);
}
