using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace GlowGpu.Kernels.Host;

/// <summary>
/// The narrow side of a <see cref="MinimalFilter"/>: every block of an image sees the patch of pixels that begins one
/// above and one left of it and ends one below and one right of it. Gathering transforms the patches; spreading and
/// summing is its transpose, in which the patches of neighbouring blocks overlap.
/// </summary>
internal readonly unsafe struct BlockPatches(Pixels pixels, MinimalFilter filter)
{
    private const int Taps = 9;

    // Those that lead from a line or column at the border of an image out of it.
    private const int UpperTaps = 0b000_000_111, LowerTaps = 0b111_000_000, LeftTaps = 0b001_001_001,
        RightTaps = 0b100_100_100;

    private readonly Blocks blocks = new(pixels, filter.Side);
    private readonly int height = pixels.H, width = pixels.W, block = filter.Side, side = filter.PatchSide;

    /// <summary>
    /// target[g, i, c] = S of source around block first + i, zero outside the image. With <paramref name="edge"/>
    /// there is one more channel, the last, that is 1 outside and 0 inside. Rows of target hold the channels padded
    /// to whole <see cref="Panels"/>,
    /// <paramref name="point"/> floats lie between two g.
    /// </summary>
    public void Gather(float* source, nint sourceRow, int channels, bool edge, int first, int count,
        float* target, nint point)
    {
        if (Vector512.IsHardwareAccelerated) Gather<Lanes512>(source, sourceRow, channels, edge, first,
            count, target, point);
        else if (Vector256.IsHardwareAccelerated) Gather<Lanes256>(source, sourceRow, channels, edge, first,
            count, target, point);
        else Gather<Lanes128>(source, sourceRow, channels, edge, first, count, target, point);
    }

    /// <summary>
    /// target[i, position, c] = Sᵀ of the products [g, i, c] of <paramref name="count"/> blocks,
    /// <paramref name="row"/> floats a row on both sides; lanes beyond the channels are arbitrary.
    /// </summary>
    public void Spread(float* products, nint point, int row, int channels, int count, float* target) =>
        filter.Overlap(products, point, row, channels, count, target);

    /// <summary>
    /// target[p, c] = start[c] + what the patches <c>[block, position, row]</c> that meet in pixel p hold there, for
    /// the pixels of the blocks [first, end); a null <paramref name="start"/> adds to what target holds. Unless
    /// <paramref name="edge"/> is null, edge[tap·row + c] is added for every tap that leads from p out of the image.
    /// </summary>
    public void Sum(float* patches, int row, int channels, float* edge, float* start, int first, int end,
        float* target, nint targetRow)
    {
        if (Vector512.IsHardwareAccelerated) Sum<Lanes512>(patches, row, channels, edge, start, first, end,
            target, targetRow);
        else if (Vector256.IsHardwareAccelerated) Sum<Lanes256>(patches, row, channels, edge, start, first, end,
            target, targetRow);
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
                    for (int x = 0; x < width; x++) HostReduce.AddRow(start + ((nint)line * width + x) * sourceRow,
                        to, channels);
                if (dx == 1) continue;
                for (int y = 0; y < height; y++)
                    if (dy == 1 || y != line) HostReduce.AddRow(start + ((nint)y * width + column) * sourceRow, to,
                        channels);
            }
        }
    }

    private void Gather<V>(float* source, nint sourceRow, int channels, bool edge, int first, int count,
        float* target, nint point)
        where V : struct, ILanes<V>
    {
        int columns = edge ? channels + 1 : channels, row = Panels.Pad(columns), whole = channels / V.Count * V.Count;
        float* outside = stackalloc float[row], patch = stackalloc float[side * side * row];
        new Span<float>(outside, row).Clear();
        if (edge) outside[channels] = 1;
        (int line, int column) = Math.DivRem(first, blocks.Columns);
        for (int i = 0; i < count; i++, target += row)
        {
            if (first + i >= blocks.Count)
            {
                for (int g = 0; g < filter.Points; g++) new Span<float>(target + g * point, row).Clear();
                continue;
            }
            (int image, int blockLine) = Math.DivRem(line, blocks.Lines);
            int y = block * blockLine - 1, x = block * column - 1;
            float* corner = source + (((nint)image * height + y) * width + x) * sourceRow, to = patch;
            for (int dy = 0; dy < side; dy++, corner += width * sourceRow)
            {
                float* from = corner;
                for (int dx = 0; dx < side; dx++, from += sourceRow, to += row)
                {
                    if ((uint)(y + dy) < (uint)height && (uint)(x + dx) < (uint)width)
                    {
                        for (int c = 0; c < whole; c += V.Count) V.Load(from + c).Store(to + c);
                        if (whole < channels) V.LoadFirst(from + whole, channels - whole).Store(to + whole);
                        else if (edge) to[channels] = 0;
                    }
                    else
                    {
                        for (int c = 0; c < columns; c += V.Count) V.Load(outside + c).Store(to + c);
                    }
                }
            }
            filter.Shift(patch, row, columns, target, point);
            if (++column < blocks.Columns) continue;
            column = 0;
            line++;
        }
    }

    private void Sum<V>(float* patches, int row, int channels, float* edge, float* start, int first, int end,
        float* target, nint targetRow)
        where V : struct, ILanes<V>
    {
        int lines = blocks.Lines, columns = blocks.Columns;
        nint patch = (nint)side * side * row;
        (int line, int column) = Math.DivRem(first, columns);
        for (int i = first; i < end; i++)
        {
            (int image, int blockLine) = Math.DivRem(line, lines);
            float* own = patches + i * patch;
            for (int u = 0; u < block; u++)
            {
                int y = block * blockLine + u;
                if (y >= height) break;

                // Line u of a block is line u + 1 of its own patch, and the first or the last of the patch below or
                // above.
                int down = u == block - 1 && blockLine + 1 < lines ? 1 : u == 0 && blockLine > 0 ? -1 : 0;
                float* ownLine = own + (nint)(u + 1) * side * row;
                float* nextLine = down == 0 ? null : own + down * columns * patch + (nint)(down > 0 ? 0 : side - 1)
                    * side * row;
                float* to = target + (((nint)image * height + y) * width + block * column) * targetRow;
                int above = (y == 0 ? UpperTaps : 0) | (y == height - 1 ? LowerTaps : 0);
                for (int v = 0; v < block; v++, to += targetRow)
                {
                    int x = block * column + v;
                    if (x >= width) break;
                    int right = v == block - 1 && column + 1 < columns ? 1 : v == 0 && column > 0 ? -1 : 0;
                    nint at = (nint)(v + 1) * row, beside = right * patch + (nint)(right > 0 ? 0 : side - 1) * row;
                    int outside = above | (x == 0 ? LeftTaps : 0) | (x == width - 1 ? RightTaps : 0);
                    Add<V>(ownLine, nextLine, at, right != 0, beside, edge, edge is null ? 0 : outside, row, start,
                        to, channels);
                }
            }
            if (++column < columns) continue;
            column = 0;
            line++;
        }
    }

    /// <summary>
    /// What two lines of patches, the second perhaps null, hold at a place and, if there is one, at another beside
    /// it, and the rows of
    /// <paramref name="edge"/> that belong to some taps, a bit each.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<V>(float* own, float* next, nint at, bool hasBeside, nint beside, float* edge, int taps,
        int row, float* start, float* target, int channels)
        where V : struct, ILanes<V>
    {
        for (int c = 0; c < channels; c += V.Count)
        {
            int n = Math.Min(channels - c, V.Count);
            V sum = start is not null ? V.Load(start + c) : n == V.Count ? V.Load(target + c)
                : V.LoadFirst(target + c, n);
            sum += V.Load(own + at + c);
            if (hasBeside) sum += V.Load(own + beside + c);
            if (next is not null)
            {
                sum += V.Load(next + at + c);
                if (hasBeside) sum += V.Load(next + beside + c);
            }
            for (int left = taps; left != 0; left &= left - 1) sum += V.Load(edge
                + BitOperations.TrailingZeroCount(left) * row + c);
            if (n == V.Count) sum.Store(target + c);
            else sum.StoreFirst(target + c, n);
        }
    }
}
