using GlowGpu.Kernels;

namespace GlowGpu.Tests.Reference;

/// <summary>NICE's top: z = x·exp(logs) under a factorised prior; x is <c>[N,D]</c>.</summary>
public static class ScaledPriorReference
{
    /// <summary>ln p(z), nats.</summary>
    public static double LogDensity(PriorKind kind, double z) => kind == PriorKind.Gaussian
        ? -0.5 * (Math.Log(2 * Math.PI) + z * z)
        : -Math.Abs(z) - 2 * Math.Log(1 + Math.Exp(-Math.Abs(z)));

    /// <summary>d ln p(z)/dz.</summary>
    public static double Slope(PriorKind kind, double z) =>
        kind == PriorKind.Gaussian ? -z : 1 / (1 + Math.Exp(z)) - 1 / (1 + Math.Exp(-z));

    /// <summary>x·exp(logs).</summary>
    public static double[] Latent(double[] x, double[] logs) =>
        [.. x.Select((v, i) => v * Math.Exp(logs[i % logs.Length]))];

    /// <summary>Per image Σ logs + ln p(z).</summary>
    public static double[] LogLikelihood(PriorKind kind, double[] x, double[] logs)
    {
        double[] z = Latent(x, logs), sums = new double[x.Length / logs.Length];
        for (int i = 0; i < z.Length; i++) sums[i / logs.Length] += logs[i % logs.Length] + LogDensity(kind, z[i]);
        return sums;
    }

    /// <summary>Gradients of x and logs, g being the derivative of the loss by every image's log-likelihood.</summary>
    public static (double[] Dx, double[] Dlogs) Backward(PriorKind kind, double[] x, double[] logs, double g)
    {
        double[] z = Latent(x, logs), dx = new double[x.Length], dlogs = new double[logs.Length];
        for (int i = 0; i < z.Length; i++)
        {
            int c = i % logs.Length;
            double slope = g * Slope(kind, z[i]);
            dx[i] = slope * Math.Exp(logs[c]);
            dlogs[c] += slope * z[i] + g;
        }
        return (dx, dlogs);
    }
}
