using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model;

/// <summary>
/// Device memory that training is predicted to take, in bytes. A prediction from the shapes, not a measurement: a backend's tiles,
/// its alignment and the process itself come on top.
/// </summary>
/// <param name="Parameters">values, gradients, two moments, the average, and the packed copy that kernels read</param>
/// <param name="Activations">flow variables, what backward keeps, and gradients of one batch</param>
public sealed record MemoryPrediction(long Parameters, long Activations)
{
    /// <summary>All of it.</summary>
    public long Total => Parameters + Activations;

    /// <summary>Predicts a training step.</summary>
    /// <param name="config">shape of the model</param>
    /// <param name="batch">images per step</param>
    /// <param name="memory">what backward may keep</param>
    /// <param name="average">whether a Polyak average is kept</param>
    public static MemoryPrediction Of(GlowConfig config, int batch, MemoryMode memory, bool average = true)
    {
        // Value, gradient, two moments, packed weights; the average when there is one.
        long parameters = ModelCost.Parameters(config) * (average ? 6 : 5);
        long activations = (long)batch * config.Dimensions;
        for (int level = 0; level < config.Levels; level++)
        {
            (int h, int w, _) = config.LatentShape(level);
            long pixels = (long)batch * h * w;
            long c = config.LevelChannels(level);
            CouplingNetShape net = GlowParameters.Network(config, level);
            long kept = 2L * net.Width + net.Out;
            // A step keeps its variable, both hidden layers and the network's output; reversible keeps one step's worth, whatever the depth.
            long steps = memory == MemoryMode.Stored ? config.Depth * (c + kept) : 2 * c + kept;
            // The squeezed input; the gradients of a step's input, output and network output; statistics of the split or the prior and their gradient.
            long rest = c + 2 * c + net.Out + 2 * (level == config.Levels - 1 ? 2 * c : c);
            activations += pixels * (steps + rest);
        }
        return new MemoryPrediction(sizeof(float) * parameters, sizeof(float) * activations);
    }
}
