using System.Numerics;
using System.Runtime.CompilerServices;
using static GlowGpu.Kernels.Host.DoubleVector;

namespace GlowGpu.Kernels.Host;

/// <summary>
/// Products of small row-major double matrices: what the blocked algorithms of <see cref="SmallMatrix"/> spend their
/// time in.
/// A tile of 4 rows × 3 vectors stays in registers over a block of the inner dimension, and the columns of B that it
/// meets are packed: rows of B that lie a multiple of some kilobytes apart would share the same few lines of the
/// first cache.
/// The order of summation depends on the shape alone.
/// </summary>
internal static unsafe class MatrixProduct
{
    private const int TileRows = 4, TileVectors = 3;
    private const int InnerBlock = 128;

    // Packing reads B once more; with fewer rows than this to use it on, it does not pay.
    private const int PackRows = 12;

    /// <summary>
    /// C += sign·A·B, A <c>[m,k]</c>, B <c>[k,n]</c>, C <c>[m,n]</c>, rows lda, ldb, ldc apart; C overlaps neither.
    /// </summary>
    [SkipLocalsInit]
    public static void Add(int m, int n, int k, double sign, double* a, int lda, double* b, int ldb, double* c, int ldc)
    {
        int width = TileVectors * Vector<double>.Count;
        double* packed = stackalloc double[InnerBlock * width];
        int fullRows = m / TileRows * TileRows, fullColumns = n / width * width;
        for (int q = 0; q < k; q += InnerBlock)
        {
            int inner = Math.Min(InnerBlock, k - q);
            double* left = a + q, top = b + (long)q * ldb;
            for (int j = 0; j < fullColumns; j += width)
            {
                double* panel = top + j;
                int ldp = ldb;
                if (m >= PackRows)
                {
                    Pack(inner, width, panel, ldb, packed);
                    panel = packed;
                    ldp = width;
                }
                for (int i = 0; i < fullRows; i += TileRows)
                    AddTile(inner, sign, left + (long)i * lda, lda, panel, ldp, c + (long)i * ldc + j, ldc);
            }
            // What is left of rows and columns.
            for (int i = 0; i < m; i++)
            {
                int j = i < fullRows ? fullColumns : 0;
                if (j < n) AddRow(n - j, inner, sign, left + (long)i * lda, top + j, ldb, c + (long)i * ldc + j);
            }
        }
    }

    /// <summary>y[0..n) += factor·x[0..n).</summary>
    public static void Axpy(int n, double factor, double* x, double* y)
    {
        int i = 0;
        Vector<double> f = new(factor);
        for (; i + Vector<double>.Count <= n; i += Vector<double>.Count)
            Store(y + i, MultiplyAdd(f, Load(x + i), Load(y + i)));
        for (; i < n; i++) y[i] += factor * x[i];
    }

    /// <summary>x[0..n) /= divisor.</summary>
    public static void Divide(int n, double divisor, double* x)
    {
        int i = 0;
        Vector<double> d = new(divisor);
        for (; i + Vector<double>.Count <= n; i += Vector<double>.Count) Store(x + i, Load(x + i) / d);
        for (; i < n; i++) x[i] /= divisor;
    }

    private static void Pack(int rows, int width, double* b, int ldb, double* packed)
    {
        for (int q = 0; q < rows; q++, b += ldb, packed += width)
            for (int v = 0; v < width; v += Vector<double>.Count) Store(packed + v, Load(b + v));
    }

    private static void AddTile(int k, double sign, double* a, int lda, double* b, int ldb, double* c, int ldc)
    {
        int width = Vector<double>.Count;
        double* a1 = a + lda, a2 = a1 + lda, a3 = a2 + lda;
        Vector<double> s00 = default, s01 = default, s02 = default, s10 = default, s11 = default, s12 = default;
        Vector<double> s20 = default, s21 = default, s22 = default, s30 = default, s31 = default, s32 = default;
        for (int q = 0; q < k; q++, b += ldb)
        {
            Vector<double> b0 = Load(b), b1 = Load(b + width), b2 = Load(b + 2 * width);
            Vector<double> f = new(a[q]);
            s00 = MultiplyAdd(f, b0, s00);
            s01 = MultiplyAdd(f, b1, s01);
            s02 = MultiplyAdd(f, b2, s02);
            f = new(a1[q]);
            s10 = MultiplyAdd(f, b0, s10);
            s11 = MultiplyAdd(f, b1, s11);
            s12 = MultiplyAdd(f, b2, s12);
            f = new(a2[q]);
            s20 = MultiplyAdd(f, b0, s20);
            s21 = MultiplyAdd(f, b1, s21);
            s22 = MultiplyAdd(f, b2, s22);
            f = new(a3[q]);
            s30 = MultiplyAdd(f, b0, s30);
            s31 = MultiplyAdd(f, b1, s31);
            s32 = MultiplyAdd(f, b2, s32);
        }
        AddTo(c, sign, s00, s01, s02);
        AddTo(c + ldc, sign, s10, s11, s12);
        AddTo(c + 2L * ldc, sign, s20, s21, s22);
        AddTo(c + 3L * ldc, sign, s30, s31, s32);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddTo(double* c, double sign, Vector<double> s0, Vector<double> s1, Vector<double> s2)
    {
        int width = Vector<double>.Count;
        Vector<double> f = new(sign);
        Store(c, MultiplyAdd(f, s0, Load(c)));
        Store(c + width, MultiplyAdd(f, s1, Load(c + width)));
        Store(c + 2 * width, MultiplyAdd(f, s2, Load(c + 2 * width)));
    }

    private static void AddRow(int n, int k, double sign, double* a, double* b, int ldb, double* c)
    {
        for (int q = 0; q < k; q++) Axpy(n, sign * a[q], b + (long)q * ldb, c);
    }
}
