namespace GlowGpu.Tests.Reference;

/// <summary>Parameters of a coupling network.</summary>
public sealed record CouplingNetWeights(
    double[] W1, double[] Bias1, double[] Logs1, double[] W2, double[] Bias2, double[] Logs2, double[] W3,
        double[] Bias3, double[] Logs3);

/// <summary>The coupling network: conv3×3 → actnorm → ReLU → conv1×1 → actnorm → ReLU → zero conv3×3.</summary>
public static class CouplingNetReference
{
    /// <summary>h = f(z1) <c>[N,H,W,out]</c>.</summary>
    public static Nhwc Forward(Nhwc z1, CouplingNetWeights weights, bool edgeBias)
    {
        (_, Nhwc second) = Hidden(z1, weights, edgeBias);
        return ZeroConvReference.Forward(Relu(second), weights.W3, weights.Bias3, weights.Logs3, edgeBias);
    }

    /// <summary>Both hidden layers behind their actnorm, before the ReLU.</summary>
    public static (Nhwc First, Nhwc Second) Hidden(Nhwc z1, CouplingNetWeights weights, bool edgeBias)
    {
        int width = weights.Bias1.Length;
        Nhwc first = ActNormReference.Forward(
            ConvolutionReference.Convolve3x3(z1, weights.W1, width, edgeBias), weights.Bias1, weights.Logs1);
        Nhwc second = ActNormReference.Forward(
            ConvolutionReference.Convolve1x1(Relu(first), weights.W2, width), weights.Bias2, weights.Logs2);
        return (first, second);
    }

    private static Nhwc Relu(Nhwc x) => x.Map(static (v, _) => Math.Max(v, 0));

    /// <summary>Gradients of z1 and of all parameters.</summary>
    public static (Nhwc Dz1, CouplingNetWeights Gradients) Backward(Nhwc z1, CouplingNetWeights weights,
        bool edgeBias, Nhwc dh)
    {
        (Nhwc first, Nhwc second) = Hidden(z1, weights, edgeBias);
        (Nhwc dx3, double[] dw3, double[] dbias3, double[] dlogs3) = ZeroConvReference.Backward(
            Relu(second), weights.W3, weights.Bias3, weights.Logs3, edgeBias, dh);
        (Nhwc dx2, double[] dbias2, double[] dlogs2) = ActNormReference.Backward(second, weights.Logs2,
            Mask(dx3, second));
        (Nhwc dr1, double[] dw2) = ConvolutionReference.Backward1x1(Relu(first), weights.W2, dx2);
        (Nhwc dx1, double[] dbias1, double[] dlogs1) = ActNormReference.Backward(first, weights.Logs1,
            Mask(dr1, first));
        (Nhwc dz1, double[] dw1) = ConvolutionReference.Backward3x3(z1, weights.W1, dx1, edgeBias);
        return (dz1, new CouplingNetWeights(dw1, dbias1, dlogs1, dw2, dbias2, dlogs2, dw3, dbias3, dlogs3));
    }

    private static Nhwc Mask(Nhwc gradient, Nhwc preactivation)
    {
        Nhwc masked = gradient.Map(static (g, _) => g);
        for (int i = 0; i < masked.Data.Length; i++) if (preactivation.Data[i] <= 0) masked.Data[i] = 0;
        return masked;
    }
}
