namespace GlowGpu.Tests.Reference;

/// <summary>The coupling of z2 with the output h of its network.</summary>
public static class CoupleReference
{
    /// <summary>affine: (z2 + h[0::2])·sigmoid(h[1::2] + 2); additive: z2 + h.</summary>
    public static Nhwc Forward(bool affine, Nhwc z2, Nhwc h)
    {
        if (!affine) return Combine(z2, h, static (z, shift) => z + shift);
        Nhwc shifted = Combine(z2, h.EverySecond(0), static (z, shift) => z + shift);
        return Combine(shifted, LogScale(h), static (z, logScale) => z * Math.Exp(logScale));
    }

    /// <summary>affine: z2/scale − shift; additive: z2 − h.</summary>
    public static Nhwc Inverse(bool affine, Nhwc z2, Nhwc h)
    {
        if (!affine) return Combine(z2, h, static (z, shift) => z - shift);
        Nhwc scaled = Combine(z2, LogScale(h), static (z, logScale) => z * Math.Exp(-logScale));
        return Combine(scaled, h.EverySecond(0), static (z, shift) => z - shift);
    }

    /// <summary>Per image Σ ln scale; 0 when additive.</summary>
    public static double[] LogDet(bool affine, Nhwc h) => affine ? LogScale(h).SumPerImage() : new double[h.N];

    // ln sigmoid(h + 2) on the side of the sigmoid where nothing is lost.
    private static Nhwc LogScale(Nhwc h) => h.EverySecond(1).Map(static (v, _) =>
        v + 2 >= 0 ? -LogOnePlus(Math.Exp(-(v + 2))) : v + 2 - LogOnePlus(Math.Exp(v + 2)));

    private static double LogOnePlus(double t) => t < 1e-5 ? t * (1 - t * (0.5 - t / 3)) : Math.Log(1 + t);

    private static Nhwc Combine(Nhwc a, Nhwc b, Func<double, double, double> f)
    {
        Nhwc result = new(a.N, a.H, a.W, a.C);
        for (int i = 0; i < a.Data.Length; i++) result.Data[i] = f(a.Data[i], b.Data[i]);
        return result;
    }

    /// <summary>
    /// Gradients of the input z2 and of h, from the output, g being the derivative of the loss by every
    /// log-determinant.
    /// </summary>
    public static (Nhwc Dz2, Nhwc Dh) Backward(bool affine, Nhwc output, Nhwc h, Nhwc dy, double g)
    {
        if (!affine) return (dy, dy);
        Nhwc scale = LogScale(h).Map(static (v, _) => Math.Exp(v));
        Nhwc dz2 = Combine(dy, scale, static (d, s) => d * s);
        Nhwc dh = new(h.N, h.H, h.W, h.C);
        for (int i = 0; i < dz2.Data.Length; i++)
        {
            dh.Data[2 * i] = dz2.Data[i];
            // d sigmoid = sigmoid·(1 − sigmoid), d ln sigmoid = 1 − sigmoid; the output holds one factor of the first.
            dh.Data[2 * i + 1] = (dy.Data[i] * output.Data[i] + g) * (1 - scale.Data[i]);
        }
        return (dz2, dh);
    }
}
