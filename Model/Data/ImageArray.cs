using GlowGpu.Engine;

namespace GlowGpu.Model.Data;

/// <summary>Images <c>[N,H,W,C]</c> that lie one after another, in memory or in a file.</summary>
public sealed class ImageArray : ImageSource
{
    private readonly PixelStore pixels;

    /// <summary>Images in memory.</summary>
    /// <param name="name">for people</param>
    /// <param name="pixels"><c>[N,H,W,C]</c></param>
    /// <param name="height">H</param>
    /// <param name="width">W</param>
    /// <param name="channels">C</param>
    /// <param name="labels">class index of every image <c>[N]</c>, or null</param>
    /// <param name="classes">names of the classes, or null for their numbers</param>
    public ImageArray(string name, byte[] pixels, int height, int width, int channels, int[]? labels = null,
        IReadOnlyList<string>? classes = null)
        : this(name, MemoryPixels.Load(new MemoryStream(pixels), pixels.Length).Pixels,
        pixels.Length / (height * width * channels),
            height, width, channels, labels, classes ?? ClassNames.Numbers(name, labels))
    {
        if (pixels.Length != Count * ImageBytes)
            throw new ArgumentException(
                $"{pixels.Length} bytes are no whole number of images of {height}×{width}×{channels}",
                nameof(pixels));
        if (labels is not null && labels.Length != Count)
            throw new ArgumentException($"{labels.Length} labels for {Count} images", nameof(labels));
    }

    internal ImageArray(string name, PixelStore pixels, int count, int height, int width, int channels, int[]? labels,
        IReadOnlyList<string> classes)
        : base(name, count, height, width, channels, labels, classes) => this.pixels = pixels;

    /// <inheritdoc/>
    protected override void ReadImage(int index, Span<byte> target) => pixels.Read((long)index * ImageBytes, target);
}

/// <summary>The shape of an array of images as a file claims it, checked.</summary>
internal readonly record struct ArrayShape(int Count, int Height, int Width, int Channels)
{
    /// <summary>N·H·W·C.</summary>
    public long Bytes => (long)Count * Height * Width * Channels;

    /// <summary>Takes <c>[N,H,W,C]</c> or <c>[N,H,W]</c>.</summary>
    /// <exception cref="GlowException">It is another shape, or too large.</exception>
    public static ArrayShape Of(string what, ReadOnlySpan<long> shape)
    {
        string text = $"[{string.Join(",", shape.ToArray())}]";
        if (shape.Length is not (3 or 4))
            throw new GlowException($"{what}: has shape {text}; images need [N,H,W,C] or [N,H,W]");
        Int128 bytes = 1;
        foreach (long side in shape)
        {
            if (side < 1) throw new GlowException($"{what}: has shape {text}, so it holds no image");
            bytes *= side;
            if (side > int.MaxValue || bytes > long.MaxValue)
                throw new GlowException($"{what}: has shape {text}, which is larger than can be read");
        }
        if (shape.Length == 4 && shape[1] is 1 or 3 && shape[3] is not (1 or 3))
            throw new GlowException($"{what}: has shape {text}, channels first; images need [N,H,W,C] (in NumPy: "
                + "images.transpose(0, 2, 3, 1))");
        long image = (long)(bytes / shape[0]);
        if (image > ImageFile.MaxPixels * 4)
            throw new GlowException(
            $"{what}: has shape {text}, and one image of {image} bytes is larger than can be read");
        return new ArrayShape((int)shape[0], (int)shape[1], (int)shape[2], shape.Length == 4 ? (int)shape[3] : 1);
    }
}

/// <summary>Labels and names of classes.</summary>
internal static class ClassNames
{
    private const int Most = 1 << 16;

    /// <summary>Checks labels and names the classes 0 to the largest label; no labels, no classes.</summary>
    /// <exception cref="GlowException">A label is negative or unreasonably large.</exception>
    public static IReadOnlyList<string> Numbers(string what, int[]? labels)
    {
        if (labels is null) return [];
        int largest = 0;
        for (int i = 0; i < labels.Length; i++)
        {
            if (labels[i] is < 0 or >= Most)
                throw new GlowException($"{what}: label {i} is {labels[i]}; labels must be 0 to {Most - 1}");
            largest = Math.Max(largest, labels[i]);
        }
        return Enumerable.Range(0, largest + 1).Select(i => i.ToString()).ToArray();
    }
}
