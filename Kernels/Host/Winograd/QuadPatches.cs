using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace GlowGpu.Kernels.Host;

/// <summary>
/// The narrow side of <see cref="MinimalFilter"/>: every quad of an image sees the patch of 4×4 pixels that begins one above and
/// one left of it. Gathering transforms the patches; spreading and summing is its transpose, in which the patches of
/// neighbouring quads overlap.
/// </summary>
internal readonly unsafe struct QuadPatches(Pixels pixels)
{
    private const int Side = 4, Positions = Side * Side, Taps = 9;

    private readonly Quads quads = new(pixels);
    private readonly int height = pixels.H, width = pixels.W;

    /// <summary>
    /// target[g, i, c] = S of source around quad first + i, zero outside the image. With <paramref name="edge"/> there is one more
    /// channel, the last, that is 1 outside and 0 inside. Rows of target hold the channels padded to whole <see cref="Panels"/>,
    /// <paramref name="point"/> floats lie between two g.
    /// </summary>
    public void Gather(float* source, nint sourceRow, int channels, bool edge, int first, int count, float* target, nint point)
    {
        if (Vector512.IsHardwareAccelerated) Gather<Lanes512>(source, sourceRow, channels, edge, first, count, target, point);
        else if (Vector256.IsHardwareAccelerated) Gather<Lanes256>(source, sourceRow, channels, edge, first, count, target, point);
        else Gather<Lanes128>(source, sourceRow, channels, edge, first, count, target, point);
    }

    /// <summary>
    /// target[i, position, c] = Sᵀ of the products [g, i, c] of <paramref name="count"/> quads, <paramref name="row"/> floats a row
    /// on both sides; lanes beyond the channels are arbitrary.
    /// </summary>
    public static void Spread(float* products, nint point, int row, int channels, int count, float* target)
    {
        if (Vector512.IsHardwareAccelerated) Spread<Lanes512>(products, point, row, channels, count, target);
        else if (Vector256.IsHardwareAccelerated) Spread<Lanes256>(products, point, row, channels, count, target);
        else Spread<Lanes128>(products, point, row, channels, count, target);
    }

    /// <summary>
    /// target[p, c] = start[c] + what the patches <c>[quad, position, row]</c> that meet in pixel p hold there, for the pixels of the quads
    /// [first, end); a null <paramref name="start"/> adds to what target holds. Unless <paramref name="edge"/> is null,
    /// edge[tap·row + c] is added for every tap that leads from p out of the image.
    /// </summary>
    public void Sum(float* patches, int row, int channels, float* edge, float* start, int first, int end, float* target, nint targetRow)
    {
        if (Vector512.IsHardwareAccelerated) Sum<Lanes512>(patches, row, channels, edge, start, first, end, target, targetRow);
        else if (Vector256.IsHardwareAccelerated) Sum<Lanes256>(patches, row, channels, edge, start, first, end, target, targetRow);
        else Sum<Lanes128>(patches, row, channels, edge, start, first, end, target, targetRow);
    }

    /// <summary>
    /// totals[tap, c] = Σ of source over the pixels from which that tap leads out of the image; rows of totals are
    /// <paramref name="row"/> doubles.
    /// </summary>
    public void SumMissing(float* source, nint sourceRow, int channels, double* totals, int row)
    {
        // A tap misses the pixels of a line and of a column, and those where they cross once only.
        new Span<double>(totals, Taps * row).Clear();
        for (int image = 0; image < pixels.N; image++)
        {
            float* start = source + (nint)image * height * width * sourceRow;
            for (int tap = 0; tap < Taps; tap++)
            {
                (int dy, int dx) = (tap / 3, tap % 3);
                int line = dy == 0 ? 0 : height - 1, column = dx == 0 ? 0 : width - 1;
                double* to = totals + tap * row;
                if (dy != 1)
                    for (int x = 0; x < width; x++) HostReduce.AddRow(start + ((nint)line * width + x) * sourceRow, to, channels);
                if (dx == 1) continue;
                for (int y = 0; y < height; y++)
                    if (dy == 1 || y != line) HostReduce.AddRow(start + ((nint)y * width + column) * sourceRow, to, channels);
            }
        }
    }

    private void Gather<V>(float* source, nint sourceRow, int channels, bool edge, int first, int count, float* target, nint point)
        where V : struct, ILanes<V>
    {
        int columns = edge ? channels + 1 : channels, row = Panels.Pad(columns);
        float* outside = stackalloc float[row];
        new Span<float>(outside, row).Clear();
        if (edge) outside[channels] = 1;
        float** at = stackalloc float*[Positions];
        (int line, int qx) = Math.DivRem(first, quads.Columns);
        for (int i = 0; i < count; i++, target += row)
        {
            if (first + i >= quads.Count)
            {
                for (int g = 0; g < MinimalFilter.Points; g++) new Span<float>(target + g * point, row).Clear();
                continue;
            }
            (int image, int qy) = Math.DivRem(line, quads.Lines);
            int y = 2 * qy - 1, x = 2 * qx - 1;
            float* corner = source + (((nint)image * height + y) * width + x) * sourceRow;
            for (int dy = 0; dy < Side; dy++)
                for (int dx = 0; dx < Side; dx++)
                {
                    bool inside = (uint)(y + dy) < (uint)height && (uint)(x + dx) < (uint)width;
                    at[dy * Side + dx] = inside ? corner + ((nint)dy * width + dx) * sourceRow : null;
                }
            for (int c = 0; c < columns; c += V.Count) Transform<V>(at, c, channels - c, outside, target + c, point);
            if (++qx < quads.Columns) continue;
            qx = 0;
            line++;
        }
    }

    /// <summary>S in both dimensions of some channels of a patch.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transform<V>(float** at, int c, int n, float* outside, float* to, nint point) where V : struct, ILanes<V>
    {
        (V a0, V a1, V a2, V a3) = Line<V>(at, c, n, outside);
        (V b0, V b1, V b2, V b3) = Line<V>(at + Side, c, n, outside);
        (V c0, V c1, V c2, V c3) = Line<V>(at + 2 * Side, c, n, outside);
        (V d0, V d1, V d2, V d3) = Line<V>(at + 3 * Side, c, n, outside);
        Column(to, 4 * point, Shift(a0, b0, c0, d0));
        Column(to + point, 4 * point, Shift(a1, b1, c1, d1));
        Column(to + 2 * point, 4 * point, Shift(a2, b2, c2, d2));
        Column(to + 3 * point, 4 * point, Shift(a3, b3, c3, d3));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (V, V, V, V) Line<V>(float** at, int c, int n, float* outside) where V : struct, ILanes<V> => Shift(
        Load<V>(at[0], c, n, outside), Load<V>(at[1], c, n, outside), Load<V>(at[2], c, n, outside), Load<V>(at[3], c, n, outside));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Load<V>(float* pixel, int c, int n, float* outside) where V : struct, ILanes<V>
    {
        if (pixel is null) return V.Load(outside + c);
        if (n >= V.Count) return V.Load(pixel + c);
        return n > 0 ? V.LoadFirst(pixel + c, n) : default;
    }

    /// <summary>S in one dimension.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (V, V, V, V) Shift<V>(V y0, V y1, V y2, V y3) where V : struct, ILanes<V> => (y0 - y2, y1 + y2, y2 - y1, y3 - y1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Column<V>(float* to, nint distance, (V A, V B, V C, V D) x) where V : struct, ILanes<V>
    {
        x.A.Store(to);
        x.B.Store(to + distance);
        x.C.Store(to + 2 * distance);
        x.D.Store(to + 3 * distance);
    }

    private static void Spread<V>(float* products, nint point, int row, int channels, int count, float* target) where V : struct, ILanes<V>
    {
        for (int i = 0; i < count; i++, products += row, target += Positions * row)
        {
            for (int c = 0; c < channels; c += V.Count)
            {
                float* m = products + c, to = target + c;
                (V a0, V a1, V a2, V a3) = SpreadLine<V>(m, point);
                (V b0, V b1, V b2, V b3) = SpreadLine<V>(m + 4 * point, point);
                (V c0, V c1, V c2, V c3) = SpreadLine<V>(m + 8 * point, point);
                (V d0, V d1, V d2, V d3) = SpreadLine<V>(m + 12 * point, point);
                Column(to, 4 * row, Overlap(a0, b0, c0, d0));
                Column(to + row, 4 * row, Overlap(a1, b1, c1, d1));
                Column(to + 2 * row, 4 * row, Overlap(a2, b2, c2, d2));
                Column(to + 3 * row, 4 * row, Overlap(a3, b3, c3, d3));
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (V, V, V, V) SpreadLine<V>(float* m, nint point) where V : struct, ILanes<V> =>
        Overlap(V.Load(m), V.Load(m + point), V.Load(m + 2 * point), V.Load(m + 3 * point));

    /// <summary>Sᵀ in one dimension.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (V, V, V, V) Overlap<V>(V m0, V m1, V m2, V m3) where V : struct, ILanes<V> => (m0, m1 - m2 - m3, m1 + m2 - m0, m3);

    private void Sum<V>(float* patches, int row, int channels, float* edge, float* start, int first, int end, float* target, nint targetRow)
        where V : struct, ILanes<V>
    {
        int lines = quads.Lines, columns = quads.Columns;
        nint patch = Positions * (nint)row;
        (int line, int qx) = Math.DivRem(first, columns);
        float** sources = stackalloc float*[Side + Taps];
        for (int quad = first; quad < end; quad++)
        {
            (int image, int qy) = Math.DivRem(line, lines);
            for (int i = 0; i < 4; i++)
            {
                // Pixel u of a quad lies at u + 1 in its own patch, and at the far end of the next quad's on its side.
                (int u, int v) = (i >> 1, i & 1);
                int y = 2 * qy + u, x = 2 * qx + v;
                if (y >= height || x >= width) continue;
                int down = 2 * u - 1, right = 2 * v - 1, found = 0;
                float* own = patches + quad * patch;
                bool hasLine = (uint)(qy + down) < (uint)lines, hasColumn = (uint)(qx + right) < (uint)columns;
                int farY = 3 - 3 * u, farX = 3 - 3 * v;
                sources[found++] = own + ((u + 1) * Side + v + 1) * row;
                if (hasColumn) sources[found++] = own + right * patch + ((u + 1) * Side + farX) * row;
                if (hasLine) sources[found++] = own + down * columns * patch + (farY * Side + v + 1) * row;
                if (hasLine && hasColumn) sources[found++] = own + (down * columns + right) * patch + (farY * Side + farX) * row;
                if (edge is not null && (y == 0 || x == 0 || y == height - 1 || x == width - 1))
                    for (int tap = 0; tap < Taps; tap++)
                        if ((uint)(y + tap / 3 - 1) >= (uint)height || (uint)(x + tap % 3 - 1) >= (uint)width)
                            sources[found++] = edge + tap * row;
                Add<V>(sources, found, start, target + (((nint)image * height + y) * width + x) * targetRow, channels);
            }
            if (++qx < columns) continue;
            qx = 0;
            line++;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<V>(float** sources, int count, float* start, float* target, int channels) where V : struct, ILanes<V>
    {
        for (int c = 0; c < channels; c += V.Count)
        {
            int n = Math.Min(channels - c, V.Count);
            V sum = start is not null ? V.Load(start + c) : n == V.Count ? V.Load(target + c) : V.LoadFirst(target + c, n);
            for (int s = 0; s < count; s++) sum += V.Load(sources[s] + c);
            if (n == V.Count) sum.Store(target + c);
            else sum.StoreFirst(target + c, n);
        }
    }
}
