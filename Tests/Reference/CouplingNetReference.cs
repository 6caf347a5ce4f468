namespace GlowGpu.Tests.Reference;

/// <summary>Parameters of a coupling network.</summary>
public sealed record CouplingNetWeights(
    double[] W1, double[] Bias1, double[] Logs1, double[] W2, double[] Bias2, double[] Logs2, double[] W3, double[] Bias3, double[] Logs3);

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
}
