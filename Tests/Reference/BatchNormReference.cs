namespace GlowGpu.Tests.Reference;

/// <summary>
/// Batch normalisation by its definition: statistics over all pixels of all images, ε = 1e-5 beside the biased
/// variance.
/// </summary>
public static class BatchNormReference
{
    private const double Epsilon = 1e-5;

    /// <summary>Mean and biased variance of every channel.</summary>
    public static (double[] Mean, double[] Variance) Measure(Nhwc x)
    {
        double[] mean = new double[x.C], variance = new double[x.C];
        for (int i = 0; i < x.Data.Length; i++) mean[i % x.C] += x.Data[i] / x.Pixels;
        for (int i = 0; i < x.Data.Length; i++) variance[i % x.C] += Math.Pow(x.Data[i] - mean[i % x.C], 2) / x.Pixels;
        return (mean, variance);
    }

    /// <summary>(x − mean)/√(variance + ε).</summary>
    public static Nhwc Normalize(Nhwc x, double[] mean, double[] variance) =>
        x.Map((v, c) => (v - mean[c]) / Math.Sqrt(variance[c] + Epsilon));

    /// <summary>max(gain·n + bias, 0).</summary>
    public static Nhwc Network(Nhwc x, double[] mean, double[] variance, double[] gain, double[] bias) =>
        Normalize(x, mean, variance).Map((n, c) => Math.Max(gain[c] * n + bias[c], 0));

    /// <summary>y·√(variance + ε) + mean.</summary>
    public static Nhwc Invert(Nhwc y, double[] mean, double[] variance) =>
        y.Map((v, c) => v * Math.Sqrt(variance[c] + Epsilon) + mean[c]);

    /// <summary>ln|det| of the normalisation of one image, statistics held fixed.</summary>
    public static double LogDet(Nhwc x, double[] variance) => -0.5 * x.H * x.W * variance.Sum(static v =>
        Math.Log(v + Epsilon));

    /// <summary>
    /// Gradients by the chain rule through mean and variance, term by term; gain and bias null for the normalisation
    /// alone, and
    /// <paramref name="g"/> the derivative of the loss by every image's log-determinant.
    /// </summary>
    public static (Nhwc Dx, double[] Dgain, double[] Dbias) Backward(
        Nhwc x, double[] mean, double[] variance, double[]? gain, double[]? bias, Nhwc dy, double g)
    {
        int p = x.Pixels;
        Nhwc n = Normalize(x, mean, variance), dn = dy.Map(static (d, _) => d);
        double[] dgain = new double[x.C], dbias = new double[x.C], dmean = new double[x.C], dvariance = new double[x.C];
        for (int i = 0; i < dn.Data.Length; i++)
        {
            int c = i % x.C;
            if (gain is not null)
            {
                if (!(gain[c] * n.Data[i] + bias![c] > 0)) dn.Data[i] = 0;
                dgain[c] += dn.Data[i] * n.Data[i];
                dbias[c] += dn.Data[i];
                dn.Data[i] *= gain[c];
            }
            double r = 1 / Math.Sqrt(variance[c] + Epsilon);
            dmean[c] -= dn.Data[i] * r;
            dvariance[c] -= 0.5 * dn.Data[i] * (x.Data[i] - mean[c]) * r * r * r;
        }
        for (int c = 0; c < x.C; c++) dvariance[c] -= 0.5 * g * p / (variance[c] + Epsilon);
        return (dn with { Data = [.. dn.Data.Select((d, i) => Dx(d, i))] }, dgain, dbias);

        double Dx(double d, int i)
        {
            int c = i % x.C;
            return d / Math.Sqrt(variance[c] + Epsilon) + dmean[c] / p + dvariance[c] * 2 * (x.Data[i] - mean[c]) / p;
        }
    }
}
