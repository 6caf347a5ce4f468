using System.Security.Cryptography;

namespace GlowGpu.Model.Data;

/// <summary>Some images of a set, in an order of their own.</summary>
public sealed class Subset : ImageSource
{
    private readonly int[] indices;

    internal Subset(string name, IImageSource source, int[] indices)
        : base(name, indices.Length, source.Height, source.Width, source.Channels, null, source.Classes)
    {
        Source = source;
        this.indices = indices;
    }

    /// <summary>The set that the images are taken from.</summary>
    public IImageSource Source { get; }

    /// <summary>Index in <see cref="Source"/> of image <paramref name="index"/>.</summary>
    public int SourceIndex(int index)
    {
        CheckIndex(index);
        return indices[index];
    }

    /// <summary>
    /// The set that an image of <paramref name="source"/> comes from when all choices of images are undone, and its
    /// index there.
    /// </summary>
    public static (IImageSource Source, int Index) Origin(IImageSource source, int index)
    {
        while (source is Subset subset) (source, index) = (subset.Source, subset.SourceIndex(index));
        return (source, index);
    }

    /// <inheritdoc/>
    public override int Label(int index) => Source.Label(SourceIndex(index));

    /// <inheritdoc/>
    protected override void ReadImage(int index, Span<byte> pixels) => Source.Read(indices[index], pixels);

    /// <inheritdoc/>
    protected internal override void AppendContent(IncrementalHash hash, int index, Span<byte> pixels)
    {
        if (Source is ImageSource source) source.AppendContent(hash, indices[index], pixels);
        else base.AppendContent(hash, index, pixels);
    }
}
