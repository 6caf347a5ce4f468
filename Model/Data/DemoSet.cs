using System.Buffers.Binary;
using System.Security.Cryptography;
using GlowGpu.Kernels;

namespace GlowGpu.Model.Data;

/// <summary>
/// The embedded demo set: solids on coloured grounds with known factors, needing no file. Image i of one endless
/// sequence is a pure function of i; training takes 0 to 19,999, the test set the next 2,000. Shapes come in turn, so
/// that all classes are equally frequent in every stretch; the other factors are independent and uniform. Images are
/// rendered when first read and kept while the whole set fits <see cref="PixelCache.Limit"/>.
/// </summary>
public sealed class DemoSet : ImageSource, IFactorSource
{
    /// <summary>Images for training.</summary>
    public const int TrainCount = 20_000;

    /// <summary>Images for testing.</summary>
    public const int TestCount = 2_000;

    // Every so-many-th image is in the hash with its pixels: a change of the renderer shows without rendering the
    // whole set.
    private const int HashStride = 100;
    private const float PlainShare = 0.7f;
    private const ulong Key = 0x676C6F77_64656D6F;

    private readonly int first;
    private readonly PixelCache cache;

    private DemoSet(string name, int first, int count, int size)
        : base(name, count, size, size, 3, null, Enum.GetNames<DemoShape>().Select(n => n.ToLowerInvariant()).ToArray())
    {
        this.first = first;
        cache = new PixelCache(count, ImageBytes);
    }

    /// <summary>Training and test set of that image side.</summary>
    /// <exception cref="Engine.GlowException">The side is out of range.</exception>
    public static (DemoSet Train, DemoSet Test) Create(int size)
    {
        if (size is < DemoRenderer.MinSize or > DemoRenderer.MaxSize)
            throw new Engine.GlowException($"demo: an image size of {size} is out of range; it must be "
                + $"{DemoRenderer.MinSize} to {DemoRenderer.MaxSize}");
        return (new DemoSet("demo/train", 0, TrainCount, size), new DemoSet("demo/test", TrainCount, TestCount, size));
    }

    /// <inheritdoc/>
    public DemoFactors Factors(int index)
    {
        CheckIndex(index);
        ulong i = (ulong)(first + index);
        var (a, b, c, d) = Philox.Block(Key, 2 * i);
        var (e, f, g, h) = Philox.Block(Key, 2 * i + 1);
        return new DemoFactors(
            Shape: ShapeOf(index),
            Hue: Philox.ToUnit(a),
            Size: Uniform(b, 0.8f, 1.2f),
            X: Uniform(c, 0.37f, 0.63f),
            Y: Uniform(d, 0.44f, 0.56f),
            Rotation: Uniform(e, -45, 45),
            Light: Uniform(f, -70, 70),
            Texture: TextureOf(Philox.ToUnit(g)),
            Ground: Philox.ToUnit(h));
    }

    /// <inheritdoc/>
    public override int Label(int index)
    {
        CheckIndex(index);
        return (int)ShapeOf(index);
    }

    /// <inheritdoc/>
    protected override void ReadImage(int index, Span<byte> pixels)
    {
        if (cache.TryRead(index, pixels)) return;
        DemoRenderer.Render(Factors(index), Height, pixels);
        cache.Keep(index, pixels);
    }

    /// <summary>
    /// The place in the sequence, which determines the pixels, and the pixels themselves of every
    /// 100th image, since the renderer may change.
    /// </summary>
    protected internal override void AppendContent(IncrementalHash hash, int index, Span<byte> pixels)
    {
        Span<byte> place = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(place, first + index);
        hash.AppendData(place);
        if ((first + index) % HashStride != 0) return;
        ReadImage(index, pixels);
        hash.AppendData(pixels);
    }

    private DemoShape ShapeOf(int index) => (DemoShape)((first + index) % Classes.Count);

    // Most are plain: a short training learns shapes before it learns patterns.
    private static DemoTexture TextureOf(float unit) =>
        unit < PlainShare ? DemoTexture.Plain : unit < (1 + PlainShare) / 2 ? DemoTexture.Bands : DemoTexture.Checks;

    private static float Uniform(uint word, float low, float high) => low + (high - low) * Philox.ToUnit(word);
}
