using GlowGpu.Model.Data;

namespace GlowGpu.Tests.Model.Training;

/// <summary>
/// A few made-up images with structure that a model can learn: soft stripes of any slope, lightly noisy.
/// </summary>
internal sealed class MemoryImages : IImageSource
{
    private readonly byte[] pixels;
    private readonly int[]? labels;

    public MemoryImages(string name, int count, int height, int width, int channels, int seed, int classes = 0)
    {
        (Name, Count, Height, Width, Channels) = (name, count, height, width, channels);
        Hash = $"{seed:x12}";
        Random random = new(seed);
        Classes = [.. Enumerable.Range(0, classes).Select(static k => $"class {k}")];
        labels = classes > 0 ? new int[count] : null;
        pixels = new byte[count * height * width * channels];
        for (int n = 0, i = 0; n < count; n++)
        {
            double slope = random.NextDouble() * 2 - 1, phase = random.NextDouble() * 6;
            if (labels is not null) labels[n] = random.Next(classes);
            for (int y = 0; y < height; y++)
                for (int x = 0; x < width; x++)
                    for (int c = 0; c < channels; c++, i++)
                        pixels[i] = (byte)(128 + 90 * Math.Sin(x + slope * y + phase + c) + random.Next(-9, 10));
        }
    }

    /// <summary>The images of an array <c>[N,H,W,C]</c>.</summary>
    public MemoryImages(byte[] pixels, int count, int height, int width, int channels, int[]? labels, int classes)
    {
        (this.pixels, Count, Height, Width, Channels, this.labels) = (pixels, count, height, width, channels, labels);
        Classes = [.. Enumerable.Range(0, classes).Select(static k => $"class {k}")];
    }

    public string Name { get; } = "array";

    public string Hash { get; init; } = "0123456789ab";

    public int Count { get; }

    public int Height { get; }

    public int Width { get; }

    public int Channels { get; }

    public IReadOnlyList<string> Classes { get; }

    public int Label(int index) => labels?[index] ?? -1;

    public void Read(int index, Span<byte> target) =>
        pixels.AsSpan(index * target.Length, target.Length).CopyTo(target);
}
