namespace GlowGpu.Tests.Reference;

/// <summary>Small dense matrices in double, row-major <c>[n,n]</c>.</summary>
public static class Matrix
{
    /// <summary>a·b.</summary>
    public static double[] Multiply(double[] a, double[] b, int n)
    {
        double[] c = new double[n * n];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                for (int k = 0; k < n; k++)
                    c[i * n + j] += a[i * n + k] * b[k * n + j];
        return c;
    }

    /// <summary>ln|det a|; −∞ for a singular matrix.</summary>
    public static double LogAbsDeterminant(double[] a, int n)
    {
        double[] work = [.. a];
        Eliminate(work, new double[n * n], n);
        double sum = 0;
        for (int i = 0; i < n; i++) sum += Math.Log(Math.Abs(work[i * n + i]));
        return sum;
    }

    /// <summary>a⁻¹.</summary>
    public static double[] Inverse(double[] a, int n)
    {
        double[] work = [.. a], inverse = new double[n * n];
        for (int i = 0; i < n; i++) inverse[i * n + i] = 1;
        Eliminate(work, inverse, n);
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                inverse[i * n + j] /= work[i * n + i];
        return inverse;
    }

    // Gauss-Jordan with partial pivoting: leaves a diagonal matrix, carries the other along.
    private static void Eliminate(double[] a, double[] along, int n)
    {
        for (int k = 0; k < n; k++)
        {
            int pivot = k;
            for (int i = k + 1; i < n; i++)
                if (Math.Abs(a[i * n + k]) > Math.Abs(a[pivot * n + k])) pivot = i;
            for (int j = 0; j < n; j++)
            {
                (a[k * n + j], a[pivot * n + j]) = (a[pivot * n + j], a[k * n + j]);
                (along[k * n + j], along[pivot * n + j]) = (along[pivot * n + j], along[k * n + j]);
            }
            if (a[k * n + k] == 0) continue;
            for (int i = 0; i < n; i++)
            {
                double factor = i == k ? 0 : a[i * n + k] / a[k * n + k];
                if (factor == 0) continue;
                for (int j = 0; j < n; j++)
                {
                    a[i * n + j] -= factor * a[k * n + j];
                    along[i * n + j] -= factor * along[k * n + j];
                }
            }
        }
    }
}
