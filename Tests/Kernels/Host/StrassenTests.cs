using GlowGpu.Kernels.Host;
using GlowGpu.Tests.Checks;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Host;

/// <summary>
/// Products in halves beside plain ones: equal to the last bit over whole numbers, and over others within what their
/// roundings can add up to.
/// </summary>
[TestFixture]
public sealed unsafe class StrassenTests
{
    private const int Width = 256, Rows = 48;

    private static IEnumerable<TestCaseData> Cases =>
        from level in Enum.GetValues<SimdLevel>()
        from whole in new[] { true, false }
        select new TestCaseData(level,
            whole);

    [TestCase(512, true)]
    [TestCase(256, true)]
    [TestCase(128, false)]
    [TestCase(272, false)]
    [TestCase(500, false)]
    public void PaysForWideEvenNetworks(int width, bool pays) => Assert.That(Strassen.Pays(width), Is.EqualTo(pays));

    [TestCase(7, nameof(Epilogue.BiasRelu))]
    [TestCase(8, nameof(Epilogue.Store))]
    public void WhatCannotBeHalvedIsRefused(int rows, string epilogue)
    {
        HostGemm gemm = new(SimdLevels.Best);
        Assert.That(() => Strassen.Multiply(gemm,
            new Product { M = rows, N = Width, Epilogue = Enum.Parse<Epilogue>(epilogue) }, null, null),
            Throws.ArgumentException.With.Message.Contains($"{rows} rows that end in {epilogue}"));
    }

    [TestCase(true)]
    [TestCase(false)]
    public void PackingPastTheCachesWritesTheSame(bool scaled)
    {
        float[] source = new Draw(1).Normal(Width * Width), scale = new Draw(2).Normal(Width);
        using HostBuffer plain = new(Strassen.PackedLength(Width)), streamed = new(Strassen.PackedLength(Width));
        fixed (float* from = source, s = scale)
        {
            Strassen.Pack(from, Width, Panels.Width, Width / 2, scaled ? s : null, Width, 0, Width / 2, 0,
                Width / 2 / Panels.Width, plain.Pointer);
            Strassen.Pack(from, Width, Panels.Width, Width / 2, scaled ? s : null, Width, 0, Width / 2, 0,
                Width / 2 / Panels.Width, streamed.Pointer, streaming: true);
        }
        float[] expected = new float[plain.Length], got = new float[streamed.Length];
        plain.Read(0, expected);
        streamed.Read(0, got);
        Assert.That(expected, Has.Some.Not.Zero);
        Assert.That(got, Is.EqualTo(expected));
    }

    [TestCaseSource(nameof(Cases))]
    public void ForwardEndsInBiasAndRelu(SimdLevel level, bool whole) => CheckProduct(level, whole, masked: false);

    [TestCaseSource(nameof(Cases))]
    public void BackwardEndsInTheMask(SimdLevel level, bool whole) => CheckProduct(level, whole, masked: true);

    private static void CheckProduct(SimdLevel level, bool whole, bool masked)
    {
        SimdLevelTests.Require(level);
        HostGemm gemm = new(level);
        const int Height = 38;
        float[] a = Draw(1, Rows * Width, whole), w = Draw(2, Width * Width, whole),
            gate = Draw(3, Rows * Width, whole), bias = Draw(4, Width, whole);
        float[] c = new float[Rows * Width], packed = new float[Strassen.PackedLength(Width)];
        float[] scratch = new float[Strassen.ScratchLength(Width, Rows * Panels.Width)];
        Array.Fill(c, 77f);
        Array.Fill(packed, float.NaN);
        Array.Fill(scratch, float.NaN);
        fixed (float* x = a, y = w, z = gate, b = bias, to = c, p = packed, s = scratch)
        {
            // W in panels: [n / 16, k, n % 16].
            const int Half = Width / 2, PanelLength = Width * Panels.Width, Count = Half / Panels.Width;
            for (int panel = 0; panel < Count; panel += 2)
                Strassen.Pack(y + panel * PanelLength, Panels.Width, PanelLength, Count * PanelLength, null, Width, 0,
                    Half, panel, 2, p);
            Product product = Product.OfPanels(x, Rows * Panels.Width, Height, Width, null, Width);
            product.ToPanels(to, Rows * Panels.Width);
            if (masked) product.Mask(z, Rows * Panels.Width);
            else product.AddBias(b, relu: true);
            Strassen.Multiply(gemm, product, p, s);
        }
        for (int m = 0; m < Rows; m++)
            for (int n = 0; n < Width; n++)
            {
                double sum = masked ? 0 : bias[n];
                for (int k = 0; k < Width; k++) sum += (double)a[Tile(m, k)]
                    * w[n / Panels.Width * Width * Panels.Width + k * Panels.Width + n % Panels.Width];
                if (masked ? gate[Tile(m, n)] <= 0 : sum < 0) sum = 0;
                if (m >= Height) Assert.That(c[Tile(m, n)], Is.EqualTo(77f), "rows beyond the product");
                else Compare(c[Tile(m, n)], sum, Width, whole, $"[{m},{n}]");
            }
    }

    /// <summary>
    /// Higham (2002), section 23.2.2: one level of Winograd's form is off by at most (18·(m² + 6·m) −
    /// 12·m)·u·max|A|·max|B| with m half of the terms. That is for the worst of all signs; over draws, which lie
    /// within ±5, errors cancel, and a thousandth of it still holds.
    /// </summary>
    private static void Compare(float got, double expected, int terms, bool whole, string where)
    {
        if (whole) Assert.That(got, Is.EqualTo((float)expected), where);
        else
        {
            double half = terms / 2.0;
            Assert.That(got, Is.EqualTo(expected).Within(1e-3 * (18 * (half * half + 6 * half) - 12 * half) * 25
                * Tolerance.Ulp), where);
        }
    }

    private static int Tile(int row, int channel) => channel / Panels.Width * Rows * Panels.Width + row * Panels.Width
        + channel % Panels.Width;

    private static float[] Draw(int seed, int count, bool whole)
    {
        float[] x = new Draw(seed).Normal(count);
        return whole ? [.. x.Select(static v => (float)Math.Round(3 * v))]
            : [.. x.Select(static v => Math.Clamp(v, -5, 5))];
    }
}
