using System.Numerics;
using System.Runtime.CompilerServices;

namespace GlowGpu.Kernels.Host;

/// <summary>
/// Products of small row-major double matrices in cache: what the blocked algorithms of <see cref="SmallMatrix"/> spend
/// their time in. A tile of 4 rows × 2 vectors stays in registers over the whole inner dimension, so that a
/// multiply-add costs less than one load. Every element is summed in the order of the inner index, whatever the tile.
/// </summary>
internal static unsafe class MatrixProduct
{
    /// <summary>C += sign·A·B, A <c>[m,k]</c>, B <c>[k,n]</c>, C <c>[m,n]</c>, rows lda, ldb, ldc apart; C overlaps neither.</summary>
    public static void Add(int m, int n, int k, double sign, double* a, int lda, double* b, int ldb, double* c, int ldc)
    {
        int i = 0;
        for (; i + 4 <= m; i += 4) Rows4(n, k, sign, a + (long)i * lda, lda, b, ldb, c + (long)i * ldc, ldc);
        for (; i < m; i++) Row(n, k, sign, a + (long)i * lda, b, ldb, c + (long)i * ldc);
    }

    /// <summary>y[0..n) += factor·x[0..n).</summary>
    public static void Axpy(int n, double factor, double* x, double* y)
    {
        int i = 0;
        Vector<double> f = new(factor);
        for (; i + Vector<double>.Count <= n; i += Vector<double>.Count)
            Store(y + i, Vector.FusedMultiplyAdd(f, Load(x + i), Load(y + i)));
        for (; i < n; i++) y[i] = Math.FusedMultiplyAdd(factor, x[i], y[i]);
    }

    private static void Rows4(int n, int k, double sign, double* a, int lda, double* b, int ldb, double* c, int ldc)
    {
        int width = Vector<double>.Count;
        double* a1 = a + lda, a2 = a1 + lda, a3 = a2 + lda;
        double* c1 = c + ldc, c2 = c1 + ldc, c3 = c2 + ldc;
        int j = 0;
        for (; j + 2 * width <= n; j += 2 * width)
        {
            Vector<double> s00 = Load(c + j), s01 = Load(c + j + width);
            Vector<double> s10 = Load(c1 + j), s11 = Load(c1 + j + width);
            Vector<double> s20 = Load(c2 + j), s21 = Load(c2 + j + width);
            Vector<double> s30 = Load(c3 + j), s31 = Load(c3 + j + width);
            double* row = b + j;
            for (int q = 0; q < k; q++, row += ldb)
            {
                Vector<double> b0 = Load(row), b1 = Load(row + width);
                Vector<double> f = new(sign * a[q]);
                s00 = Vector.FusedMultiplyAdd(f, b0, s00);
                s01 = Vector.FusedMultiplyAdd(f, b1, s01);
                f = new(sign * a1[q]);
                s10 = Vector.FusedMultiplyAdd(f, b0, s10);
                s11 = Vector.FusedMultiplyAdd(f, b1, s11);
                f = new(sign * a2[q]);
                s20 = Vector.FusedMultiplyAdd(f, b0, s20);
                s21 = Vector.FusedMultiplyAdd(f, b1, s21);
                f = new(sign * a3[q]);
                s30 = Vector.FusedMultiplyAdd(f, b0, s30);
                s31 = Vector.FusedMultiplyAdd(f, b1, s31);
            }
            Store(c + j, s00);
            Store(c + j + width, s01);
            Store(c1 + j, s10);
            Store(c1 + j + width, s11);
            Store(c2 + j, s20);
            Store(c2 + j + width, s21);
            Store(c3 + j, s30);
            Store(c3 + j + width, s31);
        }
        if (j == n) return;
        Row(n - j, k, sign, a, b + j, ldb, c + j);
        Row(n - j, k, sign, a1, b + j, ldb, c1 + j);
        Row(n - j, k, sign, a2, b + j, ldb, c2 + j);
        Row(n - j, k, sign, a3, b + j, ldb, c3 + j);
    }

    private static void Row(int n, int k, double sign, double* a, double* b, int ldb, double* c)
    {
        for (int q = 0; q < k; q++) Axpy(n, sign * a[q], b + (long)q * ldb, c);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<double> Load(double* p) => Unsafe.ReadUnaligned<Vector<double>>(p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(double* p, Vector<double> v) => Unsafe.WriteUnaligned(p, v);
}
