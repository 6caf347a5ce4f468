using System.Buffers.Binary;
using System.Security.Cryptography;

namespace GlowGpu.Model.Data;

/// <summary>What every set of images shares: its description, its labels and its hash.</summary>
public abstract class ImageSource : IImageSource
{
    private readonly int[]? labels;
    private readonly Lazy<string> hash;

    /// <summary>A set of <paramref name="count"/> images <c>[H,W,C]</c>.</summary>
    /// <param name="name">for people</param>
    /// <param name="count">number of images</param>
    /// <param name="height">H</param>
    /// <param name="width">W</param>
    /// <param name="channels">C</param>
    /// <param name="labels">class index of every image, or null</param>
    /// <param name="classes">names of the classes; empty when there are no labels</param>
    protected ImageSource(string name, int count, int height, int width, int channels, int[]? labels,
        IReadOnlyList<string> classes)
    {
        (Name, Count, Height, Width, Channels, Classes) = (name, count, height, width, channels, classes);
        this.labels = labels;
        hash = new Lazy<string>(ComputeHash);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <summary>
    /// First 12 hex digits of the SHA-256 over count, H, W and C (four little-endian int32), then for every image in
    /// order its bytes
    /// <c>[H,W,C]</c> and its label (little-endian int32, −1 when there is none). Sets whose images are slow to make
    /// say what stands for the bytes there. Computed on first use, image by image.
    /// </summary>
    public string Hash => hash.Value;

    /// <inheritdoc/>
    public int Count { get; }

    /// <inheritdoc/>
    public int Height { get; }

    /// <inheritdoc/>
    public int Width { get; }

    /// <inheritdoc/>
    public int Channels { get; }

    /// <inheritdoc/>
    public IReadOnlyList<string> Classes { get; }

    /// <summary>H·W·C.</summary>
    protected int ImageBytes => Height * Width * Channels;

    /// <inheritdoc/>
    public virtual int Label(int index)
    {
        CheckIndex(index);
        return labels is null ? -1 : labels[index];
    }

    /// <inheritdoc/>
    public void Read(int index, Span<byte> pixels)
    {
        CheckIndex(index);
        if (pixels.Length != ImageBytes)
            throw new ArgumentException(
                $"an image of {Name} has {Height}·{Width}·{Channels} bytes, not {pixels.Length}", nameof(pixels));
        ReadImage(index, pixels);
    }

    /// <summary>Writes the bytes of one image; index and length are right.</summary>
    protected abstract void ReadImage(int index, Span<byte> pixels);

    /// <summary>
    /// Appends to the hash what one image is, its label aside. <paramref name="pixels"/> is scratch for its bytes.
    /// </summary>
    protected internal virtual void AppendContent(IncrementalHash hash, int index, Span<byte> pixels)
    {
        Read(index, pixels);
        hash.AppendData(pixels);
    }

    /// <summary>Throws unless the set has such an image.</summary>
    protected void CheckIndex(int index)
    {
        if ((uint)index >= (uint)Count)
            throw new ArgumentOutOfRangeException(nameof(index), index, $"{Name} has images 0 to {Count - 1}");
    }

    private string ComputeHash()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> numbers = stackalloc byte[16];
        BinaryPrimitives.WriteInt32LittleEndian(numbers, Count);
        BinaryPrimitives.WriteInt32LittleEndian(numbers[4..], Height);
        BinaryPrimitives.WriteInt32LittleEndian(numbers[8..], Width);
        BinaryPrimitives.WriteInt32LittleEndian(numbers[12..], Channels);
        hash.AppendData(numbers);
        var pixels = new byte[ImageBytes];
        for (int i = 0; i < Count; i++)
        {
            AppendContent(hash, i, pixels);
            BinaryPrimitives.WriteInt32LittleEndian(numbers, Label(i));
            hash.AppendData(numbers[..4]);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..12];
    }
}
