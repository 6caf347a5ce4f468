using GlowGpu.App.Console;
using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Data;
using GlowGpu.Model.Sampling;

namespace GlowGpu.App.Commands;

/// <summary>The two ends of a walk in latent space, one image each.</summary>
/// <param name="Both">latents of the two</param>
/// <param name="Classes">their classes, or null for an unconditional model</param>
/// <param name="FromName">the first in words</param>
/// <param name="ToName">the second in words</param>
internal sealed record WalkEnds(Latents Both, (int From, int To)? Classes, string FromName, string ToName)
{
    /// <summary>Two images of a set.</summary>
    public static WalkEnds FromData(FlowModel model, IImageSource source, int[] pair)
    {
        foreach (int index in pair)
        {
            if (index >= source.Count)
                throw new UsageException(
                    $"--pair names image {index}, but {source.Name} has images 0 to {source.Count - 1}");
        }
        int size = model.Config.Dimensions;
        byte[] a = new byte[size], b = new byte[size];
        source.Read(pair[0], a);
        source.Read(pair[1], b);
        (int, int)? classes = model.Config.Classes == 0 ? null : (source.Label(pair[0]), source.Label(pair[1]));
        return Encode(model, a, b, classes, $"{source.Name} {pair[0]}", $"{source.Name} {pair[1]}");
    }

    /// <summary>
    /// Pairs of different images, each drawn from the whole set; pair i of a seed is the same whatever their number.
    /// </summary>
    public static int[][] RandomPairs(IImageSource source, int count, ulong seed)
    {
        if (source.Count < 2)
            throw new UsageException($"--random needs two images, but {source.Name} has {source.Count}");
        CounterRandom random = new(seed, "pairs");
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            int first = (int)random.Below((uint)source.Count), second = (int)random.Below((uint)source.Count - 1);
            // Skipping over the first keeps every other image equally likely.
            return new[] { first, second + (second >= first ? 1 : 0) };
        })];
    }

    /// <summary>Two image files, cropped and resized to the model's size.</summary>
    public static WalkEnds FromFiles(FlowModel model, string from, string to, int? label)
    {
        if (model.Config.Classes > 0 && label is null)
            throw new UsageException($"--class is missing; the model is conditional on {model.Config.Classes} "
                + "classes, and image files do not say theirs");
        (int, int)? classes = label is int k ? (k, k) : null;
        return Encode(model, ModelImage.Read(model.Config, from), ModelImage.Read(model.Config, to), classes, from, to);
    }

    /// <summary>Two random latents of one seed.</summary>
    public static WalkEnds Random(FlowConfig config, ulong seed, double temperature, int? label)
    {
        Latents both = Sampler.Draw(config, 2, temperature, seed);
        (int, int)? classes = config.Classes == 0 ? null : (label ?? 0, label ?? 0);
        return new WalkEnds(both, classes, $"seed {seed}, image 0", $"seed {seed}, image 1");
    }

    /// <summary>
    /// Class of every step, <c>[steps]</c>: that of the nearer end, since an embedding exists for whole classes only;
    /// null when unconditional.
    /// </summary>
    public float[]? Labels(int steps) => Classes is not (int a, int b)
        ? null
        : [.. Enumerable.Range(0, steps).Select(i => (float)(2 * i < steps ? a : b))];

    private static WalkEnds Encode(FlowModel model, byte[] a, byte[] b, (int From, int To)? classes,
        string from, string to)
    {
        float[] values = [.. a.Concat(b).Select(static v => (float)v)];
        float[]? labels = classes is (int first, int second) ? [first, second] : null;
        Latents both = model.Encode(new Batch(2, values, labels), Noise.Center).Latents;
        return new WalkEnds(both, classes, from, to);
    }
}
