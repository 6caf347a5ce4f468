namespace GlowGpu.Model.Data;

/// <summary>
/// Keeps images that are slow to make, once made, if the whole set fits in memory; safe to use from several threads.
/// </summary>
public sealed class PixelCache
{
    /// <summary>Largest set that is kept, in bytes: 1 GiB.</summary>
    public const long Limit = 1L << 30;

    private readonly byte[]?[]? images;

    internal PixelCache(int count, int imageBytes)
    {
        if ((long)count * imageBytes <= Limit) images = new byte[]?[count];
    }

    internal bool TryRead(int index, Span<byte> pixels)
    {
        if (images is null || Volatile.Read(ref images[index]) is not { } kept) return false;
        kept.CopyTo(pixels);
        return true;
    }

    internal void Keep(int index, ReadOnlySpan<byte> pixels)
    {
        if (images is not null) Volatile.Write(ref images[index], pixels.ToArray());
    }
}
