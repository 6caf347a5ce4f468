using GlowGpu.Engine;
using GlowGpu.Model.Data;
using GlowGpu.Model.Training;

namespace GlowGpu.Model.Attributes;

/// <summary>Fits directions of attributes.</summary>
public static class AttributeFitter
{
    /// <summary>
    /// Encodes every image once (u = ½) and keeps sums only: memory grows with attributes, not with images. Sums are
    /// in double, in the order of the set: neither batch size nor threads change the result.
    /// </summary>
    /// <exception cref="GlowException">The images do not fit, or an attribute has an empty class.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was signalled.</exception>
    public static AttributeDirections Fit(FlowModel model, IImageSource data, AttributeLabels labels, int batch,
        Action<int>? progress = null, CancellationToken stop = default)
    {
        if (labels.Count != data.Count)
            throw new ArgumentException($"labels of {labels.Count} images are not those of {data.Count}");
        labels.CheckBothClasses(Enumerable.Range(0, labels.Names.Count));
        int levels = model.Config.Levels;
        int[] lengths = [.. Enumerable.Range(0, levels).Select(l => model.Config.LatentShape(l))
            .Select(static s => s.H * s.W * s.C)];
        double[][] all = Zeros(lengths);
        double[][][] positive = [.. labels.Names.Select(_ => Zeros(lengths))];
        Evaluator.EncodeEach(model, data, Dequantization.Center, 0, batch, (first, latents) =>
        {
            // Attributes are independent of each other, images are not: each sum takes them in order.
            Parallel.For(-1, labels.Names.Count, a =>
            {
                for (int i = 0; i < latents.Count; i++)
                    if (a < 0 || labels.Has(first + i, a)) Add(a < 0 ? all : positive[a], latents, i);
            });
        }, progress, stop);
        return new AttributeDirections(ModelFingerprint.Of(model), model.Config, data.Name, data.Hash,
            [.. labels.Names.Select((name, a) => Direction(name, labels.Positives(a), data.Count, positive[a], all))]);
    }

    private static AttributeDirection Direction(string name, int positives, int count, double[][] positive,
        double[][] all)
    {
        int negatives = count - positives;
        double midpoint = 0;
        float[][] direction = new float[all.Length][];
        for (int l = 0; l < all.Length; l++)
        {
            direction[l] = new float[all[l].Length];
            for (int i = 0; i < direction[l].Length; i++)
            {
                double with = positive[l][i] / positives, without = (all[l][i] - positive[l][i]) / negatives;
                direction[l][i] = (float)(with - without);
                midpoint += direction[l][i] * (with + without) / 2;
            }
        }
        return new AttributeDirection(name, positives, negatives, midpoint, direction);
    }

    private static double[][] Zeros(int[] lengths) => Array.ConvertAll(lengths, static n => new double[n]);

    private static void Add(double[][] sums, Latents latents, int image)
    {
        for (int l = 0; l < sums.Length; l++)
        {
            double[] sum = sums[l];
            ReadOnlySpan<float> z = latents.Eps[l].AsSpan(image * sum.Length, sum.Length);
            for (int i = 0; i < sum.Length; i++) sum[i] += z[i];
        }
    }
}
