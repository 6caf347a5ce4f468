namespace GlowGpu.Tests.Reference;

/// <summary>Adam and Adamax (Kingma &amp; Ba 2014, algorithms 1 and 2) in double, one step on plain arrays.</summary>
public static class OptimizerReference
{
    /// <summary>Algorithm 1.</summary>
    public static void Adam(double[] p, double[] g, double[] m, double[] v, double rate, double beta1, double beta2,
        double epsilon, long t)
    {
        for (int i = 0; i < p.Length; i++)
        {
            m[i] = beta1 * m[i] + (1 - beta1) * g[i];
            v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
            double mHat = m[i] / (1 - Math.Pow(beta1, t)), vHat = v[i] / (1 - Math.Pow(beta2, t));
            p[i] -= rate * mHat / (Math.Sqrt(vHat) + epsilon);
        }
    }

    /// <summary>Algorithm 2, ε added to |g| so that an untouched parameter does not divide by zero.</summary>
    public static void Adamax(double[] p, double[] g, double[] m, double[] u, double rate, double beta1, double beta2,
        double epsilon, long t)
    {
        for (int i = 0; i < p.Length; i++)
        {
            m[i] = beta1 * m[i] + (1 - beta1) * g[i];
            u[i] = Math.Max(beta2 * u[i], Math.Abs(g[i]) + epsilon);
            p[i] -= rate / (1 - Math.Pow(beta1, t)) * m[i] / u[i];
        }
    }
}
