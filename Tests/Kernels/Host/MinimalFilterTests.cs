using GlowGpu.Kernels;
using GlowGpu.Kernels.Host;
using GlowGpu.Tests.Checks;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Host;

/// <summary>
/// The three forms of a 3×3 convolution by minimal filtering beside the convolution tap by tap, over whole numbers and weights that
/// a quarter leaves whole: then both are exact, and must be equal to the last bit.
/// </summary>
[TestFixture]
public sealed unsafe class MinimalFilterTests
{
    private const int Taps = 9, TileQuads = 4;

    private static IEnumerable<TestCaseData> Cases =>
        from pixels in new Pixels[] { new(1, 1, 1), new(2, 1, 5), new(2, 5, 1), new(3, 2, 2), new(2, 4, 6), new(2, 3, 7), new(1, 7, 4) }
        from channels in new[] { (1, 5), (6, 16), (12, 50), (17, 65), (33, 96) }
        from edge in new[] { false, true }
        select new TestCaseData(pixels, channels.Item1, channels.Item2, edge);

    [TestCaseSource(nameof(Cases))]
    public void NarrowToWide(Pixels pixels, int channels, int width, bool edge)
    {
        Draw draw = new(channels);
        int stride = channels + 3, columns = edge ? channels + 1 : channels, padded = Panels.Pad(width), row = Panels.Pad(columns);
        float[] image = Whole(draw, pixels.Count * stride, 5), weights = Whole(draw, Taps * columns * width, 3, times: 4);
        float[] bias = Whole(draw, padded, 9), scale = Whole(draw, width, 1, times: 2);
        float[] transformed = new float[MinimalFilter.Points * columns * padded], slice = Slice();
        Quads quads = new(pixels);
        HostGemm gemm = new(SimdLevels.Best);
        float[] wide = new float[quads.Rows * padded], narrow = new float[TileFilter.NarrowLength(TileQuads, columns)];
        fixed (float* x = image, w = weights, b = bias, s = scale, u = transformed, m = slice, n = narrow, to = wide)
        {
            MinimalFilter.TransformWeights(w, (nint)columns * width, width, columns, width, s, mirrored: false,
                u, (nint)columns * padded, (nint)columns * Panels.Width);
            for (int first = 0; first < quads.Rows / 4; first += TileQuads)
            {
                new QuadPatches(pixels).Gather(x, stride, channels, edge, first, TileQuads, n, (nint)TileQuads * row);
                Tile(gemm, m).ToWideRelu(n, columns, u, width, b, to + (nint)first * 4 * padded);
            }
        }
        for (int p = 0; p < pixels.Count; p++)
            for (int j = 0; j < width; j++)
            {
                double sum = bias[j];
                for (int tap = 0; tap < Taps; tap++)
                {
                    int from = Neighbour(pixels, p, tap);
                    for (int c = 0; c < columns; c++)
                    {
                        double value = c == channels ? (from < 0 ? 1 : 0) : from < 0 ? 0 : image[from * stride + c];
                        sum += value * weights[(tap * columns + c) * width + j] * scale[j];
                    }
                }
                Assert.That(wide[At(pixels, p, j, padded)], Is.EqualTo((float)Math.Max(sum, 0)), $"pixel {p}, channel {j}");
            }
    }

    [TestCaseSource(nameof(Cases))]
    public void WideToNarrow(Pixels pixels, int channels, int width, bool edge)
    {
        Draw draw = new(channels);
        int stride = channels + 3, padded = Panels.Pad(width), row = Panels.Pad(channels);
        Quads quads = new(pixels);
        float[] wide = Whole(draw, quads.Rows * padded, 5), weights = Whole(draw, Taps * width * channels, 3, times: 4), ones = new float[channels];
        float[] edges = Whole(draw, Taps * row, 9), before = Whole(draw, pixels.Count * stride, 9), target = [.. before], slice = Slice();
        float[] transformed = new float[MinimalFilter.Points * width * row], products = new float[TileFilter.NarrowLength(TileQuads, channels)];
        float[] patches = new float[quads.Rows * 4 * row];
        Array.Fill(ones, 1);
        Array.Fill(products, float.NaN);
        HostGemm gemm = new(SimdLevels.Best);
        fixed (float* x = wide, w = weights, s = ones, e = edges, u = transformed, m = slice, n = products, q = patches, to = target)
        {
            MinimalFilter.TransformWeights(w, (nint)width * channels, channels, width, channels, s, mirrored: true,
                u, (nint)width * row, (nint)width * Panels.Width);
            for (int first = 0; first < quads.Rows / 4; first += TileQuads)
            {
                float* tile = x + (nint)first * 4 * padded;
                quads.ClearDead(first, TileQuads, tile, 4 * TileQuads * Panels.Width, width);
                Tile(gemm, m).ToNarrow(tile, width, u, channels, n);
                QuadPatches.Spread(n, (nint)TileQuads * row, row, channels, TileQuads, q + (nint)first * MinimalFilter.Points * row);
            }
            new QuadPatches(pixels).Sum(q, row, channels, edge ? e : null, null, 0, quads.Count, to, stride);
        }
        for (int p = 0; p < pixels.Count; p++)
            for (int c = 0; c < stride; c++)
            {
                double sum = before[p * stride + c];
                for (int tap = 0; tap < Taps && c < channels; tap++)
                {
                    int from = Neighbour(pixels, p, tap);
                    if (from < 0) sum += edge ? edges[tap * row + c] : 0;
                    else
                        for (int j = 0; j < width; j++)
                            sum += wide[At(pixels, from, j, padded)] * (double)weights[(tap * width + j) * channels + c];
                }
                Assert.That(target[p * stride + c], Is.EqualTo((float)sum), $"pixel {p}, channel {c}");
            }
    }

    [TestCaseSource(nameof(Cases))]
    public void GradientOfTheWeights(Pixels pixels, int channels, int width, bool edge)
    {
        Draw draw = new(channels);
        int columns = edge ? channels + 1 : channels, padded = Panels.Pad(width), tiles = new Quads(pixels).Rows / 4 / TileQuads;
        Quads quads = new(pixels);
        nint tile = TileFilter.NarrowLength(TileQuads, columns);
        float[] image = Whole(draw, pixels.Count * channels, 5), wide = Whole(draw, quads.Rows * padded, 5, times: 4), slice = Slice(tiles);
        float[] narrow = new float[tiles * tile], sums = new float[FilterGradient.SumsLength(columns, width)];
        float[] byNarrow = new float[Taps * columns * width], byWide = new float[byNarrow.Length];
        float[] wideScale = Whole(draw, padded, 2, times: 2), narrowScale = Whole(draw, columns, 2, times: 2);
        fixed (float* x = image, y = wide, m = slice, n = narrow, u = sums, s1 = wideScale, s2 = narrowScale, to1 = byNarrow, to2 = byWide)
        {
            for (int i = 0; i < tiles; i++)
            {
                quads.ClearDead(i * TileQuads, TileQuads, y + (nint)i * 4 * TileQuads * padded, 4 * TileQuads * Panels.Width, width);
                new QuadPatches(pixels).Gather(
                    x, channels, channels, edge, i * TileQuads, TileQuads, n + i * tile, (nint)TileQuads * Panels.Pad(columns));
            }
            FilterGradient gradient = new()
            {
                Gemm = new HostGemm(SimdLevels.Best),
                Channels = columns,
                Width = width,
                TileQuads = TileQuads,
                MaxTiles = tiles,
                Sums = u,
            };
            nint wideTile = 4 * TileQuads * (nint)padded;
            for (int part = 0; part < 2; part++)
            {
                // The first tile begins, the others are added.
                gradient.Add(n, tile, y, wideTile, TileQuads, begin: true, m, part, 2);
                if (tiles > 1)
                    gradient.Add(n + tile, tile, y + wideTile, wideTile, (tiles - 1) * TileQuads, begin: false, m, part, 2);
            }
            for (int part = 0; part < 2; part++)
            {
                gradient.FinishByNarrow(s1, to1, (nint)columns * width, part, 2);
                (gradient with { Mirrored = true }).FinishByWide(s2, to2, (nint)columns * width, part, 2);
            }
        }
        for (int tap = 0; tap < Taps; tap++)
            for (int c = 0; c < columns; c++)
                for (int j = 0; j < width; j++)
                {
                    double sum = 0;
                    for (int p = 0; p < pixels.Count; p++)
                    {
                        int from = Neighbour(pixels, p, tap);
                        double value = c == channels ? (from < 0 ? 1 : 0) : from < 0 ? 0 : image[from * channels + c];
                        sum += value * wide[At(pixels, p, j, padded)];
                    }
                    Assert.Multiple(() =>
                    {
                        Assert.That(byNarrow[(tap * columns + c) * width + j], Is.EqualTo((float)(sum * wideScale[j])), $"tap {tap}, {c} to {j}");
                        Assert.That(byWide[((8 - tap) * width + j) * columns + c], Is.EqualTo((float)(sum * narrowScale[c])), $"tap {tap}, {j} to {c}");
                    });
                }
    }

    [TestCaseSource(nameof(Cases))]
    public void MissingNeighboursAreSummed(Pixels pixels, int channels, int width, bool edge)
    {
        float[] source = Whole(new Draw(width), pixels.Count * channels, 9);
        double[] totals = new double[Taps * channels];
        fixed (float* x = source)
        fixed (double* to = totals)
            new QuadPatches(pixels).SumMissing(x, channels, channels, to, channels);
        for (int tap = 0; tap < Taps; tap++)
            for (int c = 0; c < channels; c++)
                Assert.That(totals[tap * channels + c],
                    Is.EqualTo(Enumerable.Range(0, pixels.Count).Where(p => Neighbour(pixels, p, tap) < 0).Sum(p => (double)source[p * channels + c])));
    }

    private static float[] Slice(int tiles = 1) => new float[TileFilter.SliceLength(tiles * TileQuads)];

    private static TileFilter Tile(HostGemm gemm, float* slice) =>
        new() { Gemm = gemm, Quads = TileQuads, Capacity = TileQuads, Panel = 4 * TileQuads * Panels.Width, Slice = slice };

    private static float[] Whole(Draw draw, int count, int limit, int times = 1) =>
        [.. draw.Normal(count).Select(x => times * (float)Math.Clamp(Math.Round(2 * x), -limit, limit))];

    /// <summary>Where a pixel's channel lies among tiles of four quads in panels.</summary>
    private static int At(Pixels pixels, int pixel, int channel, int padded)
    {
        (int line, int x) = Math.DivRem(pixel, pixels.W);
        (int image, int y) = Math.DivRem(line, pixels.H);
        Quads quads = new(pixels);
        (int tile, int quad) = Math.DivRem((image * quads.Lines + y / 2) * quads.Columns + x / 2, TileQuads);
        int row = Quads.Row(quad) + Quads.Plane * (2 * (y % 2) + x % 2), rows = 4 * TileQuads;
        return tile * rows * padded + channel / Panels.Width * rows * Panels.Width + row * Panels.Width + channel % Panels.Width;
    }

    private static int Neighbour(Pixels pixels, int pixel, int tap)
    {
        (int line, int x) = Math.DivRem(pixel, pixels.W);
        int y = line % pixels.H + tap / 3 - 1;
        x += tap % 3 - 1;
        return (uint)y < (uint)pixels.H && (uint)x < (uint)pixels.W ? (line + tap / 3 - 1) * pixels.W + x : -1;
    }
}
