using GlowGpu.Engine;
using GlowGpu.Model.Data;

namespace GlowGpu.Model.Training;

/// <summary>Log-likelihoods of a whole set.</summary>
/// <param name="BitsPerDim">mean over the images</param>
/// <param name="LogLikelihoods">nats per image, in the order of the set</param>
/// <param name="ClassErrors">fraction of wrong class predictions; null when unconditional</param>
/// <param name="Data">name of the set</param>
/// <param name="DataHash">its hash</param>
public sealed record Evaluation(double BitsPerDim, double[] LogLikelihoods, double? ClassErrors,
    string Data, string DataHash);

/// <summary>Evaluates a model on every image of a set, batch by batch.</summary>
public static class Evaluator
{
    /// <summary>
    /// Runs over the set; <paramref name="progress"/> hears the number of images done. The noise of image i depends
    /// on seed and i only: a result repeats, and does not depend on the batch size.
    /// </summary>
    /// <exception cref="GlowException">The images do not fit the model, or one cannot be read.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was signalled.</exception>
    public static Evaluation Run(FlowModel model, IImageSource data, Dequantization dequantize, ulong seed, int batch,
        Action<int>? progress = null, CancellationToken stop = default)
    {
        return Run(model, data, dequantize, seed, batch, (_, images, noise) => model.Evaluate(images, noise),
            progress, stop);
    }

    /// <summary>
    /// As <see cref="Run(FlowModel, IImageSource, Dequantization, ulong, int, Action{int}?, CancellationToken)"/>,
    /// keeping every image's latents.
    /// </summary>
    /// <exception cref="GlowException">The images do not fit the model, one cannot be read, or the latents do not fit
    /// one array.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was signalled.</exception>
    public static (Latents Latents, Evaluation Evaluation) Encode(FlowModel model, IImageSource data,
        Dequantization dequantize,
        ulong seed, int batch, Action<int>? progress = null, CancellationToken stop = default)
    {
        DataFit.Check(model.Config, data);
        float[][] eps = new float[model.Config.Levels][];
        int[] perImage = new int[eps.Length];
        for (int l = 0; l < eps.Length; l++)
        {
            (int h, int w, int c) = model.Config.LatentShape(l);
            perImage[l] = h * w * c;
            if ((long)data.Count * perImage[l] > Array.MaxLength)
                throw new GlowException(
                    $"{data.Name}: the latents of {data.Count} images are too many for one file; at most "
                        + $"{Array.MaxLength / perImage[l]} can be encoded at once");
            eps[l] = new float[data.Count * perImage[l]];
        }
        Evaluation evaluation = EncodeEach(model, data, dequantize, seed, batch, (first, latents) =>
        {
            for (int l = 0; l < eps.Length; l++)
                latents.Eps[l].AsSpan(0, latents.Count * perImage[l]).CopyTo(eps[l].AsSpan(first * perImage[l]));
        }, progress, stop);
        return (new Latents(data.Count, eps), evaluation);
    }

    /// <summary>
    /// As <see cref="Encode"/> without keeping anything: <paramref name="each"/> gets the number of a batch's first
    /// image and its latents, so that a set of any size can be gone through.
    /// </summary>
    /// <exception cref="GlowException">The images do not fit the model, or one cannot be read.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was signalled.</exception>
    public static Evaluation EncodeEach(FlowModel model, IImageSource data, Dequantization dequantize,
        ulong seed, int batch,
        Action<int, Latents> each, Action<int>? progress = null, CancellationToken stop = default)
    {
        return Run(model, data, dequantize, seed, batch, (first, images, noise) =>
        {
            (Latents latents, BatchResult result) = model.Encode(images, noise);
            each(first, latents);
            return result;
        }, progress, stop);
    }

    private static Evaluation Run(FlowModel model, IImageSource data, Dequantization dequantize, ulong seed, int batch,
        Func<int, Batch, Noise, BatchResult> evaluate, Action<int>? progress, CancellationToken stop)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batch, 1);
        DataFit.Check(model.Config, data);
        ulong key = CounterRandom.DeriveKey(seed, "evaluate");
        double[] logLikelihoods = new double[data.Count];
        double wrong = 0;
        // Noise comes in blocks of four values: an image that ends within a block must be the last of its batch.
        int size = model.Config.Dimensions % 4 == 0 ? Math.Min(batch, data.Count) : 1;
        foreach ((int first, Batch images) in OrderedBatches.Read(data, size, model.Config.Classes > 0))
        {
            stop.ThrowIfCancellationRequested();
            ulong counter = (ulong)first * CounterRandom.UniformBlocks(model.Config.Dimensions);
            BatchResult result = evaluate(first, images, new Noise(dequantize, key, counter));
            result.LogLikelihoods.AsSpan(0, images.Count).CopyTo(logLikelihoods.AsSpan(first));
            wrong += result.ClassErrors * images.Count;
            progress?.Invoke(first + images.Count);
        }
        double bits = -logLikelihoods.Average() / (model.Config.Dimensions * Math.Log(2));
        return new Evaluation(bits, logLikelihoods, model.Config.Classes > 0 ? wrong / data.Count : null,
            data.Name, data.Hash);
    }
}
