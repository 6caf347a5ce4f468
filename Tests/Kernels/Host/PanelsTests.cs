using GlowGpu.Kernels.Host;
using GlowGpu.Tests.Checks;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Host;

[TestFixture]
public sealed unsafe class PanelsTests
{
    private const float Guard = -12345.5f;

    [Test]
    public void RowsOfAnyLengthAreCopied()
    {
        for (int n = 1; n <= Panels.Width; n++)
        {
            float[] from = new Draw(n).Normal(n), to = new float[Panels.Width + 1];
            Array.Fill(to, Guard);
            fixed (float* x = from, y = to) Panels.CopyRow(x, y, n);
            Assert.That(to[..n], Is.EqualTo(from));
            Assert.That(to[n..], Is.All.EqualTo(Guard));
        }
    }

    [Test]
    public void PackScalesColumnsAndTouchesNoOther()
    {
        foreach (int rows in new[] { 1, 5, 16 })
            foreach (int columns in new[] { 1, 3, 4, 7, 8, 12, 16, 17, 40 })
                foreach (int first in new[] { 0, 1, 6, 12, 15, 24 })
                {
                    int stride = columns + 2, panel = rows * Panels.Width;
                    float[] source = new Draw(columns).Normal(rows * stride), scale = new Draw(first).Normal(columns);
                    float[] got = Guarded(rows, first + columns), expected = Guarded(rows, first + columns);
                    fixed (float* from = source, s = scale, to = got) Panels.Pack(from, stride, rows, columns, s, to,
                        panel, first);
                    for (int r = 0; r < rows; r++)
                        for (int c = 0; c < columns; c++)
                            expected[At(rows, r, first + c)] = source[r * stride + c] * scale[c];
                    Tolerance.SameBits($"[{rows},{columns}] to column {first}: panels", got, expected);
                }
    }

    [TestCase(true, true)]
    [TestCase(true, false)]
    [TestCase(false, true)]
    [TestCase(false, false)]
    public void PackTransposedScalesRowsAndColumns(bool rowScales, bool columnScales)
    {
        foreach (int rows in new[] { 1, 3, 4, 6, 63, 64, 65, 130 })
            foreach (int columns in new[] { 1, 3, 4, 7, 16, 21, 37 })
                foreach (int first in new[] { 0, 1, 6, 12, 14, 24 })
                {
                    int stride = rows + 2, panel = rows * Panels.Width;
                    float[] source = new Draw(columns).Normal(columns * stride);
                    float[] rowScale = new Draw(rows).Normal(rows), columnScale = new Draw(first).Normal(columns);
                    float[] got = Guarded(rows, first + columns), expected = Guarded(rows, first + columns);
                    fixed (float* from = source, r = rowScale, c = columnScale, to = got)
                        Panels.PackTransposed(
                            from, stride, rows, columns, rowScales ? r : null, columnScales ? c : null, to, panel,
                                first);
                    for (int k = 0; k < rows; k++)
                        for (int n = 0; n < columns; n++)
                            expected[At(rows, k, first + n)] =
                                source[n * stride + k] * (rowScales ? rowScale[k] : 1) * (columnScales
                                    ? columnScale[n] : 1);
                    Tolerance.SameBits($"[{rows},{columns}] to column {first}: panels", got, expected);
                }
    }

    [Test]
    public void CopyAndPaddingFillWholePanels()
    {
        foreach (int rows in new[] { 1, 5 })
            foreach (int columns in new[] { 1, 8, 15, 16, 17, 40 })
            {
                int stride = columns + 2, panel = rows * Panels.Width;
                float[] source = new Draw(columns).Normal(rows * stride);
                float[] got = Guarded(rows, columns), expected = new float[rows * Panels.Pad(columns)];
                fixed (float* from = source, to = got)
                {
                    Panels.Copy(from, stride, rows, columns, to, panel);
                    Panels.ClearPadding(to, panel, rows, columns);
                }
                for (int r = 0; r < rows; r++)
                    for (int c = 0; c < columns; c++) expected[At(rows, r, c)] = source[r * stride + c];
                Tolerance.SameBits($"[{rows},{columns}]: panels", got, expected);
            }
    }

    [TestCase(2048, 2, 64, 32)]
    [TestCase(128, 2, 64, 2)]
    [TestCase(128, 8, 16, 8)]
    [TestCase(1, 4, 16, 1)]
    [TestCase(100, 2, 64, 2)]
    [TestCase(49, 2, 32, 2)]
    public void TilesCoverAllPixelsAndKeepWorkersBusy(int pixels, int workers, int rows, int count)
    {
        Tiles tiles = new(pixels, workers);
        Assert.That((tiles.Rows, tiles.Count), Is.EqualTo((rows, count)));
        int covered = 0;
        for (int t = 0; t < tiles.Count; t++)
        {
            Assert.That(tiles.First(t), Is.EqualTo(covered));
            covered += tiles.Height(t);
        }
        Assert.That(covered, Is.EqualTo(pixels));
    }

    private static float[] Guarded(int rows, int columns)
    {
        float[] values = new float[rows * Panels.Pad(columns)];
        Array.Fill(values, Guard);
        return values;
    }

    private static int At(int rows, int row, int column) =>
        column / Panels.Width * rows * Panels.Width + row * Panels.Width + column % Panels.Width;
}
