using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace GlowGpu.Kernels.Host;

/// <summary>
/// The panel layout of the host's matrices: columns in groups of 16, each group stored row after row,
/// <c>[n/16][rows][16]</c>. A row of a panel is one cache line, so that any vector width reads whole lines and the same
/// memory serves as either factor of a product: broadcast along a row, broadcast down a column, or loaded as vectors.
/// The last panel is padded with zeros.
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
            int n = Math.Min(Width, columns - c);
            for (int r = 0; r < rows; r++) CopyRow(source + c + r * sourceRow, target + r * Width, n);
        }
    }

    /// <summary>
    /// target[k, first + n] = source[n, k]·rowScale[k]·columnScale[n] for n below <paramref name="columns"/> and k
    /// below
    /// <paramref name="rows"/>: packs the transpose. A null scale is 1. What lies <paramref name="next"/> floats
    /// further, unless that is 0, is fetched meanwhile:
    /// a block meets too many rows for a processor to see where it goes.
    /// </summary>
    public static void PackTransposed(float* source, nint sourceRow, int rows, int columns,
        float* rowScale, float* columnScale,
        float* target, nint panel, int first = 0, nint next = 0)
    {
        for (int n = 0; n < columns;)
        {
            // Panel by panel, so that each source row is read from end to end; a block of target, 4 KB, stays in L1
            // while four of its columns at a time are written.
            const int Block = 64;
            int lane = (first + n) % Width, width = Math.Min(Width - lane, columns - n);
            float* from = source + n * sourceRow, to = target + (first + n) / Width * panel + lane;
            float* factors = columnScale is null ? null : columnScale + n;
            for (int k = 0; k < rows; k += Block)
                TransposeBlock(from + k, sourceRow, Math.Min(Block, rows - k), width,
                    rowScale is null ? null : rowScale + k, factors, to + k * Width, next);
            n += width;
        }
    }

    /// <summary>
    /// <see cref="PackTransposed"/> of one panel from its first column on; the padding behind the last column becomes
    /// 0.
    /// </summary>
    public static void PackTransposedPanel(
        float* source, nint sourceRow, int rows, int columns, float* rowScale, float* columnScale,
            float* target, nint next = 0)
    {
        if (!Transpose.IsSupported)
        {
            PackTransposed(source, sourceRow, rows, columns, rowScale, columnScale, target, 0);
            ClearPadding(target, 0, rows, columns);
            return;
        }
        for (int k = 0; k < rows; k += Width)
        {
            Fetch(source + k, sourceRow, columns, next);
            Transpose.Block(source + k, sourceRow, Math.Min(Width, rows - k), columns,
                rowScale is null ? null : rowScale + k, columnScale, target + k * Width);
        }
    }

    /// <summary>
    /// Zeroes the padding behind a matrix's last column, so that it adds nothing wherever whole panels are read.
    /// </summary>
    public static void ClearPadding(float* target, nint panel, int rows, int columns)
    {
        int lane = columns % Width;
        if (lane == 0) return;
        float* last = target + columns / Width * panel;
        for (int r = 0; r < rows; r++) new Span<float>(last + r * Width + lane, Width - lane).Clear();
    }

    /// <summary>
    /// target[i] = source[i] for i below n, which is at most 16. Two vectors that overlap cover any n.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void CopyRow(float* source, float* target, int n)
    {
        if (n >= 8)
        {
            Vector256<float> a = Vector256.Load(source), b = Vector256.Load(source + n - 8);
            a.Store(target);
            b.Store(target + n - 8);
        }
        else if (n >= 4)
        {
            Vector128<float> a = Vector128.Load(source), b = Vector128.Load(source + n - 4);
            a.Store(target);
            b.Store(target + n - 4);
        }
        else
        {
            for (int i = 0; i < n; i++) target[i] = source[i];
        }
    }

    /// <summary>
    /// target[i] = source[i]·scale[i] for i below n, which is at most 16. Two vectors that overlap cover any n.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scale(float* source, float* scale, float* target, int n)
    {
        if (n >= 8)
        {
            int last = n - 8;
            Vector256<float> a = Vector256.Load(source) * Vector256.Load(scale);
            Vector256<float> b = Vector256.Load(source + last) * Vector256.Load(scale + last);
            a.Store(target);
            b.Store(target + last);
        }
        else if (n >= 4)
        {
            int last = n - 4;
            Vector128<float> a = Vector128.Load(source) * Vector128.Load(scale);
            Vector128<float> b = Vector128.Load(source + last) * Vector128.Load(scale + last);
            a.Store(target);
            b.Store(target + last);
        }
        else
        {
            for (int i = 0; i < n; i++) target[i] = source[i] * scale[i];
        }
    }

    private static void Fetch(float* source, nint row, int rows, nint next)
    {
        if (next == 0) return;
        source += next;
        for (int n = 0; n < rows; n++) Ahead.Line(source + n * row);
    }

    private static void TransposeBlock(
        float* source, nint row, int count, int columns, float* rowScale, float* columnScale, float* target, nint next)
    {
        if (columns == Width && Transpose.IsSupported)
        {
            int whole = count / Width * Width;
            for (int k = 0; k < whole; k += Width)
            {
                Fetch(source + k, row, Width, next);
                Transpose.Block(source + k, row, Width, Width, rowScale is null ? null : rowScale + k, columnScale,
                    target + k * Width);
            }
            source += whole;
            target += whole * Width;
            count -= whole;
            if (rowScale is not null) rowScale += whole;
        }
        int n = 0;
        for (; n + 4 <= columns && Sse.IsSupported; n += 4)
            Transpose4(source + n * row, row, count, rowScale, columnScale is null ? null : columnScale + n,
                target + n);
        for (; n < columns; n++)
        {
            float factor = columnScale is null ? 1 : columnScale[n];
            for (int k = 0; k < count; k++)
                target[k * Width + n] = source[n * row + k] * (rowScale is null ? 1 : rowScale[k]) * factor;
        }
    }

    private static void Transpose4(float* source, nint row, int count, float* rowScale, float* columnScale,
        float* target)
    {
        Vector128<float> one = Vector128<float>.One, f = columnScale is null ? one : Vector128.Load(columnScale);
        int k = 0;
        for (; k + 4 <= count; k += 4)
        {
            Vector128<float> s = rowScale is null ? one : Vector128.Load(rowScale + k);
            Vector128<float> a = Vector128.Load(source + k) * s, b = Vector128.Load(source + row + k) * s;
            Vector128<float> c = Vector128.Load(source + 2 * row + k) * s, d = Vector128.Load(source + 3 * row + k) * s;
            Vector128<float> ab = Sse.UnpackLow(a, b), cd = Sse.UnpackLow(c, d);
            (Sse.MoveLowToHigh(ab, cd) * f).Store(target + k * Width);
            (Sse.MoveHighToLow(cd, ab) * f).Store(target + (k + 1) * Width);
            ab = Sse.UnpackHigh(a, b);
            cd = Sse.UnpackHigh(c, d);
            (Sse.MoveLowToHigh(ab, cd) * f).Store(target + (k + 2) * Width);
            (Sse.MoveHighToLow(cd, ab) * f).Store(target + (k + 3) * Width);
        }
        for (; k < count; k++)
            for (int n = 0; n < 4; n++)
                target[k * Width + n] = source[n * row + k] * (rowScale is null ? 1 : rowScale[k]) * f[n];
    }
}
