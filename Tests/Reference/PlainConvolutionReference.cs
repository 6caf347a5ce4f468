namespace GlowGpu.Tests.Reference;

/// <summary>A convolution of 1×1 or 3×3 with bias, with or without a ReLU.</summary>
public static class PlainConvolutionReference
{
    /// <summary>conv(x) + bias, cut off below 0 when <paramref name="relu"/>.</summary>
    public static Nhwc Forward(int size, Nhwc x, double[] weight, double[] bias, bool relu)
    {
        Nhwc y = size == 1
            ? ConvolutionReference.Convolve1x1(x, weight, bias.Length)
            : ConvolutionReference.Convolve3x3(x, weight, bias.Length, edgeBias: false);
        return y.Map((v, c) => relu ? Math.Max(v + bias[c], 0) : v + bias[c]);
    }

    /// <summary>Gradients of x, weight and bias.</summary>
    public static (Nhwc Dx, double[] Dw, double[] Dbias) Backward(int size, Nhwc x, double[] weight,
        double[] bias, bool relu, Nhwc dy)
    {
        Nhwc y = Forward(size, x, weight, bias, relu);
        Nhwc g = dy with { Data = [.. dy.Data.Select((d, i) => relu && !(y.Data[i] > 0) ? 0 : d)] };
        double[] dbias = new double[bias.Length];
        for (int i = 0; i < g.Data.Length; i++) dbias[i % g.C] += g.Data[i];
        (Nhwc dx, double[] dw) = size == 1
            ? ConvolutionReference.Backward1x1(x, weight, g)
            : ConvolutionReference.Backward3x3(x, weight, g, edgeBias: false);
        return (dx, dw, dbias);
    }
}
