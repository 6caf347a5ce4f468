using GlowGpu.Kernels;
using GlowGpu.Kernels.Gpu;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Gpu;

/// <summary>Column sums and per-image sums against loops in double.</summary>
[TestFixture(4)]
[TestFixture(16)]
internal sealed class GpuReduceTests(int groupSize)
{
    private EmulatedGpu emulator = null!;

    [OneTimeSetUp]
    public void Open() => emulator = new EmulatedGpu(groupSize);

    [OneTimeTearDown]
    public void Close() => emulator.Dispose();

    [TestCase(1, 1)]
    [TestCase(3, 5)]
    [TestCase(130, 2)]
    [TestCase(65, 33)]
    public void SumsColumns(int rows, int cols)
    {
        (View x, float[] xv) = emulator.Draw(rows, cols);
        (View y, float[] yv) = emulator.Draw(rows, cols);
        (View logs, float[] lv) = emulator.Draw(1, cols, 0.3);
        View sums = emulator.Zeros(1, cols), products = emulator.Zeros(1, cols), scaled = emulator.Zeros(1, cols);
        ColumnSums columns = emulator.Gpu.Columns;
        columns.Times(Matrix(x), rows, cols, -2f, Matrix(sums));
        columns.TimesProducts(Matrix(x), Matrix(y), rows, cols, 3f, Matrix(products));
        columns.Scaled(Matrix(x), rows, cols, Matrix(logs), Matrix(scaled));
        double Sum(int c, Func<int, double> term) => Enumerable.Range(0, rows).Sum(r => term(r * cols + c));
        Assert.Multiple(() =>
        {
            EmulatedGpu.AssertClose("sums", sums.ToArray(),
                [.. Enumerable.Range(0, cols).Select(c => -2 * Sum(c, i => xv[i]))], 1e-5);
            EmulatedGpu.AssertClose("products", products.ToArray(),
                [.. Enumerable.Range(0, cols).Select(c => 3 * Sum(c, i => (double)xv[i] * yv[i]))], 1e-5);
            EmulatedGpu.AssertClose("scaled", scaled.ToArray(),
                [.. Enumerable.Range(0, cols).Select(c => Math.Exp(3 * lv[c]) * Sum(c, i => xv[i]))], 1e-5);
        });
    }

    [Test]
    public void SumsAColumnWindowOfAWiderMatrix()
    {
        (View x, float[] values) = emulator.Draw(6, 7);
        View sums = emulator.Zeros(1, 3);
        emulator.Gpu.Columns.Times(Matrix(x.Columns(2, 3)), 6, 3, 1f, Matrix(sums));
        double[] expected = [.. Enumerable.Range(2,
            3).Select(c => Enumerable.Range(0, 6).Sum(r => (double)values[r * 7 + c]))];
        EmulatedGpu.AssertClose("sums", sums.ToArray(), expected, 1e-6);
    }

    [Test]
    public void CompensationKeepsSmallTermsBesideALargeOne()
    {
        // Each of the ones is half a unit in the last place of 2^24: a thread that adds them to it plainly loses them
        // all.
        const int Rows = 4000;
        float[] values = new float[Rows];
        Array.Fill(values, 1f);
        values[0] = 16777216f;
        View x = emulator.Upload(Rows, 1, values), sum = emulator.Zeros(1, 1);
        emulator.Gpu.Columns.Times(Matrix(x), Rows, 1, 1f, Matrix(sum));
        Assert.That(sum.ToArray()[0], Is.EqualTo(16777216f + Rows - 1).Within(8f));
    }

    [Test]
    public void ScalesEdgeSumsByTap()
    {
        const int Cols = 2;
        Pixels pixels = new(2, 3, 2);
        (View x, float[] xv) = emulator.Draw(pixels.Count, Cols);
        (View logs, float[] lv) = emulator.Draw(1, Cols, 0.3);
        View target = emulator.Zeros(9, Cols);
        emulator.Gpu.Columns.ScaledOutside(Matrix(x), pixels, Cols, Matrix(logs), Matrix(target));
        double[] expected = new double[9 * Cols];
        for (int n = 0; n < pixels.N; n++)
            for (int y = 0; y < pixels.H; y++)
                for (int column = 0; column < pixels.W; column++)
                    for (int tap = 0; tap < 9; tap++)
                    {
                        int ty = y + tap / 3 - 1, tx = column + tap % 3 - 1;
                        if (ty >= 0 && ty < pixels.H && tx >= 0 && tx < pixels.W) continue;
                        for (int c = 0; c < Cols; c++)
                            expected[tap * Cols + c] += Math.Exp(3 * lv[c])
                                * xv[((n * pixels.H + y) * pixels.W + column) * Cols + c];
                    }
        EmulatedGpu.AssertClose("edge sums", target.ToArray(), expected, 1e-5);
    }

    [Test]
    public void ImagesOfSeveralChunksAddUp()
    {
        // 180 vectors of four an image are more than one chunk of four vectors a thread.
        Pixels pixels = new(3, 9, 20);
        (View z, float[] values) = emulator.Draw(pixels.Count, 4);
        View stats = emulator.Zeros(pixels.Count, 8), logp = emulator.Upload(1, 3, [5, 6, 7]);
        emulator.Backend.GaussianScore.Forward(pixels, StatsLayout.Halves, z, stats, logp, View.None);
        int perImage = pixels.H * pixels.W * 4;
        double[] expected = [.. Enumerable.Range(0, 3).Select(n => 5 + n
            + values.Skip(n * perImage).Take(perImage)
            .Sum(static v => -0.5 * (Math.Log(2 * Math.PI) + (double)v * v)))];
        EmulatedGpu.AssertClose("logp", logp.ToArray(), expected, 3e-7);
    }

    private Matrix Matrix(View view) => emulator.Gpu.Matrix(view);
}
