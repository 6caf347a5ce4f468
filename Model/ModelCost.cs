using GlowGpu.Kernels;

namespace GlowGpu.Model;

/// <summary>Arithmetic and size of a model, from its shapes alone.</summary>
public static class ModelCost
{
    /// <summary>Number of trainable values.</summary>
    public static long Parameters(GlowConfig config) =>
        GlowParameters.Layout(config).Sum(static p => p.Shape.Aggregate(1L, static (a, b) => a * b));

    /// <summary>
    /// Floating-point operations of one image's forward pass; a multiplication and an addition count as two. Convolutions
    /// and channel mixing only; element-wise work is left out. Sampling takes as many, a training step three times as many
    /// (backward: twice forward), with <see cref="Engine.MemoryMode.Reversible"/> four times.
    /// </summary>
    public static long ForwardFlops(GlowConfig config)
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
}
