using GlowGpu.Kernels.Host;
using GlowGpu.Tests.Checks;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Host;

/// <summary>
/// Matrix products at every vector width against sums in double. An element may be off by what n roundings of its own
/// terms can add up to, n·u·Σ|a·b|, the bound that holds for any order of summation; nothing beyond C may change.
/// </summary>
[TestFixture]
public sealed unsafe class HostGemmTests
{
    private const float Guard = -12345.5f;

    private static readonly int[] Heights = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 16, 23, 35];
    private static readonly int[] Widths = [1, 3, 4, 5, 6, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 40, 47,
        48, 49, 64, 65, 97, 108];
    private static readonly int[] Depths = [1, 2, 9, 15, 16, 17, 33, 63];

    private static IEnumerable<SimdLevel> Levels => Enum.GetValues<SimdLevel>();

    private static IEnumerable<TestCaseData> LevelsAndEpilogues =>
        from level in Levels from epilogue in Enum.GetNames<Epilogue>() select new TestCaseData(level, epilogue);

    [TestCaseSource(nameof(Levels))]
    public void AnyShapeOfPanelsTimesPanels(SimdLevel level)
    {
        SimdLevelTests.Require(level);
        HostGemm gemm = new(level);
        foreach (int m in Heights)
            foreach (int n in Widths)
                foreach (int k in Depths)
                    new Case(m, n, k, m + 3, Epilogue.Store, CLayout.Rows).Check(gemm);
    }

    [TestCaseSource(nameof(LevelsAndEpilogues))]
    public void EveryEpilogueInRowsAndInPanels(SimdLevel level, string epilogue)
    {
        SimdLevelTests.Require(level);
        HostGemm gemm = new(level);
        foreach (int m in Heights)
            foreach (int n in Widths)
                foreach (CLayout layout in Enum.GetValues<CLayout>())
                    new Case(m, n, 19, m, Enum.Parse<Epilogue>(epilogue), layout).Check(gemm);
    }

    [TestCaseSource(nameof(Levels))]
    public void RowsTimesPanels(SimdLevel level)
    {
        SimdLevelTests.Require(level);
        HostGemm gemm = new(level);
        foreach (int k in Depths) new Case(13, 21, k, 0, Epilogue.Store, CLayout.Rows).Check(gemm);
    }

    [TestCaseSource(nameof(Levels))]
    public void ReluLetsNotANumberThrough(SimdLevel level)
    {
        SimdLevelTests.Require(level);
        Case c = new(3, 20, 5, 3, Epilogue.BiasRelu, CLayout.Rows);
        c.Poison();
        float[] got = c.Run(new HostGemm(level));
        for (int n = 0; n < 20; n++) Assert.That(float.IsNaN(got[c.At(1, n)]), $"C[1,{n}]");
        Assert.That(float.IsFinite(got[c.At(0, 0)]) && float.IsFinite(got[c.At(2, 19)]));
    }

    [TestCaseSource(nameof(Levels))]
    public void TilesAndWorkersChangeNoBitOfAWeightGradient(SimdLevel level)
    {
        SimdLevelTests.Require(level);
        HostGemm gemm = new(level);
        foreach ((int pixels, int m,
            int n) in new[] { (100, 63, 33), (47, 5, 108), (200, 50, 97), (16, 16, 16), (1, 1, 1) })
        {
            float[] a = new Draw(m).Normal(pixels * m), b = new Draw(n).Normal(pixels * n);
            float[] expected = WeightGradient(gemm, a, b, pixels, m, n, pixels, 1, pixels);
            for (int i = 0; i < m; i++)
                for (int j = 0; j < n; j++)
                {
                    double sum = 0, bound = 0;
                    for (int p = 0; p < pixels; p++)
                    {
                        sum += (double)a[p * m + i] * b[p * n + j];
                        bound += Math.Abs((double)a[p * m + i] * b[p * n + j]);
                    }
                    Assert.That(expected[i * n + j], Is.EqualTo(sum).Within((pixels + 1) * Tolerance.Ulp * bound),
                        $"C[{i},{j}]");
                }
            foreach (int tileRows in new[] { 16, 32, 48 })
                foreach (int parts in new[] { 1, 2, 3, 7 })
                    foreach (int chunk in new[] { tileRows, 2 * tileRows, 1 << 20 })
                        Tolerance.SameBits(
                            $"{pixels} pixels in tiles of {tileRows}, {parts} workers, chunks of {chunk}: C",
                            WeightGradient(gemm, a, b, pixels, m, n, tileRows, parts, chunk), expected, m, n);
        }
    }

    [Test]
    public void VectorsThatTheProcessorLacksAreRefused()
    {
        SimdLevel[] missing = [.. Levels.Where(static l => !SimdLevels.IsSupported(l))];
        if (missing.Length == 0) Assert.Ignore("this processor has every level");
        foreach (SimdLevel level in missing)
            Assert.That(() => new HostGemm(level), Throws.InstanceOf<NotSupportedException>().With.Message.EqualTo(
                $"host: this processor cannot run {level} instructions; {SimdLevels.Best} is its widest level"));
    }

    /// <summary>
    /// AᵀB in rows, A and B cut into tiles of panels, chunk after chunk, each divided among so many workers.
    /// </summary>
    private static float[] WeightGradient(
        HostGemm gemm, float[] a, float[] b, int pixels, int m, int n, int tileRows, int parts, int chunk)
    {
        int tiles = (pixels + tileRows - 1) / tileRows;
        float[] aTiles = new float[tiles * Panels.Length(tileRows, m)],
            bTiles = new float[tiles * Panels.Length(tileRows, n)];
        float[] c = new float[m * n + 1];
        Array.Fill(c, Guard);
        fixed (float* fromA = a, fromB = b, toA = aTiles, toB = bTiles, target = c)
        {
            nint aTile = (nint)Panels.Length(tileRows, m), bTile = (nint)Panels.Length(tileRows, n),
                panel = tileRows * Panels.Width;
            for (int tile = 0; tile < tiles; tile++)
            {
                int first = tile * tileRows, rows = Math.Min(tileRows, pixels - first);
                Panels.Copy(fromA + first * m, m, rows, m, toA + tile * aTile, panel);
                Panels.Copy(fromB + first * n, n, rows, n, toB + tile * bTile, panel);
            }
            for (int first = 0; first < pixels; first += chunk)
            {
                TileProduct product = new()
                {
                    A = toA + first / tileRows * aTile,
                    ATile = aTile,
                    B = toB + first / tileRows * bTile,
                    BTile = bTile,
                    C = target,
                    CRow = n,
                    CPanel = Panels.Width,
                    M = m,
                    N = n,
                    TileRows = tileRows,
                };
                for (int part = 0; part < parts; part++)
                    product.Run(gemm, Math.Min(chunk, pixels - first), first == 0, part, parts);
            }
        }
        Assert.That(c[^1], Is.EqualTo(Guard), "beyond C");
        return c[..^1];
    }

    private enum CLayout
    {
        Rows,
        Panels,
    }

    /// <summary>One product on seeded data; aRows is the height of A's panels, 0 for A in rows.</summary>
    private sealed class Case
    {
        private readonly int m, n, k, aRows;
        private readonly Epilogue epilogue;
        private readonly CLayout layout;
        private readonly float[] a, b, before, operand;

        public Case(int m, int n, int k, int aRows, Epilogue epilogue, CLayout layout)
        {
            (this.m, this.n, this.k, this.aRows, this.epilogue, this.layout) = (m, n, k, aRows, epilogue, layout);
            Draw draw = new(m + 100 * n + 10000 * k);
            a = draw.Normal(aRows == 0 ? m * (k + 2) : (int)Panels.Length(aRows, k));
            b = draw.Normal((int)Panels.Length(k, n));
            operand = draw.Normal((int)Panels.Length(m, n));
            before = draw.Normal(layout == CLayout.Rows ? m * (n + 3) : (int)Panels.Length(m, n));
        }

        public int At(int row, int column) => layout == CLayout.Rows ? row * (n + 3) + column
            : InPanels(m, row, column);

        /// <summary>Makes row 1 of A not a number.</summary>
        public void Poison()
        {
            for (int i = 0; i < k; i++) a[A(1, i)] = float.NaN;
        }

        public float[] Run(HostGemm gemm)
        {
            float[] c = [.. before, Guard];
            fixed (float* pa = a, pb = b, pc = c, po = operand)
            {
                Product product = aRows == 0
                    ? Product.OfRows(pa, k + 2, m, k, pb, n)
                    : Product.OfPanels(pa, aRows * Panels.Width, m, k, pb, n);
                if (layout == CLayout.Rows) product.ToRows(pc, n + 3);
                else product.ToPanels(pc, m * Panels.Width);
                if (epilogue is Epilogue.Bias or Epilogue.BiasRelu) product.AddBias(po, epilogue == Epilogue.BiasRelu);
                else if (epilogue == Epilogue.Mask) product.Mask(po, m * Panels.Width);
                else product.Epilogue = epilogue;
                gemm.Multiply(ref product);
            }
            return c;
        }

        public void Check(HostGemm gemm)
        {
            float[] got = Run(gemm);
            bool[] isC = new bool[got.Length];
            for (int i = 0; i < m; i++)
                for (int j = 0; j < n; j++)
                {
                    isC[At(i, j)] = true;
                    (double expected, double bound) = Expected(i, j);
                    double error = Math.Abs(got[At(i, j)] - expected);
                    if (!(error <= (k + 2) * Tolerance.Ulp * bound))
                        Assert.Fail($"{m}×{n}×{k} {epilogue} {layout}: C[{i},{j}] is {got[At(i, j)]}, not {expected}");
                }
            for (int i = 0; i < got.Length; i++)
            {
                float untouched = i < before.Length ? before[i] : Guard;
                if (!isC[i] && got[i] != untouched)
                    Assert.Fail($"{m}×{n}×{k} {epilogue} {layout}: {got[i]} was written outside of C, at {i}");
            }
        }

        /// <summary>Element (row, column) and the size of its terms.</summary>
        private (double Value, double Terms) Expected(int row, int column)
        {
            double sum = 0, terms = 0;
            for (int i = 0; i < k; i++)
            {
                double term = (double)a[A(row, i)] * b[InPanels(k, i, column)];
                sum += term;
                terms += Math.Abs(term);
            }
            float gate = operand[InPanels(m, row, column)],
                bias = operand[column / Panels.Width * Panels.Width + column % Panels.Width];
            return epilogue switch
            {
                Epilogue.Accumulate => (sum + before[At(row, column)], terms + Math.Abs(before[At(row, column)])),
                Epilogue.Bias => (sum + bias, terms + Math.Abs(bias)),
                Epilogue.BiasRelu => (Math.Max(sum + bias, 0), terms + Math.Abs(bias)),
                Epilogue.Mask => (gate > 0 ? sum : 0, terms),
                _ => (sum, terms),
            };
        }

        private int A(int row, int i) => aRows == 0 ? row * (k + 2) + i : InPanels(aRows, row, i);

        private static int InPanels(int rows, int row, int column) =>
            column / Panels.Width * rows * Panels.Width + row * Panels.Width + column % Panels.Width;
    }
}
