using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace GlowGpu.Kernels.Host;

/// <summary>
/// The panel layout of the host's matrices: columns in groups of 16, each group stored row after row,
/// <c>[n/16][rows][16]</c>. A row of a panel is one cache line, so that any vector width reads whole lines and the same
/// memory serves as either factor of a product: broadcast along a row, broadcast down a column, or loaded as vectors. The
/// last panel is padded with zeros.
/// </summary>
internal static unsafe class Panels
{
    /// <summary>Columns of a panel: 64 bytes.</summary>
    public const int Width = 16;

    /// <summary>Number of panels that hold so many columns.</summary>
    public static int Count(int columns) => (columns + Width - 1) / Width;

    /// <summary>Columns rounded up to whole panels.</summary>
    public static int Pad(int columns) => Count(columns) * Width;

    /// <summary>Floats of a matrix in panels.</summary>
    public static long Length(int rows, int columns) => (long)rows * Pad(columns);

    /// <summary>
    /// target[r, first + c] = source[r, c]·scale[c]; source has rows <paramref name="sourceRow"/> apart, target panels
    /// <paramref name="panel"/> apart.
    /// </summary>
    public static void Pack(
        float* source, nint sourceRow, int rows, int columns, float* scale, float* target, nint panel, int first = 0)
    {
        for (int c = 0; c < columns;)
        {
            int lane = (first + c) % Width, n = Math.Min(Width - lane, columns - c);
            float* to = target + (first + c) / Width * panel + lane;
            for (int r = 0; r < rows; r++) Scale(source + c + r * sourceRow, scale + c, to + r * Width, n);
            c += n;
        }
    }

    /// <summary>target[r, c] = source[r, c]: <see cref="Pack"/> without scale.</summary>
    public static void Copy(float* source, nint sourceRow, int rows, int columns, float* target, nint panel)
    {
        for (int c = 0; c < columns; c += Width, target += panel)
        {
            int bytes = Math.Min(Width, columns - c) * sizeof(float);
            for (int r = 0; r < rows; r++) Unsafe.CopyBlock(target + r * Width, source + c + r * sourceRow, (uint)bytes);
        }
    }

    /// <summary>target[r, c] = source[r, first + c]·scale[c]: the inverse of <see cref="Pack"/>.</summary>
    public static void Unpack(
        float* source, nint panel, int first, int rows, int columns, float* scale, float* target, nint targetRow)
    {
        for (int c = 0; c < columns;)
        {
            int lane = (first + c) % Width, n = Math.Min(Width - lane, columns - c);
            float* from = source + (first + c) / Width * panel + lane;
            for (int r = 0; r < rows; r++) Scale(from + r * Width, scale + c, target + c + r * targetRow, n);
            c += n;
        }
    }

    /// <summary>
    /// target[k, first + n] = source[n, k]·scale[k] for n below <paramref name="columns"/> and k below
    /// <paramref name="rows"/>: packs the transpose.
    /// </summary>
    public static void PackTransposed(
        float* source, nint sourceRow, int rows, int columns, float* scale, float* target, nint panel, int first = 0)
    {
        for (int n = 0; n < columns;)
        {
            int lane = (first + n) % Width;
            float* to = target + (first + n) / Width * panel + lane;
            float* from = source + n * sourceRow;
            if (lane <= Width - 4 && n + 4 <= columns && Sse.IsSupported)
            {
                Transpose4(from, sourceRow, rows, scale, to);
                n += 4;
            }
            else
            {
                for (int k = 0; k < rows; k++) to[k * Width] = from[k] * scale[k];
                n++;
            }
        }
    }

    /// <summary>Zeroes the padding behind a matrix's last column, so that it adds nothing wherever whole panels are read.</summary>
    public static void ClearPadding(float* target, nint panel, int rows, int columns)
    {
        int lane = columns % Width;
        if (lane == 0) return;
        float* last = target + columns / Width * panel;
        for (int r = 0; r < rows; r++) new Span<float>(last + r * Width + lane, Width - lane).Clear();
    }

    private static void Scale(float* source, float* scale, float* target, int n)
    {
        int i = 0;
        for (; i + 8 <= n; i += 8) (Vector256.Load(source + i) * Vector256.Load(scale + i)).Store(target + i);
        for (; i + 4 <= n; i += 4) (Vector128.Load(source + i) * Vector128.Load(scale + i)).Store(target + i);
        for (; i < n; i++) target[i] = source[i] * scale[i];
    }

    private static void Transpose4(float* source, nint row, int count, float* scale, float* target)
    {
        int k = 0;
        for (; k + 4 <= count; k += 4)
        {
            Vector128<float> s = Vector128.Load(scale + k);
            Vector128<float> a = Vector128.Load(source + k) * s, b = Vector128.Load(source + row + k) * s;
            Vector128<float> c = Vector128.Load(source + 2 * row + k) * s, d = Vector128.Load(source + 3 * row + k) * s;
            Vector128<float> ab = Sse.UnpackLow(a, b), cd = Sse.UnpackLow(c, d);
            Sse.MoveLowToHigh(ab, cd).Store(target + k * Width);
            Sse.MoveHighToLow(cd, ab).Store(target + (k + 1) * Width);
            ab = Sse.UnpackHigh(a, b);
            cd = Sse.UnpackHigh(c, d);
            Sse.MoveLowToHigh(ab, cd).Store(target + (k + 2) * Width);
            Sse.MoveHighToLow(cd, ab).Store(target + (k + 3) * Width);
        }
        for (; k < count; k++)
            for (int n = 0; n < 4; n++) target[k * Width + n] = source[n * row + k] * scale[k];
    }
}
