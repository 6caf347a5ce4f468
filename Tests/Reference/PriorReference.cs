namespace GlowGpu.Tests.Reference;

/// <summary>Parameters of the top prior; each part null when the model has none.</summary>
public sealed record PriorWeights(
    double[]? W, double[]? Bias, double[]? Logs, double[]? ClassW, double[]? ClassBias, double[]? ClassLogs);

/// <summary>Statistics of the top prior.</summary>
public static class PriorReference
{
    /// <summary>
    /// <c>[N,H,W,2C]</c>: a zero conv over an all-zero input of 2C channels, plus the class embedding, a zero linear
    /// layer over the one-hot label.
    /// </summary>
    public static Nhwc Forward(int n, int h, int w, int channels, PriorWeights weights, double[]? labels, bool edgeBias)
    {
        int outputs = 2 * channels;
        Nhwc stats = new(n, h, w, outputs);
        if (weights.W is not null)
            stats = ZeroConvReference.Forward(stats, weights.W, weights.Bias!, weights.Logs!, edgeBias);
        if (weights.ClassW is null) return stats;
        int classes = weights.ClassW.Length / outputs;
        double[] oneHot = new double[n * classes];
        for (int i = 0; i < n; i++) oneHot[i * classes + (int)labels![i]] = 1;
        double[] embedding = ZeroConvReference.Linear(oneHot, n, weights.ClassW, weights.ClassBias!,
            weights.ClassLogs!);
        for (int i = 0; i < stats.Data.Length; i++) stats.Data[i] += embedding[i / (h * w * outputs) * outputs
            + i % outputs];
        return stats;
    }

    /// <summary>Gradients of all parameters that the prior has.</summary>
    public static PriorWeights Backward(PriorWeights weights, double[]? labels, bool edgeBias, Nhwc dstats)
    {
        PriorWeights gradients = new(null, null, null, null, null, null);
        if (weights.W is not null)
        {
            Nhwc zero = dstats.Map(static (_, _) => 0);
            (_, double[] dw, double[] dbias, double[] dlogs) = ZeroConvReference.Backward(zero, weights.W,
                weights.Bias!, weights.Logs!, edgeBias, dstats);
            gradients = gradients with { W = dw, Bias = dbias, Logs = dlogs };
        }
        if (weights.ClassW is null) return gradients;
        int n = dstats.N, classes = weights.ClassW.Length / dstats.C;
        double[] oneHot = new double[n * classes], perImage = new double[n * dstats.C];
        for (int i = 0; i < n; i++) oneHot[i * classes + (int)labels![i]] = 1;
        for (int i = 0; i < dstats.Data.Length; i++) perImage[i / (dstats.H * dstats.W * dstats.C) * dstats.C
            + i % dstats.C] += dstats.Data[i];
        (_, double[] dclass, double[] dclassBias, double[] dclassLogs) = ZeroConvReference.LinearBackward(
            oneHot, n, weights.ClassW, weights.ClassBias!, weights.ClassLogs!, perImage);
        return gradients with { ClassW = dclass, ClassBias = dclassBias, ClassLogs = dclassLogs };
    }
}
