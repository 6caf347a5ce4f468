using GlowGpu.Engine;
using GlowGpu.Model.Data;
using GlowGpu.Model.Training;

namespace GlowGpu.Model.Attributes;

/// <summary>How well one direction separates images with and without its attribute.</summary>
/// <param name="Name">the attribute</param>
/// <param name="Positives">images with it</param>
/// <param name="Negatives">images without it</param>
/// <param name="Auc">chance that an image with it projects higher than one without, ties half; ½ is chance, 1
/// perfect</param>
/// <param name="Accuracy">fraction on the right side of the midpoint between the class means that the direction was
/// fitted with</param>
/// <param name="BestAccuracy">the same at the threshold that is best on these very images: an upper bound</param>
/// <param name="MajorityRate">accuracy of always guessing the larger class</param>
public sealed record AttributeScore(
    string Name, int Positives, int Negatives, double Auc, double Accuracy, double BestAccuracy, double MajorityRate);

/// <summary>Scores directions on images, best those that they were not fitted on.</summary>
public static class AttributeScorer
{
    /// <summary>One score for each of <paramref name="attributes"/>, which the labels know by the same names.</summary>
    /// <exception cref="GlowException">The images do not fit, the labels lack an attribute, or a class is
    /// empty.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was signalled.</exception>
    public static AttributeScore[] Score(FlowModel model, IReadOnlyList<AttributeDirection> attributes,
        IImageSource data, AttributeLabels labels,
        int batch, Action<int>? progress = null, CancellationToken stop = default)
    {
        int[] columns = [.. attributes.Select(a => labels.IndexOf(a.Name))];
        labels.CheckBothClasses(columns);
        double[][] projections = [.. attributes.Select(_ => new double[data.Count])];
        Evaluator.EncodeEach(model, data, Dequantization.Center, 0, batch, (first, latents) =>
            Parallel.For(0, attributes.Count, a =>
            {
                for (int i = 0; i < latents.Count; i++) projections[a][first + i] = attributes[a].Project(latents, i);
            }), progress, stop);
        return
        [
            .. attributes.Select((attribute, a) => Of(attribute.Name, projections[a],
                [.. Enumerable.Range(0, data.Count).Select(i => labels.Has(i, columns[a]))], attribute.Midpoint)),
        ];
    }

    /// <summary>Score of projections <c>[N]</c> against truth <c>[N]</c>.</summary>
    /// <exception cref="ArgumentException">One class is empty.</exception>
    public static AttributeScore Of(string name, double[] projections, bool[] truth, double threshold)
    {
        int n = truth.Length, positives = truth.Count(static t => t), negatives = n - positives;
        if (positives == 0 || negatives == 0) throw new ArgumentException($"attribute '{name}' has only one class");
        double[] sorted = [.. projections];
        bool[] has = [.. truth];
        Array.Sort(sorted, has);
        // Going up in projection, images below the threshold count as without.
        long right = positives, best = positives;
        double ranks = 0;
        for (int i = 0; i < n;)
        {
            int end = i, with = 0;
            for (; end < n && sorted[end].Equals(sorted[i]); end++) if (has[end]) with++;
            // Equal values share the mean of their ranks (Mann & Whitney 1947).
            ranks += with * (i + 1 + end) / 2.0;
            right += end - i - 2 * with;
            best = Math.Max(best, right);
            i = end;
        }
        double auc = (ranks - positives * (positives + 1.0) / 2) / ((double)positives * negatives);
        int correct = 0;
        for (int i = 0; i < n; i++) if (projections[i] > threshold == truth[i]) correct++;
        return new AttributeScore(name, positives, negatives, auc, correct / (double)n, best / (double)n,
            Math.Max(positives, negatives) / (double)n);
    }
}
