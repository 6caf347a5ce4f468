using GlowGpu.Kernels;
using GlowGpu.Kernels.Gpu;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Gpu;

/// <summary>
/// Streaming kernels move 1, 2 or 4 floats at once, as the operands' places in memory allow, with the same results.
/// </summary>
[TestFixture]
internal sealed class VectorsTests
{
    private EmulatedGpu emulator = null!;

    [OneTimeSetUp]
    public void Open() => emulator = new EmulatedGpu();

    [OneTimeTearDown]
    public void Close() => emulator.Dispose();

    [TestCase(0, 12, 12, 4)]
    [TestCase(4, 8, 12, 4)]
    [TestCase(6, 6, 12, 2, Description = "z2 of 12 channels")]
    [TestCase(0, 6, 12, 2)]
    [TestCase(2, 8, 12, 2)]
    [TestCase(0, 8, 10, 2)]
    [TestCase(1, 8, 12, 1)]
    [TestCase(0, 7, 8, 1)]
    [TestCase(0, 8, 9, 1)]
    public void TheWidthIsTheLargestThatRowsAndPlaceDivideBy(int offset, int cols, int stride, int width)
    {
        View place = new(emulator.Zeros(4, 16).Buffer, offset, 3, cols, stride),
            whole = new(place.Buffer, 0, 3, 16, 16);
        Assert.Multiple(() =>
        {
            Assert.That(Vectors.WidthOf([place]), Is.EqualTo(width));
            Assert.That(Vectors.WidthOf([whole, place, View.None]), Is.EqualTo(width), "beside others");
        });
    }

    [Test]
    public void ADistanceBetweenRowsMattersOnlyWhereThereAreSome()
    {
        IBuffer buffer = emulator.Zeros(4, 16).Buffer;
        Assert.That(Vectors.WidthOf([new View(buffer, 0, 1, 8, 9)]), Is.EqualTo(4));
    }

    [Test]
    public void PairsNeedAWholeVectorAtEachWidth()
    {
        IBuffer buffer = emulator.Zeros(4, 24).Buffer;
        View half = new(buffer, 6, 3, 6, 12);
        Assert.Multiple(() =>
        {
            Assert.That(Vectors.WidthOf([half], [new View(buffer, 0, 3, 12, 12)]), Is.EqualTo(2));
            Assert.That(Vectors.WidthOf([half], [new View(buffer, 2, 3, 12, 12)]), Is.EqualTo(1));
        });
    }

    [Test]
    public void DivisorsDivideEveryDividend()
    {
        int[] divisors = [1, 2, 3, 5, 6, 7, 12, 13, 63, 64, 65, 97, 255, 384, 1000, 65535, 65536, 65537,
            (1 << 30) - 1, 1 << 30, (1 << 30) + 1, int.MaxValue];
        foreach (int d in divisors)
        {
            Divisor divisor = new(d);
            for (long multiple = 0; multiple <= int.MaxValue;
                multiple += Math.Max(d, (int.MaxValue / d / 5000 + 1L) * d))
                for (long n = Math.Max(0, multiple - 1); n <= Math.Min(int.MaxValue, multiple + 1); n++)
                    if (divisor.Divide((int)n) != n / d) Assert.Fail($"{n} / {d}: {divisor.Divide((int)n)}");
            Assert.That(divisor.Divide(int.MaxValue), Is.EqualTo(int.MaxValue / d), $"{int.MaxValue} / {d}");
        }
        Assert.That(() => new Divisor(0), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    // Places that allow 4, 2 and 1 floats at once.
    [Test]
    public void EveryWidthGivesTheSameBits()
    {
        Pixels pixels = new(2, 4, 2);
        int p = pixels.Count, c = 8;
        float[] z = Values(p * c), h = Values(2 * p * c), d = Values(p * c);
        string[] expected = Bits(At(0));
        Assert.Multiple(() =>
        {
            Assert.That(Bits(At(2)), Is.EqualTo(expected), "two at once");
            Assert.That(Bits(At(1)), Is.EqualTo(expected), "one at once");
        });

        float[] At(int offset)
        {
            GpuBackend backend = emulator.Backend;
            View logdet = emulator.Zeros(1, pixels.N), none = View.None;
            View forward = Place(z, p, c, offset), inverse = Place(z, p, c, offset),
                net = Place(h, p, 2 * c, 4 * (offset & 1) + offset);
            backend.Couple.Forward(CouplingKind.Affine, pixels, forward, net, none);
            backend.Couple.Inverse(CouplingKind.Affine, pixels, inverse, net, logdet);
            View dz = Place(d, p, c, offset), dh = Place(h, p, 2 * c, offset);
            backend.Couple.Backward(CouplingKind.Affine, pixels, forward, net, dz, dh, 0.25f);
            View added = Place(z, p, c, offset), source = Place(d, p, c, offset), target = Place(z, p, c, offset);
            backend.Couple.Forward(CouplingKind.Additive, pixels, added, source, none);
            backend.Couple.Backward(CouplingKind.Additive, pixels, added, source, dz with { }, target, 0f);

            List<View> results = [forward, inverse, dz, dh, added, target];
            foreach (StatsLayout layout in Enum.GetValues<StatsLayout>())
            {
                View eps = Place(z, p, c, offset), back = Place(z, p, c, offset), dZ = Place(z, p, c, offset),
                    dStats = Place(h, p, 2 * c, offset);
                backend.GaussianScore.Forward(pixels, layout, forward, net, logdet, eps);
                backend.GaussianScore.Inverse(pixels, layout, eps, net, back);
                backend.GaussianScore.Backward(pixels, layout, forward, net, -0.5f, dZ, dStats);
                results.AddRange([eps, back, dZ, dStats]);
            }
            View squeezed = Place(z, p / 4, 4 * c, offset), unsqueezed = Place(z, p, c, offset);
            backend.Squeeze.Forward(pixels, forward, squeezed);
            backend.Squeeze.Inverse(pixels, squeezed, unsqueezed);
            View filled = Place(z, p, c, offset), copied = Place(z, p, c, offset);
            backend.Fill(filled, 3f);
            backend.Copy(forward, copied);
            View bytes = Place([.. z.Select(static v => MathF.Floor(MathF.Abs(v) * 200))], p, c, offset);
            View uniform = Place(z, p, c, offset), center = Place(z, p, c, offset);
            backend.Dequantize.Forward(bytes, 5, false, 7, 11, uniform);
            backend.Dequantize.Forward(bytes, 5, true, 7, 11, center);
            results.AddRange([squeezed, unsqueezed, filled, copied, uniform, center]);
            return [.. results.SelectMany(static v => v.ToArray())];
        }
    }

    /// <summary>A dense view that begins so many floats after the beginning of a buffer.</summary>
    private View Place(float[] values, int rows, int cols, int offset)
    {
        View view = new(emulator.Backend.Allocate(values.Length + offset), offset, rows, cols, cols);
        view.Write(values);
        return view;
    }

    private static float[] Values(int count)
    {
        Random random = new(count);
        return [.. Enumerable.Range(0, count).Select(_ => (float)(2 * random.NextDouble() - 1))];
    }

    private static string[] Bits(float[] values) =>
        [.. values.Select(static v => $"{BitConverter.SingleToInt32Bits(v):x8}")];
}
