using System.Buffers.Binary;
using GlowGpu.Model.Data;
using GlowGpu.Tests.Engine;
using NUnit.Framework;
using SkiaSharp;

namespace GlowGpu.Tests.Model.Data;

public sealed class ImageFileTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void Begin() => folder = new TemporaryFolder();

    [TearDown]
    public void End() => folder.Dispose();

    [Test]
    public void A_png_gives_back_the_rgb_that_was_written()
    {
        byte[] pixels = Pictures.Ramp(5 * 9 * 3, step: 11);
        ImageFile.WritePng(folder.File("deep/a.png"), pixels, 5, 9, 3);
        (byte[] read, int height, int width) = ImageFile.Read(folder.File("deep/a.png"), null);
        Assert.That((height, width), Is.EqualTo((5, 9)));
        Assert.That(read, Is.EqualTo(pixels));
        Assert.That(Directory.GetFiles(folder.File("deep")), Has.Length.EqualTo(1), "no temporary file stays");
    }

    [Test]
    public void A_grey_png_is_stored_as_grey_and_read_as_rgb()
    {
        byte[] grey = Pictures.Ramp(7 * 3);
        ImageFile.WritePng(folder.File("g.png"), grey, 7, 3, 1);
        using (SKCodec codec = SKCodec.Create(folder.File("g.png"))) Assert.That(codec.Info.ColorType,
            Is.EqualTo(SKColorType.Gray8));
        Assert.That(ImageFile.Read(folder.File("g.png"), null).Pixels,
            Is.EqualTo(grey.SelectMany(g => new[] { g, g, g })));
    }

    [Test]
    public void A_grid_places_images_row_by_row_with_white_gaps()
    {
        // Three images of 2×3, two columns: gaps of one pixel, the fourth field stays white.
        byte[] images = Pictures.Ramp(3 * 2 * 3, step: 5, offset: 1);
        ImageFile.WriteGrid(folder.File("grid.png"), images, 3, 2, 3, 1, 2);
        (byte[] pixels, int height, int width) = ImageFile.Read(folder.File("grid.png"), null);
        Assert.That((height, width), Is.EqualTo((7, 9)));
        var expected = new byte[7 * 9];
        Array.Fill(expected, (byte)255);
        for (int i = 0; i < 3; i++)
        {
            for (int y = 0; y < 2; y++)
            {
                for (int x = 0; x < 3; x++) expected[(1 + i / 2 * 3 + y) * 9 + 1 + i % 2 * 4
                    + x] = images[(i * 2 + y) * 3 + x];
            }
        }
        Assert.That(pixels.Where((_, i) => i % 3 == 0), Is.EqualTo(expected));
    }

    [Test]
    public void A_grid_of_fewer_images_than_columns_is_as_wide_as_they_are()
    {
        ImageFile.WriteGrid(folder.File("grid.png"), Pictures.Ramp(2 * 32 * 32 * 3), 2, 32, 32, 3, 8);
        Assert.That(ImageFile.ReadSize(folder.File("grid.png")), Is.EqualTo((36, 70)));
    }

    [Test]
    public void Transparency_is_laid_over_white()
    {
        byte[] rgba = [10, 20, 30, 0, 200, 100, 0, 255, 0, 100, 200, 128, 255, 255, 255, 77];
        File.WriteAllBytes(folder.File("a.png"), Pictures.Encode(rgba, 2, 2, SKEncodedImageFormat.Png));
        // 128/255 of (0, 100, 200) and 127/255 of white: 127, 177.2, 227.4.
        Assert.That(ImageFile.Read(folder.File("a.png"), null).Pixels,
            Is.EqualTo(new byte[] { 255, 255, 255, 200, 100, 0, 127, 177, 227, 255, 255, 255 }));
    }

    // Stored corners A B / C D; the EXIF standard says where row 0 and column 0 belong for each value.
    [TestCase(1, "AB/CD")]
    [TestCase(2, "BA/DC")]
    [TestCase(3, "DC/BA")]
    [TestCase(4, "CD/AB")]
    [TestCase(5, "AC/BD")]
    [TestCase(6, "CA/DB")]
    [TestCase(7, "DB/CA")]
    [TestCase(8, "BD/AC")]
    public void A_jpeg_is_turned_upright(byte orientation, string corners)
    {
        byte[] stored = Pictures.Quadrants(16, 32, 30, 90, 150, 210);
        byte[] jpeg = Pictures.Encode(Pictures.Opaque(stored), 16, 32, SKEncodedImageFormat.Jpeg);
        string path = folder.File("a.jpg");
        File.WriteAllBytes(path, Pictures.WithOrientation(jpeg, orientation));
        (byte[] pixels, int height, int width) = ImageFile.Read(path, null);
        Assert.That((height, width), Is.EqualTo(orientation < 5 ? (16, 32) : (32, 16)));
        Assert.That(ImageFile.ReadSize(path), Is.EqualTo((height, width)));
        char At(int y, int x) => "ABCD"[(int)Math.Round((pixels[(y * width + x) * 3] - 30) / 60.0)];
        Assert.That($"{At(2, 2)}{At(2, width - 3)}/{At(height - 3, 2)}{At(height - 3, width - 3)}",
            Is.EqualTo(corners));
    }

    [TestCase(SKEncodedImageFormat.Webp, "a.webp")]
    [TestCase(SKEncodedImageFormat.Jpeg, "a.jpeg")]
    public void Other_formats_come_close_to_what_was_encoded(SKEncodedImageFormat format, string name)
    {
        byte[] pixels = Pictures.Quadrants(32, 32, 40, 200, 120, 80);
        File.WriteAllBytes(folder.File(name), Pictures.Encode(Pictures.Opaque(pixels), 32, 32, format));
        byte[] read = ImageFile.Read(folder.File(name), null).Pixels;
        Assert.That(read.Zip(pixels, (a, b) => Math.Abs(a - b)).Max(), Is.LessThanOrEqualTo(4));
    }

    [Test]
    public void The_middle_square_is_taken()
    {
        // 4 high, 9 wide: columns 2 to 5 of 0 to 8.
        byte[] pixels = Pictures.Ramp(4 * 9 * 3);
        ImageFile.WritePng(folder.File("wide.png"), pixels, 4, 9, 3);
        byte[] expected = Enumerable.Range(0, 4).SelectMany(y => pixels.AsSpan((y * 9 + 2) * 3, 12).ToArray())
            .ToArray();
        Assert.That(ImageFile.Read(folder.File("wide.png"), 4), Is.EqualTo((expected, 4, 4)));
    }

    [Test]
    public void Broken_files_give_one_sentence()
    {
        string missing = folder.File("missing.png"), empty = folder.File("empty.png"), text = folder.File("text.png"),
            gif = folder.File("gif.png");
        File.WriteAllBytes(empty, []);
        File.WriteAllText(text, "not an image at all, but long enough to look for a header in it");
        File.WriteAllBytes(gif,
            Convert.FromHexString(
            "47494638396101000100800000FFFFFF00000021F90401000000002C00000000010001000002024401003B"));
        Sentence.Of($"{missing}: there is no such file", () => ImageFile.Read(missing, null));
        Sentence.Of($"{empty}: not a readable PNG, JPEG or WebP image", () => ImageFile.Read(empty, null));
        Sentence.Of($"{text}: not a readable PNG, JPEG or WebP image", () => ImageFile.Read(text, null));
        Sentence.Of($"{gif}: not a readable PNG, JPEG or WebP image", () => ImageFile.Read(gif, null));
    }

    [TestCase(SKEncodedImageFormat.Png)]
    [TestCase(SKEncodedImageFormat.Jpeg)]
    [TestCase(SKEncodedImageFormat.Webp)]
    public void A_truncated_image_is_refused(SKEncodedImageFormat format)
    {
        byte[] whole = Pictures.Encode(Pictures.Opaque(Pictures.Ramp(64 * 64 * 3, step: 113)), 64, 64, format);
        string path = folder.File("cut.png");
        File.WriteAllBytes(path, whole[..(whole.Length / 2)]);
        Sentence.Of($"{path}: the image is truncated or damaged; it must be copied or downloaded again",
            () => ImageFile.Read(path, null));
    }

    [Test]
    public void A_header_that_claims_a_huge_image_allocates_nothing()
    {
        string path = Pictures.WritePng(folder.File("huge.png"), 4, 4);
        byte[] png = File.ReadAllBytes(path);
        BinaryPrimitives.WriteUInt32BigEndian(png.AsSpan(16), 60_000);
        BinaryPrimitives.WriteUInt32BigEndian(png.AsSpan(20), 50_000);
        BinaryPrimitives.WriteUInt32BigEndian(png.AsSpan(29), Crc(png.AsSpan(12, 17)));
        File.WriteAllBytes(path, png);
        Sentence.Of($"{path}: 50000×60000 pixels are more than an image may have here (134217728)",
            () => ImageFile.Read(path, 32));
    }

    [Test]
    public void What_cannot_be_written_says_why()
    {
        Sentence.Of("images of 4 channels cannot be written as PNG; 1 (grey) or 3 (RGB) can",
            () => ImageFile.WritePng(folder.File("a.png"), new byte[16], 2, 2, 4));
        File.WriteAllText(folder.File("file"), "");
        string path = folder.File("file/a.png");
        Assert.That(() => ImageFile.WritePng(path, new byte[12], 2, 2, 3),
            Throws.TypeOf<GlowGpu.Engine.GlowException>().With.Message.StartsWith($"{path}: cannot be written ("));
    }

    // The checksum of PNG chunks.
    private static uint Crc(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte b in bytes)
        {
            crc ^= b;
            for (int k = 0; k < 8; k++) crc = (crc >> 1) ^ ((crc & 1) * 0xEDB88320);
        }
        return ~crc;
    }
}
