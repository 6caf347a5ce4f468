using GlowGpu.Model.Data;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Data;

public sealed class ImageResizeTests
{
    private static byte[] Draw(int height, int width, Func<int, int, double> value)
    {
        var pixels = new byte[height * width * 3];
        for (int i = 0; i < height * width; i++) pixels.AsSpan(3 * i,
            3).Fill((byte)Math.Clamp(Math.Round(value(i / width, i % width)), 0, 255));
        return pixels;
    }

    [TestCase(256, 32)]
    [TestCase(100, 32)]
    [TestCase(75, 64)]
    [TestCase(20, 32)]
    public void A_constant_image_stays_constant(int from, int to)
    {
        byte[] resized = ImageResize.CropAndResize(Draw(from, from, (_, _) => 173), from, from, to);
        Assert.That(resized, Has.Length.EqualTo(to * to * 3).And.All.EqualTo((byte)173));
    }

    [TestCase(256, 32)]
    [TestCase(96, 32)]
    [TestCase(16, 32)]
    public void A_ramp_stays_a_ramp(int from, int to)
    {
        byte[] resized = ImageResize.CropAndResize(Draw(from, from, (_, x) => 20 + 200.0 * x / from), from, from, to);
        // Away from the edges, where the kernel is cut off.
        for (int x = 3; x < to - 3; x++)
            Assert.That(resized[(to / 2 * to + x) * 3], Is.EqualTo(20 + 200.0 * ((x + 0.5) * from / to - 0.5) / from)
                .Within(1.01), $"column {x}");
    }

    // A pattern finer than the small image can show must vanish into its mean, not come back as a coarse one.
    [TestCase(256, 32, 2.0)]
    [TestCase(256, 32, 3.1)]
    [TestCase(256, 32, 5.3)]
    [TestCase(256, 32, 7.0)]
    [TestCase(200, 64, 2.3)]
    public void Detail_that_is_too_fine_does_not_alias(int from, int to, double period)
    {
        byte[] resized = ImageResize.CropAndResize(Draw(from, from,
            (y, x) => 127.5 + 120 * Math.Cos(2 * Math.PI * (x + 0.5 * y) / period)), from, from, to);
        int worst = 0;
        for (int y = 2; y < to - 2; y++)
        {
            for (int x = 2; x < to - 2; x++) worst = Math.Max(worst, Math.Abs(resized[(y * to + x) * 3] - 127));
        }
        Assert.That(worst, Is.LessThanOrEqualTo(6), "of an amplitude of 120");
    }

    [Test]
    public void Detail_that_fits_is_kept()
    {
        byte[] resized = ImageResize.CropAndResize(Draw(256, 256,
            (_, x) => 127.5 + 100 * Math.Cos(2 * Math.PI * x / 64)), 256, 256, 32);
        int[] row = Enumerable.Range(0, 32).Select(x => (int)resized[(16 * 32 + x) * 3]).ToArray();
        Assert.That(row.Max() - row.Min(), Is.GreaterThan(185), "of 200");
    }

    [Test]
    public void Mean_brightness_is_kept()
    {
        var random = new Random(3);
        byte[] noise = Draw(160, 160, (_, _) => random.Next(60, 200));
        byte[] resized = ImageResize.CropAndResize(noise, 160, 160, 40);
        Assert.That(resized.Average(b => (double)b), Is.EqualTo(noise.Average(b => (double)b)).Within(0.5));
    }

    [Test]
    public void Rows_and_columns_are_treated_alike()
    {
        byte[] a = Draw(50, 50, (y, x) => (3 * x * x + 5 * y) % 256),
            transposed = Draw(50, 50, (y, x) => (3 * y * y + 5 * x) % 256);
        byte[] small = ImageResize.CropAndResize(a, 50, 50, 16),
            other = ImageResize.CropAndResize(transposed, 50, 50, 16);
        for (int y = 0; y < 16; y++)
        {
            for (int x = 0; x < 16; x++) Assert.That(small[(y * 16 + x) * 3],
                Is.EqualTo(other[(x * 16 + y) * 3]).Within(1));
        }
    }
}
