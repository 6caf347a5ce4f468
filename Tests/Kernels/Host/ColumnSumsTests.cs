using GlowGpu.Kernels.Host;
using GlowGpu.Tests.Checks;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Host;

/// <summary>Sums over blocks of sixteen pixels, bit for bit those of a loop in ascending order.</summary>
public sealed unsafe class ColumnSumsTests
{
    private const int Row = 40;

    [TestCase(1)]
    [TestCase(15)]
    [TestCase(16)]
    [TestCase(63)]
    [TestCase(64)]
    [TestCase(150)]
    public void SumAndDotAddUpEveryBlock(int pixels)
    {
        Draw draw = new(pixels);
        float[] x = draw.Normal(pixels * Panels.Width), y = draw.Normal(pixels * Panels.Width);
        int blocks = ColumnSums.Blocks(pixels);
        float[] got = new float[blocks * Row], expected = new float[blocks * Row];
        for (int p = 0; p < pixels; p++)
            for (int c = 0; c < Panels.Width; c++)
            {
                int to = p / ColumnSums.Block * Row + c, from = p * Panels.Width + c;
                float product = x[from] * y[from];
                expected[to] += x[from];
                expected[to + Panels.Width] += product;
            }
        fixed (float* a = x, b = y, sums = got) ColumnSums.SumAndDot(a, b, pixels, sums, sums + Panels.Width, Row);
        Assert.That(got, Is.EqualTo(expected));
    }
}
