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

    /// <summary>Gradients of x and the three parameters of <see cref="Forward"/>.</summary>
    public static (Nhwc Dx, double[] Dw, double[] Dbias, double[] Dlogs) Backward(
        Nhwc x, double[] weight, double[] bias, double[] logs, bool edgeBias, Nhwc dh)
    {
        (Nhwc dconv, double[] dbias, double[] dlogs) = ActNormReference.Backward(Forward(x, weight, bias, logs,
            edgeBias), logs, dh);
        (Nhwc dx, double[] dw) = ConvolutionReference.Backward3x3(x, weight, dconv, edgeBias);
        return (dx, dw, dbias, dlogs);
    }

    /// <summary>Gradients of x and the three parameters of <see cref="Linear"/>.</summary>
    public static (double[] Dx, double[] Dw, double[] Dbias, double[] Dlogs) LinearBackward(
        double[] x, int n, double[] weight, double[] bias, double[] logs, double[] dy)
    {
        Nhwc rows = new(x, n, 1, 1, x.Length / n), y = new(Linear(x, n, weight, bias, logs), n, 1, 1, bias.Length);
        (Nhwc dconv, double[] dbias, double[] dlogs) = ActNormReference.Backward(y, logs, y with { Data = dy });
        (Nhwc dx, double[] dw) = ConvolutionReference.Backward1x1(rows, weight, dconv);
        return (dx.Data, dw, dbias, dlogs);
    }
}
