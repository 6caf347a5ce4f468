using GlowGpu.Kernels;
using GlowGpu.Kernels.Gpu;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Gpu;

/// <summary>Each product against a triple loop in double, in groups of 4, 16, 64 and 256 threads.</summary>
[TestFixture(4)]
[TestFixture(16)]
[TestFixture(64)]
[TestFixture(256)]
internal sealed class GpuGemmTests(int groupSize)
{
    private EmulatedGpu emulator = null!;

    /// <summary>
    /// One element, odd tails in every dimension, whole tiles, one past a tile, an inner dimension of one.
    /// </summary>
    private static readonly (int M, int N, int K)[] Shapes = [(1, 1, 1), (5, 7, 3), (8, 8, 4), (9, 17, 5),
        (33, 6, 1), (3, 34, 19)];

    private sealed record Product(int M, int N, int K, View A, View B, double[] Expected);

    [OneTimeSetUp]
    public void Open() => emulator = new EmulatedGpu(groupSize);

    [OneTimeTearDown]
    public void Close() => emulator.Dispose();

    [TestCaseSource(nameof(Shapes))]
    public void Multiplies((int M, int N, int K) shape)
    {
        Product p = Draw(shape, transposeA: false, transposeB: false);
        View c = emulator.Zeros(p.M, p.N);
        emulator.Gpu.Gemm.Multiply(p.M, p.N, p.K, Matrix(p.A), Matrix(p.B), Matrix(c));
        EmulatedGpu.AssertClose("c", c.ToArray(), p.Expected, Relative(p));
    }

    [TestCaseSource(nameof(Shapes))]
    public void AddsTheBiasAndCutsAtZero((int M, int N, int K) shape)
    {
        Product p = Draw(shape, transposeA: false, transposeB: false);
        (View bias, float[] b) = emulator.Draw(1, p.N);
        View plain = emulator.Zeros(p.M, p.N), cut = emulator.Zeros(p.M, p.N);
        emulator.Gpu.Gemm.MultiplyBias(p.M, p.N, p.K, Matrix(p.A), Matrix(p.B), Matrix(bias), Matrix(plain));
        emulator.Gpu.Gemm.MultiplyBiasRelu(p.M, p.N, p.K, Matrix(p.A), Matrix(p.B), Matrix(bias), Matrix(cut));
        double[] expected = [.. p.Expected.Select((value, i) => value + b[i % p.N])];
        EmulatedGpu.AssertClose("c", plain.ToArray(), expected, Relative(p));
        float[] sums = plain.ToArray();
        Assert.That(cut.ToArray(), Is.EqualTo(sums.Select(static s => Math.Max(s, 0f))));
    }

    [TestCaseSource(nameof(Shapes))]
    public void MultipliesByATransposedFactor((int M, int N, int K) shape)
    {
        Product p = Draw(shape, transposeA: false, transposeB: true);
        (View mask, float[] m) = emulator.Draw(p.M, p.N);
        (View sum, float[] before) = emulator.Draw(p.M, p.N);
        View c = emulator.Zeros(p.M, p.N), masked = emulator.Zeros(p.M, p.N);
        emulator.Gpu.Gemm.MultiplyTransposed(p.M, p.N, p.K, Matrix(p.A), Matrix(p.B), Matrix(c));
        emulator.Gpu.Gemm.MultiplyTransposedMask(p.M, p.N, p.K, Matrix(p.A), Matrix(p.B), Matrix(mask), Matrix(masked));
        emulator.Gpu.Gemm.AddMultiplyTransposed(p.M, p.N, p.K, Matrix(p.A), Matrix(p.B), Matrix(sum));
        EmulatedGpu.AssertClose("c", c.ToArray(), p.Expected, Relative(p));
        EmulatedGpu.AssertClose("masked", masked.ToArray(), [.. p.Expected.Select((e, i) => m[i] > 0 ? e : 0)],
            Relative(p));
        EmulatedGpu.AssertClose("sum", sum.ToArray(), [.. p.Expected.Select((e, i) => e + before[i])], 2 * Relative(p));
    }

    [TestCase(1, 1, 1)]
    [TestCase(5, 7, 3)]
    [TestCase(9, 6, 300)]
    public void SlicesOfATransposedFactorAddUpToTheProduct(int m, int n, int k)
    {
        Product p = Draw((m, n, k), transposeA: true, transposeB: false);
        (Matrix slices, int count) = emulator.Gpu.Gemm.TransposedSlices(m, n, k, Matrix(p.A), Matrix(p.B));
        View c = emulator.Zeros(m, n);
        emulator.Gpu.Columns.Slices(slices, count, m, n, Matrix(c));
        EmulatedGpu.AssertClose("c", c.ToArray(), p.Expected, Relative(p));
    }

    [Test]
    public void ReadsAndWritesWindowsOfWiderMatrices()
    {
        (View wideA, float[] a) = emulator.Draw(5, 9);
        (View wideB, float[] b) = emulator.Draw(3, 11);
        (View wideC, float[] before) = emulator.Draw(5, 12);
        emulator.Gpu.Gemm.Multiply(5, 6, 3,
            Matrix(wideA.Columns(4, 3)), Matrix(wideB.Columns(2, 6)), Matrix(wideC.Columns(3, 6)));
        double[] expected = [.. before.Select(static v => (double)v)];
        for (int i = 0; i < 5; i++)
            for (int j = 0; j < 6; j++)
                expected[i * 12 + 3 + j] = Enumerable.Range(0,
                    3).Sum(k => (double)a[i * 9 + 4 + k] * b[k * 11 + 2 + j]);
        EmulatedGpu.AssertClose("c", wideC.ToArray(), expected, 1e-6);
    }

    [Test]
    public void ARowDoesNotDependOnTheOthers()
    {
        const int M = 37, N = 5, K = 23;
        (View a, _) = emulator.Draw(M, K);
        (View b, _) = emulator.Draw(K, N);
        View all = emulator.Zeros(M, N), last = emulator.Zeros(1, N);
        emulator.Gpu.Gemm.Multiply(M, N, K, Matrix(a), Matrix(b), Matrix(all));
        View row = a with { Offset = (M - 1) * K, Rows = 1 };
        emulator.Gpu.Gemm.Multiply(1, N, K, Matrix(row), Matrix(b), Matrix(last));
        Assert.That(last.ToArray(), Is.EqualTo(all.ToArray()[^N..]));
    }

    [Test]
    public void NaNPassesThroughTheCut()
    {
        View a = emulator.Upload(1, 1, [float.NaN]), b = emulator.Upload(1, 1, [1]), bias = emulator.Zeros(1, 1);
        View c = emulator.Zeros(1, 1);
        emulator.Gpu.Gemm.MultiplyBiasRelu(1, 1, 1, Matrix(a), Matrix(b), Matrix(bias), Matrix(c));
        Assert.That(c.ToArray()[0], Is.NaN);
    }

    [Test]
    public void WhatLiesBeyondTheInnerDimensionDoesNotCount()
    {
        // The factors are windows whose neighbours are NaN: a load past the end must not reach the sum.
        float[] poisoned = [1, 2, 3, float.NaN, 4, 5, 6, float.NaN];
        View a = emulator.Upload(2, 4, poisoned).Columns(0, 3), b = emulator.Upload(2, 4, poisoned).Columns(0, 3);
        View c = emulator.Zeros(2, 2);
        emulator.Gpu.Gemm.MultiplyTransposed(2, 2, 3, Matrix(a), Matrix(b), Matrix(c));
        Assert.That(c.ToArray(), Is.EqualTo(new float[] { 14, 32, 32, 77 }));
    }

    private Matrix Matrix(View view) => emulator.Gpu.Matrix(view);

    private static double Relative(Product p) => (p.K + 2) * 1.2e-7;

    private Product Draw((int M, int N, int K) shape, bool transposeA, bool transposeB)
    {
        (int m, int n, int k) = shape;
        (View a, float[] av) = transposeA ? emulator.Draw(k, m) : emulator.Draw(m, k);
        (View b, float[] bv) = transposeB ? emulator.Draw(n, k) : emulator.Draw(k, n);
        double[] expected = new double[m * n];
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++)
                for (int q = 0; q < k; q++)
                    expected[i * n + j] += (double)av[transposeA ? q * m + i : i * k + q] * bv[transposeB ? j * k + q
                        : q * n + j];
        return new Product(m, n, k, a, b, expected);
    }
}
