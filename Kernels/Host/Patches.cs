using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace GlowGpu.Kernels.Host;

/// <summary>
/// The geometry of a 3×3 convolution over <c>[N,H,W]</c> pixels, as the two memory movements that turn it into a matrix
/// product: gathering the nine neighbours of a pixel, and adding up the nine taps that meet in a pixel. Tap
/// <c>t = 3·dy + dx</c> points from a pixel (y, x) at (y + dy − 1, x + dx − 1), or, for the transposed convolution of
/// a backward pass, at the mirrored pixel (y − dy + 1, x − dx + 1).
/// </summary>
internal readonly unsafe struct Patches(Pixels pixels, bool mirrored)
{
    /// <summary>Taps of the kernel.</summary>
    public const int Taps = 9;

    private readonly int height = pixels.H, width = pixels.W, sign = mirrored ? -1 : 1;

    /// <summary>
    /// Rows of a patch matrix, in <see cref="Panels"/> <paramref name="panel"/> apart: target[i, t·cols + c] =
    /// source[neighbour t of pixel first + i, c], zero outside the image. With <paramref name="edge"/> cols is
    /// channels + 1 and the last of them is 1 outside the image, 0 inside; without, cols is channels.
    /// </summary>
    public void Gather(
        float* source, nint sourceRow, int channels, bool edge, int first, int count, float* target, nint panel)
    {
        int cols = edge ? channels + 1 : channels;
        for (int tap = 0; tap < Taps; tap++)
        {
            // Column by column of panels, so that what a pixel copies is known before the walk over the pixels.
            for (int c = 0; c < channels;)
            {
                int column = tap * cols + c, lane = column % Panels.Width,
                    n = Math.Min(Panels.Width - lane, channels - c);
                GatherColumns(source + c, sourceRow, n, tap, first, count,
                    target + column / Panels.Width * panel + lane);
                c += n;
            }
            if (!edge) continue;
            int last = tap * cols + channels;
            MarkEdge(tap, first, count, target + last / Panels.Width * panel + last % Panels.Width);
        }
        Panels.ClearPadding(target, panel, count, Taps * cols);
    }

    /// <summary>
    /// The transpose of gathering: target[first + i, c] = start[c] + Σ over taps of taps[neighbour t, t·channels +
    /// c], where a neighbour outside the image gives edge[t·channels + c], or nothing when <paramref name="edge"/> is
    /// null. A null
    /// <paramref name="start"/> adds to what target holds.
    /// </summary>
    public void Sum(float* taps, nint tapsRow, int channels, float* edge, float* start, int first, int count,
        float* target, nint targetRow)
    {
        float** sources = stackalloc float*[Taps];
        nint* steps = stackalloc nint[Taps];
        int found = 0;
        (int row, int x) = Math.DivRem(first, width);
        int y = row % height;
        for (int pixel = first; pixel < first + count; pixel++)
        {
            // Between the first and the last column of the image the same neighbours exist from pixel to pixel.
            if (pixel == first || x < 2 || x == width - 1)
            {
                found = 0;
                for (int tap = 0; tap < Taps; tap++)
                {
                    (int dy, int dx) = Offset(tap);
                    bool inside = (uint)(y + dy) < (uint)height && (uint)(x + dx) < (uint)width;
                    if (!inside && edge is null) continue;
                    sources[found] = (inside ? taps + (pixel + dy * width + dx) * tapsRow : edge) + tap * channels;
                    steps[found++] = inside ? tapsRow : 0;
                }
            }
            else
            {
                for (int s = 0; s < found; s++) sources[s] += steps[s];
            }
            float* to = target + pixel * targetRow;
            SumRows(sources, found, start is null ? to : start, to, channels);
            if (++x < width) continue;
            x = 0;
            if (++y == height) y = 0;
        }
    }

    private (int Dy, int Dx) Offset(int tap) => (sign * (tap / 3 - 1), sign * (tap % 3 - 1));

    private void GatherColumns(float* source, nint sourceRow, int n, int tap, int first, int count, float* target)
    {
        (int dy, int dx) = Offset(tap);
        source += sourceRow * (dy * width + dx);
        for (Run run = new(first, count, height, width); run.Count > 0; run.Next())
        {
            (int before, int inside, int after) = run.Split(dy, dx);
            float* to = target + (nint)(run.Pixel - first) * Panels.Width;
            for (int i = 0; i < before; i++) new Span<float>(to + i * Panels.Width, n).Clear();
            to += before * Panels.Width;
            CopyRows(source + (run.Pixel + before) * sourceRow, sourceRow, inside, n, to);
            to += inside * Panels.Width;
            for (int i = 0; i < after; i++) new Span<float>(to + i * Panels.Width, n).Clear();
        }
    }

    private void MarkEdge(int tap, int first, int count, float* target)
    {
        (int dy, int dx) = Offset(tap);
        for (Run run = new(first, count, height, width); run.Count > 0; run.Next())
        {
            (int before, int inside, _) = run.Split(dy, dx);
            float* to = target + (nint)(run.Pixel - first) * Panels.Width;
            int i = 0;
            for (; i < before; i++) to[i * Panels.Width] = 1;
            for (; i < before + inside; i++) to[i * Panels.Width] = 0;
            for (; i < run.Count; i++) to[i * Panels.Width] = 1;
        }
    }

    /// <summary>
    /// Rows of n floats (1 … 16) to rows of a panel. Two vectors that overlap cover any n without a tail.
    /// </summary>
    private static void CopyRows(float* from, nint fromRow, int rows, int n, float* to)
    {
        if (n >= 8)
        {
            for (; rows > 0; rows--, from += fromRow, to += Panels.Width)
            {
                Vector256<float> a = Vector256.Load(from), b = Vector256.Load(from + n - 8);
                a.Store(to);
                b.Store(to + n - 8);
            }
        }
        else if (n >= 4)
        {
            for (; rows > 0; rows--, from += fromRow, to += Panels.Width)
            {
                Vector128<float> a = Vector128.Load(from), b = Vector128.Load(from + n - 4);
                a.Store(to);
                b.Store(to + n - 4);
            }
        }
        else
        {
            for (; rows > 0; rows--, from += fromRow, to += Panels.Width)
                for (int i = 0; i < n; i++) to[i] = from[i];
        }
    }

    private static void SumRows(float** sources, int count, float* start, float* target, int n)
    {
        if (n >= 8)
        {
            // The last vector may overlap the one before it, and start may be target: it is summed before that is
            // stored.
            Vector256<float> last = Sum8(sources, count, start, n - 8);
            for (int c = 0; c + 8 < n; c += 8) Sum8(sources, count, start, c).Store(target + c);
            last.Store(target + n - 8);
        }
        else if (n >= 4)
        {
            Vector128<float> low = Sum4(sources, count, start, 0), high = Sum4(sources, count, start, n - 4);
            low.Store(target);
            high.Store(target + n - 4);
        }
        else
        {
            for (int c = 0; c < n; c++)
            {
                float sum = start[c];
                for (int s = 0; s < count; s++) sum += sources[s][c];
                target[c] = sum;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Sum8(float** sources, int count, float* start, int c)
    {
        Vector256<float> sum = Vector256.Load(start + c);
        for (int s = 0; s < count; s++) sum += Vector256.Load(sources[s] + c);
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Sum4(float** sources, int count, float* start, int c)
    {
        Vector128<float> sum = Vector128.Load(start + c);
        for (int s = 0; s < count; s++) sum += Vector128.Load(sources[s] + c);
        return sum;
    }

    /// <summary>The pixels of a range, image row by image row.</summary>
    private struct Run
    {
        private readonly int end, height, width;
        private int y, x;

        public Run(int first, int count, int height, int width)
        {
            end = first + count;
            this.height = height;
            this.width = width;
            (int row, x) = Math.DivRem(first, width);
            y = row % height;
            Pixel = first;
            Count = Math.Min(width - x, count);
        }

        /// <summary>First pixel of the run.</summary>
        public int Pixel { get; private set; }

        /// <summary>Pixels of the run; 0 when all are done.</summary>
        public int Count { get; private set; }

        /// <summary>
        /// How many pixels of the run, from its start on, have a neighbour outside, inside and again outside the
        /// image.
        /// </summary>
        public readonly (int Before, int Inside, int After) Split(int dy, int dx)
        {
            if ((uint)(y + dy) >= (uint)height) return (Count, 0, 0);
            int before = Math.Min(Math.Max(-dx - x, 0), Count), after = Math.Min(Math.Max(x + Count + dx - width, 0),
                Count - before);
            return (before, Count - before - after, after);
        }

        public void Next()
        {
            Pixel += Count;
            x = 0;
            if (++y == height) y = 0;
            Count = Math.Min(width, end - Pixel);
        }
    }
}
