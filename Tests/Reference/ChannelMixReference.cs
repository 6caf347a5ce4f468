namespace GlowGpu.Tests.Reference;

/// <summary>
/// The mixing of channels: invertible 1×1 convolution and the permutations, all as a matrix W, y_j = Σ_i x_i W_ij.
/// </summary>
public static class ChannelMixReference
{
    /// <summary>
    /// W of a PLU parameterisation: row p[r] of W is row r of L·U', L unit lower triangular, U' the strictly upper
    /// part of
    /// <paramref name="upper"/> plus diag(sign·exp(log_s)).
    /// </summary>
    public static double[] Plu(int[] p, double[] lower, double[] upper, double[] logS, double[] sign)
    {
        int n = p.Length;
        double[] l = new double[n * n], u = new double[n * n];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < i; j++) l[i * n + j] = lower[i * n + j];
            l[i * n + i] = 1;
            u[i * n + i] = sign[i] * Math.Exp(logS[i]);
            for (int j = i + 1; j < n; j++) u[i * n + j] = upper[i * n + j];
        }
        double[] product = Matrix.Multiply(l, u, n), w = new double[n * n];
        for (int r = 0; r < n; r++) Array.Copy(product, r * n, w, p[r] * n, n);
        return w;
    }

    /// <summary>W of y[j] = x[permutation[j]].</summary>
    public static double[] Permutation(int[] permutation)
    {
        int n = permutation.Length;
        double[] w = new double[n * n];
        for (int j = 0; j < n; j++) w[permutation[j] * n + j] = 1;
        return w;
    }

    /// <summary>The reversed order of n channels.</summary>
    public static int[] Reverse(int n) => [.. Enumerable.Range(0, n).Reverse()];

    /// <summary>y_j = Σ_i x_i W_ij.</summary>
    public static Nhwc Forward(Nhwc x, double[] w) => ConvolutionReference.Convolve1x1(x, w, x.C);

    /// <summary>x = y·W⁻¹.</summary>
    public static Nhwc Inverse(Nhwc y, double[] w) => ConvolutionReference.Convolve1x1(y, Matrix.Inverse(w, y.C), y.C);

    /// <summary>H·W·ln|det W|.</summary>
    public static double LogDet(Nhwc x, double[] w) => x.H * x.W * Matrix.LogAbsDeterminant(w, x.C);

    /// <summary>Gradients of lower, upper and log_s from that of W; the unused triangles get zero.</summary>
    public static (double[] Dlower, double[] Dupper, double[] DlogS) PluBackward(
        int[] p, double[] lower, double[] upper, double[] logS, double[] sign, double[] dw)
    {
        int n = p.Length;
        double[] dproduct = new double[n * n], dlower = new double[n * n], dupper = new double[n * n],
            dlogS = new double[n];
        for (int r = 0; r < n; r++) Array.Copy(dw, p[r] * n, dproduct, r * n, n);
        double L(int i, int k) => i == k ? 1 : k < i ? lower[i * n + k] : 0;
        double U(int k, int j) => k == j ? sign[k] * Math.Exp(logS[k]) : k < j ? upper[k * n + j] : 0;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                for (int k = 0; k < n; k++)
                {
                    if (k < i) dlower[i * n + k] += dproduct[i * n + j] * U(k, j);
                    if (k < j) dupper[k * n + j] += dproduct[i * n + j] * L(i, k);
                    if (k == j) dlogS[k] += dproduct[i * n + j] * L(i, k) * U(k, k);
                }
        return (dlower, dupper, dlogS);
    }
}
