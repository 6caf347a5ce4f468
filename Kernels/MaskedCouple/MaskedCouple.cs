namespace GlowGpu.Kernels;

/// <summary>Which pixels a coupling changes; the others condition it and stay.</summary>
public enum PixelMask
{
    /// <summary>All of them: the conditions are other channels.</summary>
    All,

    /// <summary>Those of the checkerboard with y + x even.</summary>
    Even,

    /// <summary>Those with y + x odd.</summary>
    Odd,
}

/// <summary>
/// RealNVP's affine coupling, in place on z (Dinh et al. 2016, eq. 9), with the scale bounded by a tanh times a
/// learned factor per channel (section 4.1 and the published code):
/// <code>
/// t = h[0::2],  s = factor·tanh(h[1::2])          at pixels of the mask; t = s = 0 elsewhere
///   forward   z ← z·exp(s) + t                  logdet[n] += Σ s
///   inverse   z ← (z − t)·exp(−s)               logdet[n] −= the same
///   backward  (from the output z, so the input is never kept)
///     dt = dz;  ds = dz·(z − t) + g;  dh[1::2] = ds·factor·(1 − tanh²);  dfactor = Σ ds·tanh;  dz ← dz·exp(s)
/// </code>
/// z, dz <c>[P,C]</c> may be strided; h, dh <c>[P,2C]</c>; factor, dfactor <c>[1,C]</c>; logdet <c>[1,N]</c>, nats,
/// summed in double or pairwise.
/// </summary>
public interface IMaskedCouple
{
    /// <summary>Forward, in place; adds to logdet (which may be None).</summary>
    void Forward(PixelMask mask, Pixels pixels, View z, View h, View factor, View logdet);

    /// <summary>Inverse, in place; subtracts from logdet (which may be None).</summary>
    void Inverse(PixelMask mask, Pixels pixels, View z, View h, View factor, View logdet);

    /// <summary>
    /// From the output z and dz: overwrites dz with the gradient of the input z, dh (0 outside the mask) and dfactor.
    /// <paramref name="gLogDet"/> is the derivative of the loss by every image's log-determinant.
    /// </summary>
    void Backward(PixelMask mask, Pixels pixels, View z, View h, View factor, View dz, View dh,
        View dfactor, float gLogDet);

    /// <summary>
    /// condition <c>[P,C]</c>, dense: z at the pixels that the mask leaves as they are, 0 at the others.
    /// </summary>
    void Condition(PixelMask mask, Pixels pixels, View z, View condition);

    /// <summary>
    /// Backward of <see cref="Condition"/>: adds dcondition to dz at the pixels that the mask leaves as they are.
    /// </summary>
    void AddCondition(PixelMask mask, Pixels pixels, View dcondition, View dz);
}
