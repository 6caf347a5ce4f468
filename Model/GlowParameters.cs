using GlowGpu.Kernels;

namespace GlowGpu.Model;

/// <summary>
/// Names, shapes and fixed tensors of a Glow, in checkpoint terms. Actnorm and channel mixing of all steps come
/// first, so that a device which needs them on the host moves one contiguous range.
/// </summary>
public static class GlowParameters
{
    /// <summary>Name of a step, e.g. <c>levels.0.steps.3</c>.</summary>
    public static string Step(int level, int step) => $"levels.{level}.steps.{step}";

    /// <summary>How the channels of the model's steps are mixed.</summary>
    public static ChannelMixing Mixing(GlowConfig config) => config switch
    {
        { Permutation: not "invconv" } => ChannelMixing.Permutation,
        { Invconv: "plu" } => ChannelMixing.Plu,
        _ => ChannelMixing.Dense,
    };

    /// <summary>Sizes of the coupling networks of a level.</summary>
    public static CouplingNetShape Network(GlowConfig config, int level)
    {
        int c = config.LevelChannels(level);
        return new CouplingNetShape(c / 2, config.Width, (c - c / 2) * (config.Coupling == "affine" ? 2 : 1),
            config.EdgeBias);
    }

    /// <summary>Sizes of the split's convolution at the end of a level.</summary>
    public static ZeroConvShape Split(GlowConfig config, int level)
    {
        int c = config.LevelChannels(level);
        return new ZeroConvShape(c / 2, c, config.EdgeBias);
    }

    /// <summary>Every trainable tensor in layout order.</summary>
    public static IEnumerable<(string Name, int[] Shape)> Layout(GlowConfig config)
    {
        int edge = config.EdgeBias ? 1 : 0;
        for (int level = 0; level < config.Levels; level++)
        {
            int c = config.LevelChannels(level);
            for (int k = 0; k < config.Depth; k++)
            {
                string step = Step(level, k);
                yield return ($"{step}.actnorm.bias", [c]);
                yield return ($"{step}.actnorm.logs", [c]);
                switch (Mixing(config))
                {
                    case ChannelMixing.Dense:
                        yield return ($"{step}.invconv.weight", [c, c]);
                        break;
                    case ChannelMixing.Plu:
                        yield return ($"{step}.invconv.lower", [c, c]);
                        yield return ($"{step}.invconv.upper", [c, c]);
                        yield return ($"{step}.invconv.log_s", [c]);
                        break;
                }
            }
        }
        for (int level = 0; level < config.Levels; level++)
        {
            CouplingNetShape net = Network(config, level);
            for (int k = 0; k < config.Depth; k++)
            {
                string coupling = $"{Step(level, k)}.coupling";
                yield return ($"{coupling}.conv1.weight", [3, 3, net.In1, net.Width]);
                yield return ($"{coupling}.conv1.actnorm.bias", [net.Width]);
                yield return ($"{coupling}.conv1.actnorm.logs", [net.Width]);
                yield return ($"{coupling}.conv2.weight", [1, 1, net.Width, net.Width]);
                yield return ($"{coupling}.conv2.actnorm.bias", [net.Width]);
                yield return ($"{coupling}.conv2.actnorm.logs", [net.Width]);
                yield return ($"{coupling}.conv3.weight", [3, 3, net.In3, net.Out]);
                yield return ($"{coupling}.conv3.bias", [net.Out]);
                yield return ($"{coupling}.conv3.logs", [net.Out]);
            }
            if (level == config.Levels - 1) continue;
            ZeroConvShape split = Split(config, level);
            yield return ($"levels.{level}.split.conv.weight", [3, 3, split.In1, split.Out]);
            yield return ($"levels.{level}.split.conv.bias", [split.Out]);
            yield return ($"levels.{level}.split.conv.logs", [split.Out]);
        }
        int top = config.LevelChannels(config.Levels - 1);
        if (config.LearnTop)
        {
            yield return ("prior.conv.weight", [3, 3, 2 * top + edge, 2 * top]);
            yield return ("prior.conv.bias", [2 * top]);
            yield return ("prior.conv.logs", [2 * top]);
        }
        if (config.Classes > 0)
        {
            yield return ("prior.class.weight", [config.Classes, 2 * top]);
            yield return ("prior.class.bias", [2 * top]);
            yield return ("prior.class.logs", [2 * top]);
            yield return ("classifier.weight", [top, config.Classes]);
            yield return ("classifier.bias", [config.Classes]);
            yield return ("classifier.logs", [config.Classes]);
        }
    }

    /// <summary>
    /// Names and lengths of the fixed tensors that a checkpoint carries: int32 permutations and row orders, float32
    /// signs.
    /// </summary>
    public static IEnumerable<(string Name, int Length, bool Integer)> ConstantLayout(GlowConfig config)
    {
        for (int level = 0; level < config.Levels; level++)
        {
            int c = config.LevelChannels(level);
            for (int k = 0; k < config.Depth; k++)
            {
                if (config.Permutation == "shuffle") yield return ($"{Step(level, k)}.permutation", c, true);
                if (Mixing(config) != ChannelMixing.Plu) continue;
                yield return ($"{Step(level, k)}.invconv.p", c, true);
                yield return ($"{Step(level, k)}.invconv.sign_s", c, false);
            }
        }
    }
}
