using GlowGpu.Model;
using GlowGpu.Tests.Checks;

namespace GlowGpu.Tests.Reference;

/// <summary>
/// Small models with parameters far from their initial zeros, for checks beyond the golden configurations.
/// </summary>
public static class ReferenceModels
{
    /// <summary>Two levels on 4×4×3 images: 48 dimensions, small enough for a full Jacobian.</summary>
    public static GlowConfig Tiny(string coupling, string permutation, string invconv) => new()
    {
        ImageSize = [4, 4],
        Channels = 3,
        Levels = 2,
        Depth = 2,
        Width = 6,
        Coupling = coupling,
        Permutation = permutation,
        Invconv = invconv,
    };

    /// <summary>Names, shapes of all trainable parameters, in the order of the checkpoint's contract.</summary>
    public static IEnumerable<(string Name, int[] Shape)> Shapes(GlowConfig config)
    {
        int edge = config.EdgeBias ? 1 : 0, width = config.Width;
        for (int l = 0; l < config.Levels; l++)
        {
            int c = config.LevelChannels(l), outputs = config.Coupling == "affine" ? c : c / 2;
            for (int k = 0; k < config.Depth; k++)
            {
                string step = $"levels.{l}.steps.{k}", net = step + ".coupling";
                yield return (step + ".actnorm.bias", [c]);
                yield return (step + ".actnorm.logs", [c]);
                if (config is { Permutation: "invconv", Invconv: "dense" }) yield return (step + ".invconv.weight",
                    [c, c]);
                if (config is { Permutation: "invconv", Invconv: "plu" })
                {
                    yield return (step + ".invconv.lower", [c, c]);
                    yield return (step + ".invconv.upper", [c, c]);
                    yield return (step + ".invconv.log_s", [c]);
                }
                yield return (net + ".conv1.weight", [3, 3, c / 2 + edge, width]);
                yield return (net + ".conv1.actnorm.bias", [width]);
                yield return (net + ".conv1.actnorm.logs", [width]);
                yield return (net + ".conv2.weight", [1, 1, width, width]);
                yield return (net + ".conv2.actnorm.bias", [width]);
                yield return (net + ".conv2.actnorm.logs", [width]);
                yield return (net + ".conv3.weight", [3, 3, width + edge, outputs]);
                yield return (net + ".conv3.bias", [outputs]);
                yield return (net + ".conv3.logs", [outputs]);
            }
            if (l == config.Levels - 1) break;
            yield return ($"levels.{l}.split.conv.weight", [3, 3, c / 2 + edge, c]);
            yield return ($"levels.{l}.split.conv.bias", [c]);
            yield return ($"levels.{l}.split.conv.logs", [c]);
        }
        int top = config.LevelChannels(config.Levels - 1);
        if (config.LearnTop)
        {
            yield return ("prior.conv.weight", [3, 3, 2 * top + edge, 2 * top]);
            yield return ("prior.conv.bias", [2 * top]);
            yield return ("prior.conv.logs", [2 * top]);
        }
        if (config.Classes == 0) yield break;
        yield return ("prior.class.weight", [config.Classes, 2 * top]);
        yield return ("prior.class.bias", [2 * top]);
        yield return ("prior.class.logs", [2 * top]);
        yield return ("classifier.weight", [top, config.Classes]);
        yield return ("classifier.bias", [config.Classes]);
        yield return ("classifier.logs", [config.Classes]);
    }

    /// <summary>Parameters and fixed tensors, exact in float32, none of them zero or trivial.</summary>
    public static Dictionary<string, double[]> Parameters(GlowConfig config, int seed)
    {
        Draw draw = new(seed);
        Dictionary<string, double[]> parameters = [];
        foreach ((string name, int[] shape) in Shapes(config))
        {
            int count = shape.Aggregate(1, static (a, b) => a * b);
            parameters.Add(name, name switch
            {
                _ when name.EndsWith("invconv.weight", StringComparison.Ordinal) => draw.Mixing(shape[0]).Wide(),
                _ when name.EndsWith("logs", StringComparison.Ordinal) || name.EndsWith("log_s",
                    StringComparison.Ordinal) =>
                    draw.Normal(count, 0.1).Wide(),
                // Triangles with larger entries would be so ill-conditioned that float32 cannot invert them.
                _ when name.EndsWith("lower", StringComparison.Ordinal) || name.EndsWith("upper",
                    StringComparison.Ordinal) =>
                    draw.Normal(count, 0.3 / Math.Sqrt(shape[0])).Wide(),
                _ => draw.Normal(count, 0.2).Wide(),
            });
        }
        for (int l = 0; l < config.Levels; l++)
            for (int k = 0; k < config.Depth; k++)
            {
                string step = $"levels.{l}.steps.{k}";
                int c = config.LevelChannels(l);
                double[] order = Array.ConvertAll(draw.Permutation(c), static v => (double)v);
                if (config.Permutation == "shuffle") parameters.Add(step + ".permutation", order);
                if (config is not { Permutation: "invconv", Invconv: "plu" }) continue;
                parameters.Add(step + ".invconv.p", order);
                parameters.Add(step + ".invconv.sign_s", [.. draw.Integers(c, 2).Select(static v => 2.0 * v - 1)]);
            }
        return parameters;
    }
}
