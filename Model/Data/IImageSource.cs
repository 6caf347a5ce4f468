namespace GlowGpu.Model.Data;

/// <summary>
/// A set of images of one size. <see cref="Read"/> may be called from several threads at once.
/// </summary>
public interface IImageSource
{
    /// <summary>Name for people, e.g. <c>cifar10/test</c>.</summary>
    string Name { get; }

    /// <summary>
    /// Hash (first 12 hex digits of SHA-256) of the images' content and order, printed beside every bits/dim.
    /// </summary>
    string Hash { get; }

    /// <summary>Number of images.</summary>
    int Count { get; }

    /// <summary>H.</summary>
    int Height { get; }

    /// <summary>W.</summary>
    int Width { get; }

    /// <summary>C: 1 or 3, or whatever an array file holds.</summary>
    int Channels { get; }

    /// <summary>Names of the classes; empty when there are no labels.</summary>
    IReadOnlyList<string> Classes { get; }

    /// <summary>Class index of an image; −1 when there are no labels.</summary>
    int Label(int index);

    /// <summary>Writes the bytes of one image, <c>[H,W,C]</c>.</summary>
    /// <exception cref="Engine.GlowException">The image cannot be read; the sentence names the file.</exception>
    void Read(int index, Span<byte> pixels);
}
