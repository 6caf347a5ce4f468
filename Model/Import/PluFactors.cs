using GlowGpu.Kernels.Host;

namespace GlowGpu.Model.Import;

/// <summary>
/// A matrix <c>[C,C]</c> as row order, unit lower and upper triangle: row <c>Rows[r]</c> of W is row r of L·U.
/// </summary>
/// <param name="Rows">order of the rows <c>[C]</c></param>
/// <param name="Lower">L below its unit diagonal, else 0</param>
/// <param name="Upper">U above its diagonal, else 0</param>
/// <param name="LogS">logarithms of the magnitudes of U's diagonal <c>[C]</c></param>
/// <param name="Sign">their signs, ±1 <c>[C]</c></param>
internal sealed record PluFactors(int[] Rows, double[] Lower, double[] Upper, double[] LogS, double[] Sign)
{
    /// <summary>Factors by partial pivoting; null when the matrix is singular.</summary>
    public static PluFactors? Factor(int c, ReadOnlySpan<double> w)
    {
        double[] lu = w.ToArray();
        int[] rows = new int[c];
        if (SmallMatrix.Factor(c, lu, rows).IsSingular(c)) return null;
        double[] lower = new double[c * c], upper = new double[c * c], logS = new double[c], sign = new double[c];
        for (int i = 0; i < c; i++)
        {
            lu.AsSpan(i * c, i).CopyTo(lower.AsSpan(i * c));
            lu.AsSpan(i * c + i + 1, c - i - 1).CopyTo(upper.AsSpan(i * c + i + 1));
            logS[i] = Math.Log(Math.Abs(lu[i * c + i]));
            sign[i] = Math.Sign(lu[i * c + i]);
        }
        return new PluFactors(rows, lower, upper, logS, sign);
    }

    /// <summary>
    /// The matrix again; of <see cref="Lower"/> and <see cref="Upper"/> only the strict triangles are read.
    /// </summary>
    public double[] Product()
    {
        int c = Rows.Length;
        double[] l = new double[c * c], u = new double[c * c], product = new double[c * c], w = new double[c * c];
        for (int i = 0; i < c; i++)
        {
            Lower.AsSpan(i * c, i).CopyTo(l.AsSpan(i * c));
            Upper.AsSpan(i * c + i + 1, c - i - 1).CopyTo(u.AsSpan(i * c + i + 1));
            l[i * c + i] = 1;
            u[i * c + i] = Sign[i] * Math.Exp(LogS[i]);
        }
        SmallMatrix.Multiply(c, l, u, product);
        for (int r = 0; r < c; r++) product.AsSpan(r * c, c).CopyTo(w.AsSpan(Rows[r] * c));
        return w;
    }
}
