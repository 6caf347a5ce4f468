using GlowGpu.Kernels;
using GlowGpu.Kernels.Gpu;
using GlowGpu.Kernels.Gpu.TensorCore;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Gpu.TensorCore;

/// <summary>
/// Each product on tensor cores, as the PTX machine executes it, against a triple loop. The factors are whole numbers
/// small enough for every sum to be exact, whatever its order, so results must be equal to the last bit; outputs in
/// the format are the exact sums rounded once.
/// </summary>
[TestFixture(Precision.Bf16)]
[TestFixture(Precision.Tf32)]
[Category("PtxMachine")]
internal sealed class TensorGemmTests(Precision precision)
{
    private TensorGpu device = null!;

    /// <summary>
    /// One element, one tile of either size, ragged edges in every dimension, more slices than stages and fewer,
    /// several tiles.
    /// </summary>
    private static readonly (int M, int N, int K)[] Shapes =
        [(1, 1, 1), (64, 64, 64), (5, 7, 3), (70, 66, 40), (130, 129, 72), (128, 128, 136),
            (33, 56, 200), (200, 136, 17)];

    private sealed record Product(int M, int N, int K, float[] A, float[] B, double[] Expected);

    [OneTimeSetUp]
    public void Open() => device = TensorGpu.Open(precision);

    [OneTimeTearDown]
    public void Close() => device.Dispose();

    [TestCaseSource(nameof(Shapes))]
    public void Multiplies((int M, int N, int K) shape)
    {
        Product p = Draw(shape, outer: false);
        int cols = Operand.Padded(p.N);
        View c = device.Upload(p.M, cols, new float[p.M * cols]);
        device.Multiply(p.M, p.N, p.K, Factor(p.M, p.K, p.A), Factor(Operand.Padded(p.N), p.K, p.B),
            device.Gpu.Matrix(c));
        AssertRows(c.ToArray(), p.Expected.Select(static e => (float)e), p, cols);
        Assert.That(TensorGpu.IsGuarded(c));
    }

    [TestCaseSource(nameof(Shapes))]
    public void AddsTheBiasCutsAtZeroAndRounds((int M, int N, int K) shape)
    {
        Product p = Draw(shape, outer: false);
        int cols = Operand.Padded(p.N);
        float[] bias = [.. device.Draw(1, p.N, 100), .. new float[cols - p.N]];
        (Operand target, View c) = device.Factor(p.M, p.N, new float[p.M * p.N]);
        device.MultiplyBiasRelu(p.M, p.N, p.K, Factor(p.M, p.K, p.A), Factor(Operand.Padded(p.N), p.K, p.B),
            device.Gpu.Matrix(device.Upload(1, cols, bias)), target);
        AssertRows(device.Elements(c),
            p.Expected.Select((e, i) => Rounding.Round(precision, Math.Max(e + bias[i % p.N], 0))), p, cols);
        Assert.That(TensorGpu.IsGuarded(c));
    }

    [TestCaseSource(nameof(Shapes))]
    public void MasksAndRounds((int M, int N, int K) shape)
    {
        Product p = Draw(shape, outer: false);
        float[] mask = device.Draw(p.M, p.N, 1);
        (Operand target, View c) = device.Factor(p.M, p.N, new float[p.M * p.N]);
        device.MultiplyMask(p.M, p.N, p.K, Factor(p.M, p.K, p.A), Factor(Operand.Padded(p.N), p.K, p.B),
            Factor(p.M, p.N, mask), target);
        AssertRows(device.Elements(c), p.Expected.Select((e, i) => mask[i] > 0 ? Rounding.Round(precision, e) : 0f),
            p, Operand.Padded(p.N));
        Assert.That(TensorGpu.IsGuarded(c));
    }

    [TestCase(1, 1, 1)]
    [TestCase(64, 64, 32)]
    [TestCase(63, 70, 50)]
    [TestCase(130, 129, 97)]
    [TestCase(136, 72, 700)]
    [TestCase(20, 60, 1300)]
    public void SlicesOverPixelsAddUpToTheProduct(int m, int n, int k)
    {
        Product p = Draw((m, n, k), outer: true);
        (Matrix slices, int count) = device.OuterSlices(m, n, k, Factor(k, m, p.A), Factor(k, n, p.B));
        TensorSliceSums sums = new(device.Gpu);
        View c = device.Upload(m, n, new float[m * n]), zero = device.Upload(1, n, new float[n]);
        sums.Scaled(slices, count, m, n, device.Gpu.Matrix(zero), device.Gpu.Matrix(c));
        Assert.That(count, k > 1024 ? Is.GreaterThan(1) : Is.GreaterThan(0));
        Assert.That(c.ToArray(), Is.EqualTo(p.Expected.Select(static e => (float)e)));
        Assert.That(TensorGpu.IsGuarded(c));
    }

    [Test]
    public void ARowDoesNotDependOnTheOthersNorOnTheTile()
    {
        // Real numbers, so that another order would show; 64 columns take the small tile, 192 the large one.
        const int M = 70, N = 192, K = 120;
        Random random = new(5);
        float[] a = [.. Enumerable.Range(0, M * K).Select(_ => Rounding.Round(precision, random.NextDouble() - 0.5))];
        float[] b = [.. Enumerable.Range(0, N * K).Select(_ => Rounding.Round(precision, random.NextDouble() - 0.5))];
        View all = device.Upload(M, N, new float[M * N]), part = device.Upload(1, 64, new float[64]);
        device.Multiply(M, N, K, Factor(M, K, a), Factor(N, K, b), device.Gpu.Matrix(all));
        device.Multiply(1, 64, K, Factor(1, K, a[^K..]), Factor(64, K, b[..(64 * K)]), device.Gpu.Matrix(part));
        Assert.That(part.ToArray(), Is.EqualTo(all.ToArray()[^N..][..64]));
    }

    [Test]
    public void NaNPassesThroughTheCut()
    {
        float[] a = new float[8];
        a[3] = float.NaN;
        (Operand target, View c) = device.Factor(1, 8, new float[8]);
        float[] b = new float[64];
        Array.Fill(b, 1f);
        device.MultiplyBiasRelu(1, 8, 8, Factor(1, 8, a), Factor(8, 8, b),
            device.Gpu.Matrix(device.Upload(1, 8, new float[8])), target);
        Assert.That(device.Elements(c), Is.All.NaN);
    }

    [Test]
    public void FactorsAreRoundedToNearestWhereTheyAreGathered()
    {
        float unit = (float)Rounding.Unit(precision);
        float[] values =
        [
            0, -0f, 1, 1 + unit, 1 + 3 * unit, -(1 + unit), -(1 + 3 * unit), 1 + 1.01f * unit, 1 + 0.99f * unit,
                (float)Math.PI, -1e-30f, 1e30f,
            float.PositiveInfinity, float.NegativeInfinity, 1e-40f, 0.1f,
        ];
        int count = values.Length;
        (Operand target, View view) = device.Factor(count, 9, new float[9 * count]);
        // Images of one pixel: the middle tap is the value, the others lie outside.
        device.Patches(new Pixels(count, 1, 1), 1, device.Gpu.Matrix(device.Upload(count, 1, values)), target);
        float[] got = device.Elements(view);
        float[] expected = new float[count * 16];
        for (int i = 0; i < count; i++) expected[i * 16 + 4] = Rounding.Round(precision, values[i]);
        Assert.That(got, Is.EqualTo(expected));
        device.Patches(new Pixels(1, 1, 1), 1, device.Gpu.Matrix(device.Upload(1, 1, [float.NaN])), target);
        Assert.That(device.Elements(view)[4], Is.NaN);
    }

    [TestCase(1, 1)]
    [TestCase(37, 20)]
    [TestCase(300, 70)]
    public void HiddenGradientsAreTheSumsOverPixels(int rows, int cols)
    {
        float[] g = device.Draw(rows, cols, 3), a = device.Draw(rows, cols, 3),
            logs = [.. device.Draw(1, cols, 1).Select(static v => v / 8)];
        View dBias = device.Upload(1, cols, new float[cols]), dLogs = device.Upload(1, cols, new float[cols]);
        device.HiddenGradients(rows, cols, Factor(rows, cols, g), Factor(rows, cols, a),
            device.Gpu.Matrix(device.Upload(1, cols, logs)),
            device.Gpu.Matrix(dBias), device.Gpu.Matrix(dLogs));
        double[] sums = new double[cols], products = new double[cols];
        for (int i = 0; i < g.Length; i++)
        {
            sums[i % cols] += g[i];
            products[i % cols] += g[i] * a[i];
        }
        EmulatedGpu.AssertClose("dBias", dBias.ToArray(), [.. sums.Select((s, c) => s * Math.Exp(3 * logs[c]))], 1e-6);
        Assert.That(dLogs.ToArray(), Is.EqualTo(products.Select(static p => (float)(3 * p))));
        Assert.That(TensorGpu.IsGuarded(dBias) && TensorGpu.IsGuarded(dLogs));
    }

    private Operand Factor(int rows, int cols, float[] values)
    {
        // Rows that fill a factor up are zeros.
        float[] all = new float[rows * cols];
        values.CopyTo(all, 0);
        return device.Factor(rows, cols, all).Operand;
    }

    private static void AssertRows(float[] got, IEnumerable<float> expected, Product p, int cols)
    {
        float[] rows = [.. expected];
        float[] padded = new float[p.M * cols];
        for (int i = 0; i < rows.Length; i++) padded[i / p.N * cols + i % p.N] = rows[i];
        Assert.That(got, Is.EqualTo(padded));
    }

    private Product Draw((int M, int N, int K) shape, bool outer)
    {
        (int m, int n, int k) = shape;
        float[] a = device.Draw(m, k, 4), b = device.Draw(n, k, 4);
        double[] expected = new double[m * n];
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++)
                for (int d = 0; d < k; d++)
                    expected[i * n + j] += outer ? (double)a[d * m + i] * b[d * n + j]
                        : (double)a[i * k + d] * b[j * k + d];
        return new Product(m, n, k, a, b, expected);
    }
}
