using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model;

/// <summary>
/// Device memory that training is predicted to take, in bytes. A prediction from the shapes, not a measurement: a
/// backend's tiles, its alignment and the process itself come on top.
/// </summary>
/// <param name="Parameters">values, gradients, two moments, the average, and the packed copies of weights that
/// stay</param>
/// <param name="Activations">
/// flow variables, what backward keeps, and gradients of one batch; where weights are packed in passing, those of one
/// network a level
/// </param>
public sealed record MemoryPrediction(long Parameters, long Activations)
{
    /// <summary>All of it.</summary>
    public long Total => Parameters + Activations;

    /// <summary>Predicts a training step.</summary>
    /// <param name="config">shape of the model</param>
    /// <param name="batch">images per step</param>
    /// <param name="memory">what backward may keep</param>
    /// <param name="network">the coupling network of the device to train on</param>
    /// <param name="average">whether a Polyak average is kept</param>
    public static MemoryPrediction Of(FlowConfig config, int batch, MemoryMode memory, ICouplingNet network,
        bool average = true)
    {
        // Value, gradient, two moments; the average when there is one.
        long parameters = ModelCost.Parameters(config) * (average ? 5 : 4);
        bool inPassing = config is GlowConfig && !network.BackwardReadsPacked;
        if (!inPassing) parameters += config is GlowConfig kept ? kept.Depth * PackedOf(kept, network)
            : ModelCost.Parameters(config);
        long activations = config switch
        {
            GlowConfig glow => ActivationsOf(glow, batch, memory) + (inPassing ? PackedOf(glow, network) : 0),
            RealNvpConfig nvp => ActivationsOf(nvp, batch),
            NiceConfig nice => ActivationsOf(nice, batch),
            _ => throw new ArgumentException($"memory: a {config.Family} model is not known"),
        };
        return new MemoryPrediction(sizeof(float) * parameters, sizeof(float) * activations);
    }

    /// <summary>Packed weights of one network of every level.</summary>
    private static long PackedOf(GlowConfig config, ICouplingNet network) => Enumerable.Range(0,
        config.Levels).Sum(level =>
    {
        (int height, int width, _) = config.LevelShape(level);
        return network.PackedLength(GlowParameters.Network(config, level), new Pixels(1, height, width));
    });

    private static long ActivationsOf(GlowConfig config, int batch, MemoryMode memory)
    {
        long activations = 0;
        for (int level = 0; level < config.Levels; level++)
        {
            (int h, int w, _) = config.LatentShape(level);
            long pixels = (long)batch * h * w;
            long c = config.LevelChannels(level);
            CouplingNetShape net = GlowParameters.Network(config, level);
            // Input, output and their gradients of the step at work; the network's output and its gradient, which
            // share blocks with them where they are of one size. Statistics of a split are of that size too, those of
            // the prior twice as large.
            long atWork = 4 * c + (net.Out == c ? 0 : 2 * net.Out) + (level == config.Levels - 1 ? 4 * c : 0);
            // A stored step keeps its variable, both hidden layers and the network's output; reversible has the
            // hidden layers of one step.
            long kept = memory == MemoryMode.Stored ? config.Depth * (c + 2L * net.Width + net.Out) : 2L * net.Width;
            activations += pixels * (atWork + kept);
        }
        return activations;
    }

    // A coupling keeps its variable, the stream in front of every block and behind the last, what stands between a
    // block's convolutions, and the network's output. At work are the conditions, normalised values and gradients of
    // one.
    private static long ActivationsOf(RealNvpConfig config, int batch)
    {
        long kept = 0, atWork = 0;
        foreach (RealNvpCoupling c in Enumerable.Range(0, config.Levels).SelectMany(config.Couplings))
        {
            long pixels = (long)batch * c.Height * c.Width;
            kept += pixels * (c.Channels + (2L * config.Blocks + 1) * config.Width + 2L * c.Changed);
            atWork = Math.Max(atWork, pixels * (4L * config.Width + 6L * c.Channels));
        }
        return kept + atWork;
    }

    private static long ActivationsOf(NiceConfig config, int batch) =>
        batch * (config.Depth * ((long)config.Hidden * config.Width + config.Half) + 2L * config.Width
            + 4L * config.Dimensions);
}
