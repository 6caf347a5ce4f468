using GlowGpu.Kernels;
using GlowGpu.Kernels.Host;
using GlowGpu.Tests.Checks;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Host;

/// <summary>
/// The three forms of a 3×3 convolution by minimal filtering beside the convolution tap by tap, in both sizes of
/// block and with vectors of every width, over whole numbers and weights that a quarter leaves whole: blocks of 2×2
/// are then exact, and must be equal to the last bit. Those of 4×4 divide by powers of three.
/// </summary>
[TestFixture]
public sealed unsafe class MinimalFilterTests
{
    private const int Taps = 9, TileBlocks = 4;

    // Of what the terms add up to without their signs: ten times the usual rounding error; a coefficient that is off
    // by a thousandth shows.
    private const double Tolerance = 1e-5;

    private static IEnumerable<TestCaseData> Cases =>
        from pixels in new Pixels[] { new(1, 1, 1), new(2, 1, 5), new(2, 5, 1), new(3, 2, 2), new(2, 4, 6),
            new(2, 3, 7), new(1, 7, 4), new(2, 8, 8), new(1, 13, 10) }
        from channels in new[] { (1, 5), (6, 16), (12, 50), (17, 65), (33, 96) }
        from edge in new[] { false, true }
        from filter in Filters
        select new TestCaseData(filter, pixels, channels.Item1, channels.Item2, edge);

    private static IEnumerable<MinimalFilter> Filters
    {
        get
        {
            List<MinimalFilter> filters = [new MinimalFilter<Lanes128, Filter2>(),
                new MinimalFilter<Lanes128, Filter4>()];
            if (SimdLevels.IsSupported(SimdLevel.Avx2)) filters.AddRange([new MinimalFilter<Lanes256, Filter2>(),
                new MinimalFilter<Lanes256, Filter4>()]);
            if (SimdLevels.IsSupported(SimdLevel.Avx512)) filters.AddRange([new MinimalFilter<Lanes512, Filter2>(),
                new MinimalFilter<Lanes512, Filter4>()]);
            return filters;
        }
    }

    [TestCaseSource(nameof(Filters))]
    public void WeightsPastTheCachesAreTheSame(object filtering)
    {
        const int Channels = 5, Width = 37;
        MinimalFilter filter = (MinimalFilter)filtering;
        FilterWeights layout = FilterWeights.ToWide(filter, Channels, Width);
        Draw draw = new(3);
        float[] weights = draw.Normal(Taps * Channels * Width), scale = draw.Normal(Width),
            expected = new float[layout.Length], got = new float[layout.Length];
        using HostBuffer plain = new(layout.Length), streamed = new(layout.Length);
        fixed (float* w = weights, s = scale)
        {
            filter.TransformWeights(w, Channels * Width, Width, Channels, Width, s, mirrored: true, plain.Pointer,
                layout.Point, layout.Slice);
            filter.TransformWeights(w, Channels * Width, Width, Channels, Width, s, mirrored: true, streamed.Pointer,
                layout.Point, layout.Slice, streaming: true);
        }
        plain.Read(0, expected);
        streamed.Read(0, got);
        Assert.That(expected, Has.Some.Not.Zero);
        Assert.That(got, Is.EqualTo(expected));
    }

    [TestCaseSource(nameof(Cases))]
    public void NarrowToWide(object filtering, Pixels pixels, int channels, int width, bool edge)
    {
        Draw draw = new(channels);
        int stride = channels + 3, columns = edge ? channels + 1 : channels, padded = Panels.Pad(width),
            row = Panels.Pad(columns);
        float[] image = Whole(draw, pixels.Count * stride, 5),
            weights = Whole(draw, Taps * columns * width, 3, times: 4);
        float[] bias = Whole(draw, padded, 9), scale = Whole(draw, width, 1, times: 2);
        MinimalFilter filter = (MinimalFilter)filtering;
        FilterWeights layout = FilterWeights.ToWide(filter, columns, width);
        float[] transformed = new float[layout.Length], slice = Slice(filter);
        int rows = TileBlocks * filter.Area, tiles = TileCount(filter, pixels);
        float[] wide = new float[tiles * rows * padded],
            narrow = new float[TileFilter.NarrowLength(filter, TileBlocks, columns)];
        fixed (float* x = image, w = weights, b = bias, s = scale, u = transformed, m = slice, n = narrow, to = wide)
        {
            filter.TransformWeights(w, (nint)columns * width, width, columns, width, s, mirrored: false,
                u, layout.Point, layout.Slice);
            for (int tile = 0; tile < tiles; tile++)
            {
                new BlockPatches(pixels, filter).Gather(x, stride, channels, edge, tile * TileBlocks, TileBlocks, n,
                    (nint)TileBlocks * row);
                Tile(filter, m).ToWideRelu(n, columns, u, width, b, to + (nint)tile * rows * padded);
            }
        }
        Comparison results = new(filter);
        for (int p = 0; p < pixels.Count; p++)
            for (int j = 0; j < width; j++)
            {
                double sum = bias[j], terms = Math.Abs(sum);
                for (int tap = 0; tap < Taps; tap++)
                {
                    int from = Neighbour(pixels, p, tap);
                    for (int c = 0; c < columns; c++)
                    {
                        double value = c == channels ? (from < 0 ? 1 : 0) : from < 0 ? 0 : image[from * stride + c];
                        double term = value * weights[(tap * columns + c) * width + j] * scale[j];
                        sum += term;
                        terms += Math.Abs(term);
                    }
                }
                results.Add(wide[At(filter, pixels, p, j, padded)], Math.Max(sum, 0), terms, $"pixel {p}, channel {j}");
            }
        results.Check();
    }

    [TestCaseSource(nameof(Cases))]
    public void WideToNarrow(object filtering, Pixels pixels, int channels, int width, bool edge)
    {
        Draw draw = new(channels);
        int stride = channels + 3, padded = Panels.Pad(width), row = Panels.Pad(channels);
        MinimalFilter filter = (MinimalFilter)filtering;
        Blocks blocks = new(pixels, filter.Side);
        int rows = TileBlocks * filter.Area, tiles = TileCount(filter, pixels);
        float[] wide = Whole(draw, tiles * rows * padded, 5), weights = Whole(draw, Taps * width * channels, 3,
            times: 4), ones = new float[channels];
        float[] edges = Whole(draw, Taps * row, 9), before = Whole(draw, pixels.Count * stride, 9),
            target = [.. before], slice = Slice(filter);
        FilterWeights layout = FilterWeights.ToNarrow(filter, width, channels);
        float[] transformed = new float[layout.Length],
            products = new float[TileFilter.NarrowLength(filter, TileBlocks, channels)];
        float[] patches = new float[tiles * TileBlocks * filter.Points * row];
        Array.Fill(ones, 1);
        Array.Fill(products, float.NaN);
        fixed (float* x = wide, w = weights, s = ones, e = edges, u = transformed, m = slice, n = products,
            q = patches, to = target)
        {
            for (int first = 0; first < width; first += Panels.Width)
                filter.TransformWeights(w + (nint)first * channels, (nint)width * channels, channels,
                    Math.Min(Panels.Width, width - first), channels, s,
                    mirrored: true, u + layout.Panel(first / Panels.Width), layout.Point, layout.NarrowPanel);
            BlockPatches own = new(pixels, filter);
            for (int tile = 0; tile < tiles; tile++)
            {
                int first = tile * TileBlocks;
                float* start = x + (nint)tile * rows * padded;
                blocks.ClearDead(first, TileBlocks, start, (nint)rows * Panels.Width, width);
                Tile(filter, m).ToNarrow(start, width, u, channels, n);
                own.Spread(n, (nint)TileBlocks * row, row, channels, TileBlocks, q + (nint)first * filter.Points * row);
            }
            own.Sum(q, row, channels, edge ? e : null, null, 0, blocks.Count, to, stride);
        }
        Comparison results = new(filter);
        for (int p = 0; p < pixels.Count; p++)
            for (int c = 0; c < stride; c++)
            {
                double sum = before[p * stride + c], terms = Math.Abs(sum);
                for (int tap = 0; tap < Taps && c < channels; tap++)
                {
                    int from = Neighbour(pixels, p, tap);
                    if (from < 0) sum += edge ? edges[tap * row + c] : 0;
                    else
                        for (int j = 0; j < width; j++)
                        {
                            double term = wide[At(filter, pixels, from, j, padded)]
                                * (double)weights[(tap * width + j) * channels + c];
                            sum += term;
                            terms += Math.Abs(term);
                        }
                }
                results.Add(target[p * stride + c], sum, terms, $"pixel {p}, channel {c}");
            }
        results.Check();
    }

    [TestCaseSource(nameof(Cases))]
    public void GradientOfTheWeights(object filtering, Pixels pixels, int channels, int width, bool edge)
    {
        Draw draw = new(channels);
        int columns = edge ? channels + 1 : channels, padded = Panels.Pad(width);
        MinimalFilter filter = (MinimalFilter)filtering;
        Blocks blocks = new(pixels, filter.Side);
        int rows = TileBlocks * filter.Area, tiles = TileCount(filter, pixels);
        nint tile = TileFilter.NarrowLength(filter, TileBlocks, columns);
        float[] image = Whole(draw, pixels.Count * channels, 5), wide = Whole(draw, tiles * rows * padded, 5,
            times: 4), slice = Slice(filter, tiles);
        float[] narrow = new float[tiles * tile], sums = new float[FilterWeights.ToWide(filter, columns, width).Length];
        float[] byNarrow = new float[Taps * columns * width], byWide = new float[byNarrow.Length];
        float[] wideScale = Whole(draw, padded, 2, times: 2), narrowScale = Whole(draw, columns, 2, times: 2);
        fixed (float* x = image, y = wide, m = slice, n = narrow, u = sums, s1 = wideScale, s2 = narrowScale,
            to1 = byNarrow, to2 = byWide)
        {
            for (int i = 0; i < tiles; i++)
            {
                blocks.ClearDead(i * TileBlocks, TileBlocks, y + (nint)i * rows * padded, (nint)rows * Panels.Width,
                    width);
                new BlockPatches(pixels, filter).Gather(
                    x, channels, channels, edge, i * TileBlocks, TileBlocks, n + i * tile,
                        (nint)TileBlocks * Panels.Pad(columns));
            }
            FilterGradient gradient = new()
            {
                Gemm = new HostGemm(SimdLevels.Best),
                Filter = filter,
                Channels = columns,
                Width = width,
                TileBlocks = TileBlocks,
                MaxTiles = tiles,
                Sums = u,
            };
            nint wideTile = rows * (nint)padded;
            for (int part = 0; part < 2; part++)
            {
                // The first tile begins, the others are added.
                gradient.Add(n, tile, y, wideTile, TileBlocks, begin: true, m, part, 2);
                if (tiles > 1)
                    gradient.Add(n + tile, tile, y + wideTile, wideTile, (tiles - 1) * TileBlocks, begin: false, m,
                        part, 2);
            }
            for (int part = 0; part < 2; part++)
            {
                gradient.FinishByNarrow(s1, to1, (nint)columns * width, part, 2);
                (gradient with { Mirrored = true }).FinishByWide(s2, to2, (nint)columns * width, part, 2);
            }
        }
        Comparison results = new(filter);
        for (int tap = 0; tap < Taps; tap++)
            for (int c = 0; c < columns; c++)
                for (int j = 0; j < width; j++)
                {
                    double sum = 0, terms = 0;
                    for (int p = 0; p < pixels.Count; p++)
                    {
                        int from = Neighbour(pixels, p, tap);
                        double value = c == channels ? (from < 0 ? 1 : 0) : from < 0 ? 0 : image[from * channels + c];
                        double term = value * wide[At(filter, pixels, p, j, padded)];
                        sum += term;
                        terms += Math.Abs(term);
                    }
                    results.Add(byNarrow[(tap * columns + c) * width + j], sum * wideScale[j],
                        terms * Math.Abs(wideScale[j]), $"tap {tap}, {c} to {j}");
                    results.Add(byWide[((8 - tap) * width + j) * columns + c], sum * narrowScale[c],
                        terms * Math.Abs(narrowScale[c]), $"tap {tap}, {j} to {c}");
                }
        results.Check();
    }

    [TestCaseSource(nameof(Cases))]
    public void MissingNeighboursAreSummed(object filtering, Pixels pixels, int channels, int width, bool edge)
    {
        float[] source = Whole(new Draw(width), pixels.Count * channels, 9);
        double[] totals = new double[Taps * channels];
        fixed (float* x = source)
        fixed (double* to = totals)
            new BlockPatches(pixels, (MinimalFilter)filtering).SumMissing(x, channels, channels, to, channels);
        for (int tap = 0; tap < Taps; tap++)
            for (int c = 0; c < channels; c++)
                Assert.That(totals[tap * channels + c],
                    Is.EqualTo(Enumerable.Range(0, pixels.Count).Where(p => Neighbour(pixels, p, tap) < 0)
                        .Sum(p => (double)source[p * channels + c])));
    }

    /// <summary>
    /// What came out beside what should, compared when all is known: a block of 4×4 rounds in proportion to its
    /// largest terms.
    /// </summary>
    private sealed class Comparison(MinimalFilter filter)
    {
        private readonly List<(float Value, double Expected, string What)> all = [];
        private double largest;

        public void Add(float value, double expected, double terms, string what)
        {
            all.Add((value, expected, what));
            largest = Math.Max(largest, terms);
        }

        public void Check()
        {
            foreach ((float value, double expected, string what) in all)
                if (filter.Side == 2 ? value != (float)expected : !(Math.Abs(value - expected) <= Tolerance * largest))
                    Assert.Fail($"{what}: {value} in place of {expected}, terms up to {largest}");
            Assert.That(all, Is.Not.Empty);
        }
    }

    private static int TileCount(MinimalFilter filter, Pixels pixels) =>
        (new Blocks(pixels, filter.Side).Count + TileBlocks - 1) / TileBlocks;

    private static float[] Slice(MinimalFilter filter, int tiles = 1) =>
        new float[TileFilter.SliceLength(filter, tiles * TileBlocks)];

    private static TileFilter Tile(MinimalFilter filter, float* slice) => new()
    {
        Gemm = new HostGemm(SimdLevels.Best),
        Filter = filter,
        Blocks = TileBlocks,
        Capacity = TileBlocks,
        Panel = TileBlocks * filter.Area * Panels.Width,
        Slice = slice,
    };

    private static float[] Whole(Draw draw, int count, int limit, int times = 1) =>
        [.. draw.Normal(count).Select(x => times * (float)Math.Clamp(Math.Round(2 * x), -limit, limit))];

    /// <summary>Where a pixel's channel lies among tiles of four blocks in panels.</summary>
    private static int At(MinimalFilter filter, Pixels pixels, int pixel, int channel, int padded)
    {
        (int line, int x) = Math.DivRem(pixel, pixels.W);
        (int image, int y) = Math.DivRem(line, pixels.H);
        int side = filter.Side, rows = TileBlocks * filter.Area;
        Blocks blocks = new(pixels, side);
        (int tile, int block) = Math.DivRem((image * blocks.Lines + y / side) * blocks.Columns + x / side, TileBlocks);
        int row = block * filter.Area + y % side * side + x % side;
        return tile * rows * padded + channel / Panels.Width * rows * Panels.Width + row * Panels.Width
            + channel % Panels.Width;
    }

    private static int Neighbour(Pixels pixels, int pixel, int tap)
    {
        (int line, int x) = Math.DivRem(pixel, pixels.W);
        int y = line % pixels.H + tap / 3 - 1;
        x += tap % 3 - 1;
        return (uint)y < (uint)pixels.H && (uint)x < (uint)pixels.W ? (line + tap / 3 - 1) * pixels.W + x : -1;
    }
}
