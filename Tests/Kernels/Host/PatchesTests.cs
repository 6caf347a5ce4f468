using GlowGpu.Kernels;
using GlowGpu.Kernels.Host;
using GlowGpu.Tests.Checks;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Host;

/// <summary>
/// Both movements of a 3×3 convolution, exactly: one copies, the other adds in the order of the taps.
/// </summary>
[TestFixture]
public sealed unsafe class PatchesTests
{
    private static IEnumerable<TestCaseData> Cases =>
        from pixels in new Pixels[] { new(1, 1, 1), new(2, 1, 5), new(2, 5, 1), new(3, 2, 2),
            new(2, 4, 3), new(2, 3, 7) }
        from mirrored in new[] { false, true }
        from edge in new[] { false, true }
        select new TestCaseData(pixels, mirrored, edge);

    [TestCaseSource(nameof(Cases))]
    public void GatherCopiesNeighbours(Pixels pixels, bool mirrored, bool edge)
    {
        foreach (int channels in new[] { 1, 2, 3, 4, 6, 8, 12, 15, 17, 33 })
        {
            int stride = channels + 3, cols = edge ? channels + 1 : channels;
            float[] source = new Draw(channels).Normal(pixels.Count * stride);
            foreach ((int first, int count) in Ranges(pixels.Count))
            {
                float[] got = new float[Panels.Length(count, 9 * cols)], expected = new float[got.Length];
                Array.Fill(got, float.NaN);
                fixed (float* from = source, to = got)
                    new Patches(pixels, mirrored).Gather(from, stride, channels, edge, first, count, to,
                        count * Panels.Width);
                for (int i = 0; i < count; i++)
                    for (int column = 0; column < 9 * cols; column++)
                    {
                        int neighbour = Neighbour(pixels, first + i, column / cols, mirrored), c = column % cols;
                        expected[column / Panels.Width * count * Panels.Width + i * Panels.Width
                            + column % Panels.Width] =
                            c == channels ? (neighbour < 0 ? 1 : 0) : neighbour < 0 ? 0
                                : source[neighbour * stride + c];
                    }
                Tolerance.SameBits($"{channels} channels, pixels from {first}: patches", got, expected);
            }
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void SumAddsTapsThatMeet(Pixels pixels, bool mirrored, bool edge)
    {
        foreach (int channels in new[] { 1, 3, 4, 6, 8, 9, 12, 24, 33 })
            foreach (bool accumulate in new[] { false, true })
            {
                int tapsRow = 9 * channels + 5, stride = channels + 3;
                Draw draw = new(channels);
                float[] taps = draw.Normal(pixels.Count * tapsRow), edges = draw.Normal(9 * channels),
                    start = draw.Normal(channels);
                float[] before = draw.Normal(pixels.Count * stride), got = [.. before], expected = [.. before];
                foreach ((int first, int count) in Ranges(pixels.Count))
                {
                    before.CopyTo(got, 0);
                    before.CopyTo(expected, 0);
                    fixed (float* t = taps, e = edges, s = start, to = got)
                        new Patches(pixels, mirrored).Sum(
                            t, tapsRow, channels, edge ? e : null, accumulate ? null : s, first, count, to, stride);
                    for (int p = first; p < first + count; p++)
                        for (int c = 0; c < channels; c++)
                        {
                            float sum = accumulate ? before[p * stride + c] : start[c];
                            for (int tap = 0; tap < 9; tap++)
                            {
                                int neighbour = Neighbour(pixels, p, tap, mirrored);
                                if (neighbour >= 0) sum += taps[neighbour * tapsRow + tap * channels + c];
                                else if (edge) sum += edges[tap * channels + c];
                            }
                            expected[p * stride + c] = sum;
                        }
                    Tolerance.SameBits($"{channels} channels, pixels from {first}: sums", got, expected);
                }
            }
    }

    /// <summary>All pixels, the first, the last, some in the middle.</summary>
    private static IEnumerable<(int First, int Count)> Ranges(int pixels) =>
        [(0, pixels), (0, 1), (pixels - 1, 1), (pixels / 3, pixels / 2)];

    /// <summary>The pixel that a tap points at, −1 outside the image.</summary>
    private static int Neighbour(Pixels pixels, int pixel, int tap, bool mirrored)
    {
        int dy = tap / 3 - 1, dx = tap % 3 - 1, x = pixel % pixels.W, y = pixel / pixels.W % pixels.H;
        if (mirrored) (dy, dx) = (-dy, -dx);
        return y + dy < 0 || y + dy >= pixels.H || x + dx < 0 || x + dx >= pixels.W ? -1 : pixel + dy * pixels.W + dx;
    }
}
