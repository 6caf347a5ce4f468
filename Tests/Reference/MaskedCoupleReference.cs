using GlowGpu.Kernels;

namespace GlowGpu.Tests.Reference;

/// <summary>
/// RealNVP's affine coupling (Dinh et al. 2016, eq. 9): z·exp(factor·tanh(raw)) + t where the mask changes a pixel.
/// </summary>
public static class MaskedCoupleReference
{
    /// <summary>1 where the mask changes a pixel, 0 where it stays.</summary>
    public static double Changes(PixelMask mask, int y, int x) => mask switch
    {
        PixelMask.Even => (y + x) % 2 == 0 ? 1 : 0,
        PixelMask.Odd => (y + x) % 2 == 1 ? 1 : 0,
        _ => 1,
    };

    /// <summary>A function of every value of z and of image, row, column and channel.</summary>
    private static Nhwc Map(Nhwc z, Func<double, int, int, int, int, double> f)
    {
        Nhwc mapped = new(z.N, z.H, z.W, z.C);
        for (int n = 0; n < z.N; n++)
            for (int y = 0; y < z.H; y++)
                for (int x = 0; x < z.W; x++)
                    for (int c = 0; c < z.C; c++) mapped[n, y, x, c] = f(z[n, y, x, c], n, y, x, c);
        return mapped;
    }

    /// <summary>b ⊙ z: what conditions the coupling.</summary>
    public static Nhwc Condition(PixelMask mask, Nhwc z) => Map(z, (v, _, y, x, _) => Changes(mask, y, x) == 0 ? v : 0);

    /// <summary>The logarithm of the scale of every value.</summary>
    public static Nhwc LogScale(PixelMask mask, Nhwc h, double[] factor)
    {
        Nhwc raw = h.EverySecond(1);
        return Map(raw, (v, _, y, x, c) => Changes(mask, y, x) * factor[c] * Math.Tanh(v));
    }

    /// <summary>b ⊙ z + (1 − b) ⊙ (z·exp(s) + t).</summary>
    public static Nhwc Forward(PixelMask mask, Nhwc z, Nhwc h, double[] factor)
    {
        Nhwc s = LogScale(mask, h, factor), t = h.EverySecond(0);
        return Map(z, (v, n, y, x, c) => v * Math.Exp(s[n, y, x, c]) + Changes(mask, y, x) * t[n, y, x, c]);
    }

    /// <summary>Its inverse.</summary>
    public static Nhwc Inverse(PixelMask mask, Nhwc z, Nhwc h, double[] factor)
    {
        Nhwc s = LogScale(mask, h, factor), t = h.EverySecond(0);
        return Map(z, (v, n, y, x, c) => (v - Changes(mask, y, x) * t[n, y, x, c]) * Math.Exp(-s[n, y, x, c]));
    }

    /// <summary>Per image Σ s, nats.</summary>
    public static double[] LogDet(PixelMask mask, Nhwc h, double[] factor) => LogScale(mask, h, factor).SumPerImage();

    /// <summary>
    /// Gradients of the input z, of h and of the factor, from the input z; g is the derivative of the loss by every
    /// image's log-determinant.
    /// </summary>
    public static (Nhwc Dz, Nhwc Dh, double[] Dfactor) Backward(PixelMask mask, Nhwc z, Nhwc h,
        double[] factor, Nhwc dy, double g)
    {
        Nhwc s = LogScale(mask, h, factor), raw = h.EverySecond(1), dh = new(h.N, h.H, h.W, h.C);
        double[] dfactor = new double[z.C];
        Nhwc dz = Map(dy, (d, n, y, x, c) =>
        {
            double changes = Changes(mask, y, x), scale = Math.Exp(s[n, y, x, c]), tanh = Math.Tanh(raw[n, y, x, c]);
            double ds = changes * (d * z[n, y, x, c] * scale + g);
            dh[n, y, x, 2 * c] = changes * d;
            dh[n, y, x, 2 * c + 1] = ds * factor[c] * (1 - tanh * tanh);
            dfactor[c] += ds * tanh;
            return d * scale;
        });
        return (dz, dh, dfactor);
    }
}
