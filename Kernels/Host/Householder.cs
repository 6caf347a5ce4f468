namespace GlowGpu.Kernels.Host;

/// <summary>
/// QR by Householder reflections, for drawing rotations once at a model's birth: clear rather than fast.
/// </summary>
internal static class Householder
{
    /// <summary>
    /// The Q of a = Q·R with a positive diagonal of R, its first column negated if that is what makes it a rotation.
    /// Destroys <paramref name="a"/> <c>[n,n]</c>.
    /// </summary>
    public static double[] Rotation(int n, double[] a)
    {
        double[] q = new double[n * n];
        for (int i = 0; i < n; i++) q[i * n + i] = 1;
        double[] v = new double[n];
        double determinant = 1;
        double[] sign = new double[n];
        Array.Fill(sign, 1);
        for (int k = 0; k < n; k++)
        {
            // The reflection of the column's lower part onto the axis on its far side: no cancellation in v_k.
            double norm = 0;
            for (int i = k; i < n; i++) norm = double.Hypot(norm, a[i * n + k]);
            if (norm == 0) continue;
            double head = a[k * n + k];
            double target = head > 0 ? -norm : norm;
            // A 1 × 1 remainder needs no reflection; its sign is all that R's diagonal leaves to choose.
            if (k == n - 1)
            {
                sign[k] = head < 0 ? -1 : 1;
                determinant *= sign[k];
                break;
            }
            for (int i = k; i < n; i++) v[i] = a[i * n + k];
            v[k] -= target;
            double squared = 0;
            for (int i = k; i < n; i++) squared += v[i] * v[i];
            for (int j = k; j < n; j++) Reflect(n, k, v, 2 / squared, a, j, n);
            // Q ← Q·H: the same reflection along the rows of Q.
            for (int i = 0; i < n; i++) Reflect(n, k, v, 2 / squared, q, i * n, 1);
            sign[k] = target < 0 ? -1 : 1;
            determinant *= -sign[k];
        }
        if (determinant < 0) sign[0] = -sign[0];
        for (int i = 0; i < n; i++)
            for (int k = 0; k < n; k++) q[i * n + k] *= sign[k];
        return q;
    }

    /// <summary>x ← x − factor·v·(v·x) for the vector x whose element i lies at start + i·step.</summary>
    private static void Reflect(int n, int k, double[] v, double factor, double[] x, int start, int step)
    {
        double dot = 0;
        for (int i = k; i < n; i++) dot += v[i] * x[start + i * step];
        dot *= factor;
        for (int i = k; i < n; i++) x[start + i * step] -= dot * v[i];
    }
}
