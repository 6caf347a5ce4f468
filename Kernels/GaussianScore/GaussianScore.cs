namespace GlowGpu.Kernels;

/// <summary>Where mean and logs stand in the statistics of a Gaussian.</summary>
public enum StatsLayout
{
    /// <summary>mean = h[0::2], logs = h[1::2] (split priors).</summary>
    Interleaved,

    /// <summary>mean = h[:C], logs = h[C:] (top prior).</summary>
    Halves,
}

/// <summary>
/// Diagonal Gaussian log-density of z with its per-image reduction, the latent eps, and the way back:
/// <code>
/// eps = (z − mean)·exp(−logs)
/// logp[n] += Σ −½·(ln 2π + eps²) − logs             (nats)
/// inverse   z = mean + exp(logs)·eps
/// backward  dz = −g·eps·exp(−logs);  dmean = −dz;  dlogs = g·(eps² − 1)
/// </code>
/// z, eps, dz <c>[P,C]</c>, z and dz may be strided; stats, dstats <c>[P,2C]</c>; logp <c>[1,N]</c>. Sums per image
/// in double or pairwise.
/// </summary>
public interface IGaussianScore
{
    /// <summary>Adds the log-density to logp (may be None) and writes eps (may be None).</summary>
    void Forward(Pixels pixels, StatsLayout layout, View z, View stats, View logp, View eps);

    /// <summary>z from eps; a temperature is applied to eps beforehand.</summary>
    void Inverse(Pixels pixels, StatsLayout layout, View eps, View stats, View z);

    /// <summary>
    /// Overwrites dz and dstats; <paramref name="gLogP"/> is the derivative of the loss by every image's logp.
    /// </summary>
    void Backward(Pixels pixels, StatsLayout layout, View z, View stats, float gLogP, View dz, View dstats);
}
