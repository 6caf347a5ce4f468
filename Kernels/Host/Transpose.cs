using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace GlowGpu.Kernels.Host;

/// <summary>
/// Transposes blocks of 16×16 floats in registers. Four steps of shuffles, sixteen each: two rows are interleaved by
/// single values, then by pairs, and whole quarters of vectors change places twice.
/// </summary>
internal static unsafe class Transpose
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    // The quarters 0 and 2, or 1 and 3, of either operand.
    private const byte Even = 0x88, Odd = 0xDD;

    /// <summary>Whether this processor can.</summary>
    public static bool IsSupported => Vector512.IsHardwareAccelerated && Avx512F.IsSupported;

    /// <summary>
    /// target[k·16 + n] = source[n·row + k]·rowScale[k]·columnScale[n] for n below <paramref name="columns"/>, which
    /// is at most 16, and 0 for the others and k below <paramref name="rows"/>, also at most 16. A null scale is 1.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Block(float* source, nint row, int rows, int columns, float* rowScale, float* columnScale,
        float* target)
    {
        Vector512<float> mask = Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(rows)).AsSingle();
        Vector512<float> s = rowScale is null ? Vector512<float>.One : Avx512F.MaskLoad(rowScale, mask,
            Vector512<float>.Zero);
        Four(source, row, columns, mask, s, columnScale, 0, out Vector512<float> a0, out Vector512<float> a1,
            out Vector512<float> a2, out Vector512<float> a3);
        Four(source, row, columns, mask, s, columnScale, 4, out Vector512<float> b0, out Vector512<float> b1,
            out Vector512<float> b2, out Vector512<float> b3);
        Four(source, row, columns, mask, s, columnScale, 8, out Vector512<float> c0, out Vector512<float> c1,
            out Vector512<float> c2, out Vector512<float> c3);
        Four(source, row, columns, mask, s, columnScale, 12, out Vector512<float> d0, out Vector512<float> d1,
            out Vector512<float> d2, out Vector512<float> d3);
        Quarters(a0, b0, c0, d0, rows, target);
        Quarters(a1, b1, c1, d1, rows - 1, target + Panels.Width);
        Quarters(a2, b2, c2, d2, rows - 2, target + 2 * Panels.Width);
        Quarters(a3, b3, c3, d3, rows - 3, target + 3 * Panels.Width);
    }

    /// <summary>Of four rows: y_j holds in quarter q what their columns 4q + j are.</summary>
    [MethodImpl(Inline)]
    private static void Four(float* source, nint row, int columns, Vector512<float> mask, Vector512<float> rowScale,
        float* columnScale, int first,
        out Vector512<float> y0, out Vector512<float> y1, out Vector512<float> y2, out Vector512<float> y3)
    {
        Vector512<float> a = Row(source, row, columns, mask, rowScale, columnScale, first),
            b = Row(source, row, columns, mask, rowScale, columnScale, first + 1);
        Vector512<float> c = Row(source, row, columns, mask, rowScale, columnScale, first + 2),
            d = Row(source, row, columns, mask, rowScale, columnScale, first + 3);
        Vector512<double> ab = Avx512F.UnpackLow(a, b).AsDouble(), cd = Avx512F.UnpackLow(c, d).AsDouble();
        y0 = Avx512F.UnpackLow(ab, cd).AsSingle();
        y1 = Avx512F.UnpackHigh(ab, cd).AsSingle();
        ab = Avx512F.UnpackHigh(a, b).AsDouble();
        cd = Avx512F.UnpackHigh(c, d).AsDouble();
        y2 = Avx512F.UnpackLow(ab, cd).AsSingle();
        y3 = Avx512F.UnpackHigh(ab, cd).AsSingle();
    }

    [MethodImpl(Inline)]
    private static Vector512<float> Row(float* source, nint row, int columns, Vector512<float> mask,
        Vector512<float> rowScale, float* columnScale, int n)
    {
        if (n >= columns) return Vector512<float>.Zero;
        Vector512<float> x = Avx512F.MaskLoad(source + n * row, mask, Vector512<float>.Zero) * rowScale;
        return columnScale is null ? x : x * Vector512.Create(columnScale[n]);
    }

    /// <summary>The rows 0, 4, 8 and 12 of what is left of target.</summary>
    [MethodImpl(Inline)]
    private static void Quarters(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d,
        int rows, float* target)
    {
        Vector512<float> ab = Avx512F.Shuffle4x128(a, b, Even), cd = Avx512F.Shuffle4x128(c, d, Even);
        if (rows > 0) Avx512F.Shuffle4x128(ab, cd, Even).Store(target);
        if (rows > 8) Avx512F.Shuffle4x128(ab, cd, Odd).Store(target + 8 * Panels.Width);
        ab = Avx512F.Shuffle4x128(a, b, Odd);
        cd = Avx512F.Shuffle4x128(c, d, Odd);
        if (rows > 4) Avx512F.Shuffle4x128(ab, cd, Even).Store(target + 4 * Panels.Width);
        if (rows > 12) Avx512F.Shuffle4x128(ab, cd, Odd).Store(target + 12 * Panels.Width);
    }
}
