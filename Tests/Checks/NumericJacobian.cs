using GlowGpu.Tests.Reference;
using NUnit.Framework;

namespace GlowGpu.Tests.Checks;

/// <summary>The log-determinant of a map from its full Jacobian, taken by central differences in double.</summary>
public static class NumericJacobian
{
    private const int LargestDimension = 48;
    private const double Step = 1e-5;

    /// <summary>ln|det ∂map(x)/∂x|; the map must keep the dimension, which is at most 48.</summary>
    public static double LogDeterminant(Func<double[], double[]> map, double[] x)
    {
        int n = x.Length;
        Assert.That(n, Is.LessThanOrEqualTo(LargestDimension), "dimension of a numeric Jacobian");
        double[] jacobian = new double[n * n];
        double[] moved = [.. x];
        for (int i = 0; i < n; i++)
        {
            // Fourth order: the truncation error is below rounding.
            double[] a = At(2), b = At(1), c = At(-1), d = At(-2);
            for (int j = 0; j < n; j++) jacobian[i * n + j] = (8 * (b[j] - c[j]) - (a[j] - d[j])) / (12 * Step);
            moved[i] = x[i];

            double[] At(int steps)
            {
                moved[i] = x[i] + steps * Step;
                double[] y = map(moved);
                Assert.That(y, Has.Length.EqualTo(n), "a flow keeps the dimension");
                return y;
            }
        }
        return Matrix.LogAbsDeterminant(jacobian, n);
    }
}
