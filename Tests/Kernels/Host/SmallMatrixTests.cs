using GlowGpu.Kernels.Host;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Host;

/// <summary>Orders around and past the block of 32, so that every path of the blocked algorithms runs.</summary>
[TestFixture]
public sealed class SmallMatrixTests
{
    private static readonly int[] Orders = [1, 2, 3, 4, 7, 12, 24, 31, 32, 33, 48, 65, 96, 130];

    [TestCaseSource(nameof(Orders))]
    public void Factor_gives_rows_in_order_of_L_times_U(int n)
    {
        double[] a = Normal(n, 1), lu = [.. a];
        int[] order = new int[n];
        LuStatus status = SmallMatrix.Factor(n, lu, order);
        Assert.That(order.Order(), Is.EqualTo(Enumerable.Range(0, n)));
        Assert.That(status.Parity, Is.EqualTo(Parity(order)));
        Assert.That(status.IsSingular(n), Is.False);
        double[] product = new double[n * n], ordered = new double[n * n];
        double largestOfL = 0;
        for (int r = 0; r < n; r++)
        {
            for (int j = 0; j < n; j++)
            {
                for (int k = 0; k <= Math.Min(r, j); k++) product[r * n + j] += (k == r ? 1 : lu[r * n + k])
                    * lu[k * n + j];
                ordered[r * n + j] = a[order[r] * n + j];
                if (j < r) largestOfL = Math.Max(largestOfL, Math.Abs(lu[r * n + j]));
            }
        }
        Nearly.Equal("L·U", product, ordered, 1e-13 * n);
        Assert.That(largestOfL, Is.LessThanOrEqualTo(1), "partial pivoting bounds L by 1");
    }

    [TestCaseSource(nameof(Orders))]
    public void Inverse_times_matrix_is_the_identity(int n)
    {
        double[] a = Normal(n, 2), inverse = SmallMatrix.Inverse(n, a), product = new double[n * n];
        SmallMatrix.Multiply(n, a, inverse, product);
        Nearly.Equal("a·a⁻¹", product, Nearly.Identity(n), 1e-14 * n * (1 + inverse.Max(Math.Abs)));
    }

    [TestCaseSource(nameof(Orders))]
    public void Multiply_is_the_naive_product(int n)
    {
        double[] a = Normal(n, 3), b = Normal(n, 4), product = new double[n * n];
        Array.Fill(product, double.NaN);
        SmallMatrix.Multiply(n, a, b, product);
        double[] naive = new double[n * n];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                for (int k = 0; k < n; k++) naive[i * n + j] += a[i * n + k] * b[k * n + j];
        Nearly.Equal("a·b", product, naive, 1e-14 * n);
    }

    [TestCaseSource(nameof(Orders))]
    public void Triangular_solves_read_their_triangle_only(int n)
    {
        const int Columns = 5;
        double[] a = Normal(n, 5), x = Normal(n, 6)[..n], unitLower = new double[n * Columns],
            upper = new double[n * Columns];
        // A well-conditioned triangle on both sides; the other triangle is poison for the solve that must not read it.
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) a[i * n + j] = i == j ? 2 : a[i * n + j] / n;
        for (int i = 0; i < n * Columns; i++) unitLower[i] = upper[i] = x[i % n] + i / n;
        double[] wanted = [.. unitLower];
        double[] lowerOnly = Poison(n, a, static (i, j) => j >= i), upperOnly = Poison(n, a, static (i, j) => j < i);
        SmallMatrix.SolveUnitLower(n, lowerOnly, Columns, unitLower);
        SmallMatrix.SolveUpper(n, upperOnly, Columns, upper);
        double[] byLower = [.. unitLower], byUpper = new double[n * Columns];
        for (int i = 0; i < n; i++)
        {
            for (int c = 0; c < Columns; c++)
            {
                for (int k = 0; k < i; k++) byLower[i * Columns + c] += a[i * n + k] * unitLower[k * Columns + c];
                for (int k = i; k < n; k++) byUpper[i * Columns + c] += a[i * n + k] * upper[k * Columns + c];
            }
        }
        Nearly.Equal("L·x", byLower, wanted, 1e-12);
        Nearly.Equal("U·x", byUpper, wanted, 1e-12);
    }

    [Test]
    public void SlogDet_of_matrices_known_by_hand()
    {
        Assert.That(SmallMatrix.SlogDet(2, [0, 1, 1, 0]), Is.EqualTo((-1, 0.0)));
        Assert.That(SmallMatrix.SlogDet(2, [2, 0, 0, 3]).Sign, Is.EqualTo(1));
        Assert.That(SmallMatrix.SlogDet(2, [2, 0, 0, 3]).LogAbs, Is.EqualTo(Math.Log(6)).Within(1e-15));
        Assert.That(SmallMatrix.SlogDet(3, [1, 2, 3, 4, 5, 6, 7, 8, 10]).Sign, Is.EqualTo(-1));
        Assert.That(SmallMatrix.SlogDet(3, [1, 2, 3, 4, 5, 6, 7, 8, 10]).LogAbs, Is.EqualTo(Math.Log(3)).Within(1e-14));
        Assert.That(SmallMatrix.SlogDet(2, [1, 2, 2, 4]), Is.EqualTo((0, double.NegativeInfinity)));
    }

    [TestCaseSource(nameof(Orders))]
    public void SlogDet_of_a_scaled_rotation_is_exact_in_sign_and_size(int n)
    {
        double[] q = SmallMatrix.RandomRotation(n, new HostViews(n).Normal);
        for (int j = 0; j < n; j++) q[j] *= -2;
        (int sign, double logAbs) = SmallMatrix.SlogDet(n, q);
        Assert.That(sign, Is.EqualTo(-1));
        Assert.That(logAbs, Is.EqualTo(Math.Log(2)).Within(1e-14 * n));
    }

    [TestCaseSource(nameof(Orders))]
    public void RandomRotation_is_orthogonal_with_determinant_one(int n)
    {
        foreach (int seed in new[] { 1, 2, 3, 4 })
        {
            double[] q = SmallMatrix.RandomRotation(n, new HostViews(seed).Normal), t = new double[n * n],
                product = new double[n * n];
            SmallMatrix.Transpose(n, q, t);
            SmallMatrix.Multiply(n, q, t, product);
            Nearly.Equal("q·qᵀ", product, Nearly.Identity(n), 1e-14 * n);
            Assert.That(SmallMatrix.SlogDet(n, q).Sign, Is.EqualTo(1));
        }
    }

    [Test]
    public void RandomRotation_spans_the_columns_of_its_draws_in_order()
    {
        const int N = 9;
        HostViews draws = new(11);
        double[] a = new double[N * N];
        for (int i = 0; i < a.Length; i++) a[i] = draws.Normal();
        int next = 0;
        double[] q = SmallMatrix.RandomRotation(N, () => a[next++]), t = new double[N * N], r = new double[N * N];
        Assert.That(next, Is.EqualTo(N * N));
        SmallMatrix.Transpose(N, q, t);
        SmallMatrix.Multiply(N, t, a, r);
        for (int i = 0; i < N; i++)
        {
            for (int j = 0; j < i; j++) Assert.That(r[i * N + j], Is.EqualTo(0).Within(1e-14), "R is upper triangular");
            if (i > 0) Assert.That(r[i * N + i], Is.GreaterThan(0),
                "R has a positive diagonal but for the sign that makes det Q = 1");
        }
    }

    [Test]
    public void RandomRotation_has_no_preferred_direction()
    {
        // Entries of a uniformly distributed rotation have mean 0 and variance 1/n: 5 standard errors of 4,000 draws.
        const int N = 3, Draws = 4000;
        double[] mean = new double[N * N], square = new double[N * N];
        HostViews views = new(12);
        for (int d = 0; d < Draws; d++)
        {
            double[] q = SmallMatrix.RandomRotation(N, views.Normal);
            for (int i = 0; i < q.Length; i++)
            {
                mean[i] += q[i] / Draws;
                square[i] += q[i] * q[i] / Draws;
            }
        }
        double error = Math.Sqrt(1.0 / N / Draws);
        for (int i = 0; i < mean.Length; i++)
        {
            Assert.That(mean[i], Is.EqualTo(0).Within(5 * error));
            Assert.That(square[i], Is.EqualTo(1.0 / N).Within(5 * error));
        }
    }

    [TestCase(5)]
    [TestCase(40)]
    public void Rank_deficiency_is_found_although_rounding_hides_the_zero(int n)
    {
        double[] a = Normal(n, 7);
        for (int j = 0; j < n; j++) a[(n - 1) * n + j] = 0.3 * a[j] - 1.7 * a[n + j];
        double[] lu = [.. a];
        LuStatus status = SmallMatrix.Factor(n, lu, new int[n]);
        Assert.That(status.IsSingular(n), Is.True);
        Assert.That(status.WeakestPivot, Is.EqualTo(n - 1));
        Assert.That(() => SmallMatrix.Inverse(n, a),
            Throws.InstanceOf<ArithmeticException>().With.Message.Contain("full rank"));
    }

    [Test]
    public void Tiny_but_regular_columns_are_not_called_singular()
    {
        double[] a = [1, 1e-20, 0, 1e-20];
        Assert.That(SmallMatrix.Factor(2, [.. a], new int[2]).IsSingular(2), Is.False);
        Assert.That(SmallMatrix.Inverse(2, a), Is.EqualTo(new[] { 1, -1, 0, 1e20 }));
    }

    [Test]
    public void A_zero_column_and_NaN_are_singular()
    {
        Assert.That(SmallMatrix.Factor(2, new double[] { 1, 0, 1, 0 }, new int[2]).IsSingular(2), Is.True);
        Assert.That(SmallMatrix.Factor(2, new double[] { 1, double.NaN, 1, 3 }, new int[2]).IsSingular(2), Is.True);
    }

    [Test]
    public void Short_spans_are_refused() => Assert.That(
        static () => SmallMatrix.Factor(3, new double[8], new int[3]),
        Throws.ArgumentException.With.Message.EqualTo("matrix: 8 elements do not hold 3 × 3"));

    private static double[] Normal(int n, int seed)
    {
        HostViews draws = new(1000 * n + seed);
        double[] a = new double[n * n];
        for (int i = 0; i < a.Length; i++) a[i] = draws.Normal();
        return a;
    }

    private static double[] Poison(int n, double[] a, Func<int, int, bool> where)
    {
        double[] poisoned = [.. a];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                if (where(i, j)) poisoned[i * n + j] = double.NaN;
        return poisoned;
    }

    private static int Parity(int[] order)
    {
        int parity = 1;
        for (int i = 0; i < order.Length; i++)
            for (int j = i + 1; j < order.Length; j++)
                if (order[i] > order[j]) parity = -parity;
        return parity;
    }
}
