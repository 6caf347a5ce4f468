namespace GlowGpu.Kernels;

/// <summary>A density that every latent has on its own.</summary>
public enum PriorKind
{
    /// <summary>ln p(z) = −½·(ln 2π + z²).</summary>
    Gaussian,

    /// <summary>ln p(z) = −ln(1 + e^z) − ln(1 + e^−z), standard logistic.</summary>
    Logistic,
}

/// <summary>
/// The top of NICE (Dinh et al. 2014, sections 3.3 and 3.4): a diagonal scaling and a factorised prior,
/// <code>
/// z = x·exp(logs)
/// logp[n] += Σ_i logs[i] + ln p(z[n,i])                    (nats)
/// inverse   x = z·exp(−logs)
/// backward  with d = ln p'(z):  dx = g·d·exp(logs);  dlogs[i] = g·Σ_n (d·z + 1)
/// </code>
/// x, z, dx <c>[N,D]</c>, one image a row; logs, dlogs <c>[1,D]</c>; logp <c>[1,N]</c>. Sums in double or compensated.
/// </summary>
public interface IScaledPrior
{
    /// <summary>
    /// Adds the log-determinant and the log-density to logp (may be None) and writes z (may be None).
    /// </summary>
    void Forward(PriorKind kind, View x, View logs, View logp, View z);

    /// <summary>x from z.</summary>
    void Inverse(View z, View logs, View x);

    /// <summary>
    /// Overwrites dx and dlogs; <paramref name="gLogP"/> is the derivative of the loss by every image's logp.
    /// </summary>
    void Backward(PriorKind kind, View x, View logs, float gLogP, View dx, View dlogs);
}
