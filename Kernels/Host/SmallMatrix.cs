namespace GlowGpu.Kernels.Host;

/// <summary>How an LU factorisation went.</summary>
/// <param name="Parity">sign of the row order as a permutation, ±1</param>
/// <param name="WeakestPivot">column whose pivot is smallest against its column</param>
/// <param name="WeakestRatio">
/// |that pivot| over the largest entry its column of the matrix had; about n·2⁻⁵² is what rounding leaves of a zero
/// </param>
public readonly record struct LuStatus(int Parity, int WeakestPivot, double WeakestRatio)
{
    /// <summary>
    /// True when nothing but rounding stands between the matrix of order <paramref name="n"/> and a zero pivot.
    /// </summary>
    public bool IsSingular(int n) => !(WeakestRatio > n * Math.ScaleB(1, -52));
}

/// <summary>
/// Dense linear algebra on the C × C matrices of a flow (C up to some hundreds): row-major, double precision, in
/// blocks so that nearly all of the work is register-tiled products. Methods that take spans allocate nothing up to
/// order 1024.
/// </summary>
public static unsafe class SmallMatrix
{
    private const int Block = 32;
    private const int StackOrder = 1024;

    /// <summary>
    /// LU with partial pivoting, in place: row <c>order[r]</c> of the matrix is row r of L·U, with L unit lower
    /// triangular (its diagonal not stored) and U upper triangular. After a zero pivot the factorisation goes on.
    /// 2/3·n³ flops.
    /// </summary>
    /// <exception cref="ArgumentException">A span is too short for order n.</exception>
    public static LuStatus Factor(int n, Span<double> matrix, Span<int> order)
    {
        Check(n, matrix.Length, n);
        Check(n, order.Length, 1);
        Span<double> largest = n <= StackOrder ? stackalloc double[n] : new double[n];
        int parity = 1;
        fixed (double* a = matrix)
        {
            ColumnMaxima(n, a, largest);
            for (int k = 0; k < n; k++) order[k] = k;
            for (int k0 = 0; k0 < n; k0 += Block)
            {
                int k1 = Math.Min(n, k0 + Block), rest = n - k1;
                for (int k = k0; k < k1; k++)
                {
                    int pivot = PivotRow(n, a, k);
                    if (pivot != k)
                    {
                        SwapRows(n, a + (long)k * n, a + (long)pivot * n);
                        (order[k], order[pivot]) = (order[pivot], order[k]);
                        parity = -parity;
                    }
                    EliminateColumn(n, a, k, k1);
                }
                double* right = a + (long)k0 * n + k1;
                SolveUnitLowerBlock(k1 - k0, a + (long)k0 * n + k0, n, rest, right, n);
                MatrixProduct.Add(rest, rest, k1 - k0, -1, a + (long)k1 * n + k0, n, right, n, a + (long)k1 * n + k1,
                    n);
            }
            return Weakest(n, a, largest, parity);
        }
    }

    /// <summary>ln|det| = Σ ln|u_kk| of a factored matrix; −∞ with a zero pivot.</summary>
    public static double LogAbsDeterminant(int n, ReadOnlySpan<double> lu)
    {
        Check(n, lu.Length, n);
        double sum = 0;
        for (int k = 0; k < n; k++) sum += Math.Log(Math.Abs(lu[k * n + k]));
        return sum;
    }

    /// <summary>
    /// inverse ← W⁻¹ of the matrix W whose row <c>order[r]</c> is row r of L·U (<see cref="Factor"/>); a zero pivot
    /// gives entries that are not finite. 2·n³ flops.
    /// </summary>
    public static void InvertFactored(int n, ReadOnlySpan<double> lu, ReadOnlySpan<int> order, Span<double> inverse)
    {
        Check(n, inverse.Length, n);
        Check(n, order.Length, 1);
        inverse[..(n * n)].Clear();
        for (int r = 0; r < n; r++) inverse[r * n + order[r]] = 1;
        SolveUnitLower(n, lu, n, inverse);
        SolveUpper(n, lu, n, inverse);
    }

    /// <summary>
    /// x ← L⁻¹·x for x <c>[n,m]</c>, with L the unit lower triangle of <paramref name="lower"/>; the rest is not
    /// read.
    /// </summary>
    public static void SolveUnitLower(int n, ReadOnlySpan<double> lower, int m, Span<double> x)
    {
        Check(n, lower.Length, n);
        Check(n, x.Length, m);
        fixed (double* l = lower, p = x)
        {
            for (int k0 = 0; k0 < n; k0 += Block)
            {
                int k1 = Math.Min(n, k0 + Block);
                double* rows = p + (long)k0 * m;
                MatrixProduct.Add(k1 - k0, m, k0, -1, l + (long)k0 * n, n, p, m, rows, m);
                SolveUnitLowerBlock(k1 - k0, l + (long)k0 * n + k0, n, m, rows, m);
            }
        }
    }

    /// <summary>
    /// x ← U⁻¹·x for x <c>[n,m]</c>, with U the upper triangle of <paramref name="upper"/>, diagonal included.
    /// </summary>
    public static void SolveUpper(int n, ReadOnlySpan<double> upper, int m, Span<double> x)
    {
        Check(n, upper.Length, n);
        Check(n, x.Length, m);
        fixed (double* u = upper, p = x)
        {
            for (int k0 = (n - 1) / Block * Block; k0 >= 0; k0 -= Block)
            {
                int k1 = Math.Min(n, k0 + Block);
                MatrixProduct.Add(k1 - k0, m, n - k1, -1, u + (long)k0 * n + k1, n, p + (long)k1 * m, m,
                    p + (long)k0 * m, m);
                for (int k = k1 - 1; k >= k0; k--)
                {
                    double pivot = u[(long)k * n + k];
                    double* row = p + (long)k * m;
                    MatrixProduct.Divide(m, pivot, row);
                    for (int i = k0; i < k; i++) MatrixProduct.Axpy(m, -u[(long)i * n + k], row, p + (long)i * m);
                }
            }
        }
    }

    /// <summary>product ← a·b of two n × n matrices; overlaps neither.</summary>
    public static void Multiply(int n, ReadOnlySpan<double> a, ReadOnlySpan<double> b, Span<double> product)
    {
        Check(n, a.Length, n);
        Check(n, b.Length, n);
        Check(n, product.Length, n);
        product[..(n * n)].Clear();
        fixed (double* pa = a, pb = b, pc = product) MatrixProduct.Add(n, n, n, 1, pa, n, pb, n, pc, n);
    }

    /// <summary>transposed ← aᵀ of an n × n matrix; does not overlap it.</summary>
    public static void Transpose(int n, ReadOnlySpan<double> a, Span<double> transposed)
    {
        Check(n, a.Length, n);
        Check(n, transposed.Length, n);
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) transposed[j * n + i] = a[i * n + j];
    }

    /// <summary>
    /// Sign (−1, 0, 1) and logarithm of the absolute value of the determinant, (0, −∞) when a pivot is zero.
    /// </summary>
    public static (int Sign, double LogAbs) SlogDet(int n, ReadOnlySpan<double> matrix)
    {
        Check(n, matrix.Length, n);
        double[] lu = matrix[..(n * n)].ToArray();
        int sign = Factor(n, lu, new int[n]).Parity;
        for (int k = 0; k < n; k++) sign *= Math.Sign(lu[k * n + k]);
        return (sign, LogAbsDeterminant(n, lu));
    }

    /// <summary>The inverse.</summary>
    /// <exception cref="ArithmeticException">The matrix is singular to rounding.</exception>
    public static double[] Inverse(int n, ReadOnlySpan<double> matrix)
    {
        Check(n, matrix.Length, n);
        double[] lu = matrix[..(n * n)].ToArray(), inverse = new double[n * n];
        int[] order = new int[n];
        LuStatus status = Factor(n, lu, order);
        if (status.IsSingular(n))
            throw new ArithmeticException(
                $"matrix: pivot {status.WeakestPivot} of {n} is {status.WeakestRatio:0.#e+0} of its column; only a "
                    + "matrix of full rank has an inverse");
        InvertFactored(n, lu, order, inverse);
        return inverse;
    }

    /// <summary>
    /// A rotation of n dimensions, uniformly distributed when <paramref name="normal"/> draws from N(0,1): the Q of a
    /// QR factorisation of n × n draws (row by row) by Householder reflections, its columns signed so that R has a
    /// positive diagonal, then the first column negated if the determinant was −1. Row-major, determinant +1.
    /// </summary>
    public static double[] RandomRotation(int n, Func<double> normal)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(n, 1);
        ArgumentNullException.ThrowIfNull(normal);
        double[] a = new double[n * n];
        for (int i = 0; i < a.Length; i++) a[i] = normal();
        return Householder.Rotation(n, a);
    }

    /// <summary>
    /// Solves with the unit lower triangle l <c>[n,n]</c> of a diagonal block, in place on x <c>[n,m]</c>.
    /// </summary>
    private static void SolveUnitLowerBlock(int n, double* l, int ldl, int m, double* x, int ldx)
    {
        for (int k = 0; k < n; k++)
            for (int i = k + 1; i < n; i++)
                MatrixProduct.Axpy(m, -l[(long)i * ldl + k], x + (long)k * ldx, x + (long)i * ldx);
    }

    private static void ColumnMaxima(int n, double* a, Span<double> largest)
    {
        largest.Clear();
        for (int i = 0; i < n; i++, a += n)
            for (int k = 0; k < n; k++) largest[k] = Math.Max(largest[k], Math.Abs(a[k]));
    }

    private static int PivotRow(int n, double* a, int k)
    {
        int pivot = k;
        double largest = Math.Abs(a[(long)k * n + k]);
        for (int i = k + 1; i < n; i++)
        {
            double candidate = Math.Abs(a[(long)i * n + k]);
            if (candidate > largest) (pivot, largest) = (i, candidate);
        }
        return pivot;
    }

    private static void SwapRows(int n, double* a, double* b)
    {
        for (int j = 0; j < n; j++) (a[j], b[j]) = (b[j], a[j]);
    }

    /// <summary>Stores column k of L and updates the columns (k, k1) of the panel.</summary>
    private static void EliminateColumn(int n, double* a, int k, int k1)
    {
        double* row = a + (long)k * n;
        // Partial pivoting: with a zero here the whole column below is zero.
        if (row[k] == 0) return;
        for (int i = k + 1; i < n; i++)
        {
            double* target = a + (long)i * n;
            target[k] /= row[k];
            MatrixProduct.Axpy(k1 - k - 1, -target[k], row + k + 1, target + k + 1);
        }
    }

    private static LuStatus Weakest(int n, double* lu, ReadOnlySpan<double> largest, int parity)
    {
        LuStatus status = new(parity, 0, double.PositiveInfinity);
        for (int k = 0; k < n; k++)
        {
            double pivot = Math.Abs(lu[(long)k * n + k]);
            double ratio = largest[k] == 0 ? 0 : pivot / largest[k];
            if (!(ratio >= status.WeakestRatio)) status = new LuStatus(parity, k, ratio);
            if (double.IsNaN(ratio)) break;
        }
        return status;
    }

    private static void Check(int n, int length, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(n);
        if (length < (long)n * columns)
            throw new ArgumentException($"matrix: {length} elements do not hold {n} × {columns}");
    }
}
