namespace GlowGpu.Tests.Reference;

/// <summary>Zero-initialised layers: a convolution or a linear map with bias, times exp(3·logs).</summary>
public static class ZeroConvReference
{
    /// <summary>(conv3×3(x) + b)·exp(3·logs) <c>[N,H,W,out]</c>.</summary>
    public static Nhwc Forward(Nhwc x, double[] weight, double[] bias, double[] logs, bool edgeBias) =>
        ActNormReference.Forward(ConvolutionReference.Convolve3x3(x, weight, bias.Length, edgeBias), bias, logs);

    /// <summary>(x·W + b)·exp(3·logs), x <c>[N,in]</c>, W <c>[in,out]</c> → <c>[N,out]</c>.</summary>
    public static double[] Linear(double[] x, int n, double[] weight, double[] bias, double[] logs)
    {
        Nhwc rows = new(x, n, 1, 1, x.Length / n);
        return ActNormReference.Forward(ConvolutionReference.Convolve1x1(rows, weight, bias.Length), bias, logs).Data;
    }
}
