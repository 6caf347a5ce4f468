namespace GlowGpu.Tests.Reference;

/// <summary>Diagonal Gaussian with mean and logs (ln of the standard deviation) per value.</summary>
public static class GaussianScoreReference
{
    /// <summary>mean and logs of statistics with 2C channels: mean = h[0::2], logs = h[1::2].</summary>
    public static (Nhwc Mean, Nhwc Logs) Interleaved(Nhwc stats) => (stats.EverySecond(0), stats.EverySecond(1));

    /// <summary>mean = h[:C], logs = h[C:].</summary>
    public static (Nhwc Mean, Nhwc Logs) Halves(Nhwc stats) =>
        (stats.Channels(0, stats.C / 2), stats.Channels(stats.C / 2, stats.C / 2));

    /// <summary>eps = (z − mean)/exp(logs).</summary>
    public static Nhwc Latent(Nhwc z, Nhwc mean, Nhwc logs)
    {
        Nhwc eps = new(z.N, z.H, z.W, z.C);
        for (int i = 0; i < z.Data.Length; i++) eps.Data[i] = (z.Data[i] - mean.Data[i]) / Math.Exp(logs.Data[i]);
        return eps;
    }

    /// <summary>z = mean + exp(logs)·eps.</summary>
    public static Nhwc Inverse(Nhwc eps, Nhwc mean, Nhwc logs)
    {
        Nhwc z = new(eps.N, eps.H, eps.W, eps.C);
        for (int i = 0; i < z.Data.Length; i++) z.Data[i] = mean.Data[i] + Math.Exp(logs.Data[i]) * eps.Data[i];
        return z;
    }

    /// <summary>Per image Σ ln N(z; mean, exp(logs)²), nats.</summary>
    public static double[] LogDensity(Nhwc z, Nhwc mean, Nhwc logs)
    {
        Nhwc density = new(z.N, z.H, z.W, z.C);
        for (int i = 0; i < z.Data.Length; i++)
        {
            double variance = Math.Exp(2 * logs.Data[i]);
            density.Data[i] = -0.5 * (Math.Log(2 * Math.PI) + 2 * logs.Data[i] + Math.Pow(z.Data[i] - mean.Data[i],
                2) / variance);
        }
        return density.SumPerImage();
    }

    /// <summary>
    /// Gradients of z, mean and logs, g being the derivative of the loss by every image's log-density.
    /// </summary>
    public static (Nhwc Dz, Nhwc Dmean, Nhwc Dlogs) Backward(Nhwc z, Nhwc mean, Nhwc logs, double g)
    {
        Nhwc eps = Latent(z, mean, logs), dz = new(z.N, z.H, z.W, z.C);
        for (int i = 0; i < dz.Data.Length; i++) dz.Data[i] = -g * eps.Data[i] / Math.Exp(logs.Data[i]);
        return (dz, dz.Map(static (d, _) => -d), eps.Map((e, _) => g * (e * e - 1)));
    }
}
