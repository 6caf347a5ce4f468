using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace GlowGpu.Kernels.Host;

/// <summary>
/// The geometry of a 3×3 convolution over <c>[N,H,W]</c> pixels, as the two memory movements that turn it into a matrix
/// product: gathering the nine neighbours of a pixel, and adding up the nine taps that meet in a pixel. Tap
/// <c>t = 3·dy + dx</c> points from a pixel (y, x) at (y + dy − 1, x + dx − 1), or, for the transposed convolution of a backward
/// pass, at the mirrored pixel (y − dy + 1, x − dx + 1).
/// </summary>
internal readonly unsafe struct Patches(Pixels pixels, bool mirrored)
{
    /// <summary>Taps of the kernel.</summary>
    public const int Taps = 9;

    private readonly int height = pixels.H, width = pixels.W, sign = mirrored ? -1 : 1;

    /// <summary>
    /// Rows of a patch matrix, in <see cref="Panels"/> <paramref name="panel"/> apart: target[i, t·cols + c] = source[neighbour t of pixel
    /// first + i, c], zero outside the image. With <paramref name="edge"/> cols is channels + 1 and the last of them is 1 outside the image,
    /// 0 inside; without, cols is channels.
    /// </summary>
    public void Gather(float* source, nint sourceRow, int channels, bool edge, int first, int count, float* target, nint panel)
    {
        int cols = edge ? channels + 1 : channels;
        for (int tap = 0; tap < Taps; tap++)
        {
            int dy = sign * (tap / 3 - 1), dx = sign * (tap % 3 - 1);
            Cursor at = new(first, height, width);
            nint offset = sourceRow * (dy * width + dx);
            for (int i = 0; i < count; i++, at.Next())
            {
                bool inside = at.Inside(dy, dx);
                float* from = source + (first + i) * sourceRow + offset;
                int column = tap * cols;
                for (int c = 0; c < channels;)
                {
                    int lane = (column + c) % Panels.Width, n = Math.Min(Panels.Width - lane, channels - c);
                    float* to = target + (column + c) / Panels.Width * panel + i * Panels.Width + lane;
                    if (inside) Copy(from + c, to, n);
                    else new Span<float>(to, n).Clear();
                    c += n;
                }
                if (!edge) continue;
                column += channels;
                target[column / Panels.Width * panel + i * Panels.Width + column % Panels.Width] = inside ? 0 : 1;
            }
        }
        Panels.ClearPadding(target, panel, count, Taps * cols);
    }

    /// <summary>
    /// The transpose of gathering: target[first + i, c] = start[c] + Σ over taps of taps[neighbour t, t·channels + c], where a
    /// neighbour outside the image gives edge[t·channels + c], or nothing when <paramref name="edge"/> is null. A null
    /// <paramref name="start"/> adds to what target holds.
    /// </summary>
    public void Sum(float* taps, nint tapsRow, int channels, float* edge, float* start, int first, int count, float* target, nint targetRow)
    {
        float** sources = stackalloc float*[Taps];
        Cursor at = new(first, height, width);
        for (int i = 0; i < count; i++, at.Next())
        {
            int found = 0;
            for (int tap = 0; tap < Taps; tap++)
            {
                int dy = sign * (tap / 3 - 1), dx = sign * (tap % 3 - 1);
                if (at.Inside(dy, dx)) sources[found++] = taps + (first + i + dy * width + dx) * tapsRow + tap * channels;
                else if (edge is not null) sources[found++] = edge + tap * channels;
            }
            float* to = target + (first + i) * targetRow;
            SumRows(sources, found, start is null ? to : start, to, channels);
        }
    }

    private static void SumRows(float** sources, int count, float* start, float* target, int n)
    {
        int c = 0;
        for (; c + 8 <= n; c += 8)
        {
            Vector256<float> sum = Vector256.Load(start + c);
            for (int s = 0; s < count; s++) sum += Vector256.Load(sources[s] + c);
            sum.Store(target + c);
        }
        for (; c + 4 <= n; c += 4)
        {
            Vector128<float> sum = Vector128.Load(start + c);
            for (int s = 0; s < count; s++) sum += Vector128.Load(sources[s] + c);
            sum.Store(target + c);
        }
        for (; c < n; c++)
        {
            float sum = start[c];
            for (int s = 0; s < count; s++) sum += sources[s][c];
            target[c] = sum;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Copy(float* from, float* to, int n)
    {
        int i = 0;
        for (; i + 4 <= n; i += 4) Vector128.Load(from + i).Store(to + i);
        for (; i < n; i++) to[i] = from[i];
    }

    /// <summary>Row and column of a pixel as it walks through the batch.</summary>
    private struct Cursor
    {
        private readonly int height, width;
        private int y, x;

        public Cursor(int pixel, int height, int width)
        {
            this.height = height;
            this.width = width;
            (int row, x) = Math.DivRem(pixel, width);
            y = row % height;
        }

        public readonly bool Inside(int dy, int dx) => (uint)(y + dy) < (uint)height && (uint)(x + dx) < (uint)width;

        public void Next()
        {
            if (++x < width) return;
            x = 0;
            if (++y == height) y = 0;
        }
    }
}
