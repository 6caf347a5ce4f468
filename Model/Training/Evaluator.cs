using GlowGpu.Model.Data;

namespace GlowGpu.Model.Training;

/// <summary>Log-likelihoods of a whole set.</summary>
public sealed record Evaluation(double BitsPerDim, double[] LogLikelihoods, double? ClassErrors, string Data, string DataHash);

/// <summary>Evaluates a model on every image of a set, batch by batch.</summary>
public static class Evaluator
{
    /// <summary>Runs over the set; <paramref name="progress"/> hears the number of images done.</summary>
    public static Evaluation Run(Glow model, IImageSource data, Dequantization dequantize, ulong seed, int batch,
        Action<int>? progress = null, CancellationToken stop = default) => throw new NotImplementedException();
}
