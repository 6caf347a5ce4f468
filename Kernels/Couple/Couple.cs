namespace GlowGpu.Kernels;

/// <summary>The two couplings of the paper.</summary>
public enum CouplingKind
{
    /// <summary>z2 ← (z2 + shift)·scale, h has 2× the channels of z2.</summary>
    Affine,

    /// <summary>z2 ← z2 + h, h has the channels of z2.</summary>
    Additive,
}

/// <summary>
/// The coupling itself, in place on z2 (Dinh et al. 2016, eq. 8; openai/glow's parameterisation):
/// <code>
/// affine:  shift = h[0::2], s = h[1::2] + 2, scale = sigmoid(s)
///   forward   z2 ← (z2 + shift)·scale       logdet[n] += Σ_{pixels of n, channels} ln scale
///   inverse   z2 ← z2/scale − shift         logdet[n] −= the same
///   backward  (from the output z2, so the input is never kept)
///     dshift = dz2·scale;  ds = (dz2·z2 + g)·(1 − scale);  dz2 ← dz2·scale
/// additive: forward z2 ← z2 + h, inverse z2 ← z2 − h, backward dh = dz2; no log-determinant.
/// </code>
/// ln scale = −softplus(−s), evaluated without overflow for any s. Log-determinants are summed per image in double or
/// pairwise. z2, dz2 <c>[P,C2]</c> may be strided; h, dh <c>[P,2·C2]</c> or <c>[P,C2]</c>; logdet <c>[1,N]</c>, nats.
/// </summary>
public interface ICouple
{
    /// <summary>Forward, in place; adds to logdet (which may be None).</summary>
    void Forward(CouplingKind kind, Pixels pixels, View z2, View h, View logdet);

    /// <summary>Inverse, in place; subtracts from logdet (which may be None).</summary>
    void Inverse(CouplingKind kind, Pixels pixels, View z2, View h, View logdet);

    /// <summary>
    /// From the output z2 and dz2: overwrites dz2 with the gradient of the input z2, and dh with that of h.
    /// <paramref name="gLogDet"/> is the derivative of the loss by every image's log-determinant.
    /// </summary>
    void Backward(CouplingKind kind, Pixels pixels, View z2, View h, View dz2, View dh, float gLogDet);
}
