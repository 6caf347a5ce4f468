using GlowGpu.Engine;

namespace GlowGpu.Model.Scoring;

/// <summary>
/// The typicality test of Nalisnick et al. (<i>Detecting Out-of-Distribution Inputs to Deep Generative Models Using
/// Typicality</i>, 2019) for single images: an image is atypical when its −log p(x) is far from the entropy of the
/// model, whether above or below. A flow may give other data a higher likelihood than its own, which a threshold on
/// the likelihood takes for familiar.
/// </summary>
public sealed class Typicality
{
    private readonly double[] distances;

    /// <summary>The test against reference images that the model is meant for.</summary>
    /// <param name="logLikelihoods">of the reference images, in nats <c>[M]</c></param>
    /// <exception cref="GlowException">There are fewer than two, or one is not finite.</exception>
    public Typicality(IReadOnlyList<double> logLikelihoods)
    {
        if (logLikelihoods.Count < 2)
            throw new GlowException(
            $"typicality: {logLikelihoods.Count} reference images make no distribution; at least 2 are needed");
        if (logLikelihoods.Any(static v => !double.IsFinite(v)))
            throw new GlowException("typicality: the model gives a reference image no finite likelihood; a model "
                + "that has not diverged is needed");
        Entropy = -logLikelihoods.Average();
        distances = [.. logLikelihoods.Select(Distance).Order()];
    }

    /// <summary>Mean −log p over the reference images, nats.</summary>
    public double Entropy { get; }

    /// <summary>|−log p(x) − entropy|, nats.</summary>
    public double Distance(double logLikelihood) => Math.Abs(-logLikelihood - Entropy);

    /// <summary>
    /// Chance that an image like the reference lies at least as far from the entropy, on either side: (1 + number of
    /// reference images that do)/(1 + M). Small means atypical; the smallest value there can be is 1/(1 + M). An
    /// image without a finite likelihood gets that.
    /// </summary>
    public double PValue(double logLikelihood)
    {
        double distance = Distance(logLikelihood);
        if (!double.IsFinite(distance)) return 1.0 / (1 + distances.Length);
        int low = 0, high = distances.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (distances[middle] < distance) low = middle + 1;
            else high = middle;
        }
        return (1.0 + distances.Length - low) / (1 + distances.Length);
    }
}
