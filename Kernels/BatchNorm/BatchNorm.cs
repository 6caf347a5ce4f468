namespace GlowGpu.Kernels;

/// <summary>
/// Gain and Bias <c>[C]</c> behind the normalisation and a ReLU behind those (or the gradients of the two); default:
/// neither, the normalisation alone.
/// </summary>
public readonly record struct BatchNormAffine(View Gain, View Bias)
{
    /// <summary>True for the normalisation alone.</summary>
    public bool IsNone => Gain.IsNone;
}

/// <summary>
/// Batch normalisation, as a layer of a flow (Dinh et al. 2016, section 3.7) and inside coupling networks:
/// <code>
/// r = 1/√(variance + 1e-5),  n[p,c] = (x[p,c] − mean[c])·r[c]
/// flow      y = n                        logdet of every image: −½·H·W·Σ_c ln(variance[c] + 1e-5)
/// network   y = max(Gain·n + Bias, 0)
/// </code>
/// mean and variance <c>[1,C]</c> are those of the batch (biased, over all pixels of all images) in training and
/// running ones elsewhere. x, y, dx, dy <c>[P,C]</c> are dense. Sums are in double or compensated.
/// </summary>
public interface IBatchNorm
{
    /// <summary>Mean and biased variance of every channel of x, which may be strided. Two passes.</summary>
    void Measure(View x, View mean, View variance);

    /// <summary>y from x.</summary>
    void Apply(View x, View mean, View variance, BatchNormAffine affine, View y);

    /// <summary>x from y = n, the flow's inverse: <c>x = y·√(variance + 1e-5) + mean</c>.</summary>
    void Invert(View y, View mean, View variance, View x);

    /// <summary>logdet[n] += sign·(−½·H·W·Σ_c ln(variance[c] + 1e-5)), nats.</summary>
    void AddLogDet(Pixels pixels, View variance, float sign, View logdet);

    /// <summary>
    /// <b>Adds</b> the gradient of x to dx and overwrites those of Gain and Bias, where mean and variance are the
    /// batch's own and so depend on every x. With g = dy (where the ReLU is open) and G = Gain, or 1:
    /// <code>
    /// dBias = Σ_p g,  dGain = Σ_p g·n
    /// dx += r·(G·(g − dBias/P − n·dGain/P) − gLogDet·n)
    /// </code>
    /// The last term is the log-determinant's way through the variance: −½·HW·N·gLogDet·d ln(variance)/dx =
    /// −gLogDet·r·n.
    /// <paramref name="gLogDet"/> is the derivative of the loss by every image's log-determinant.
    /// </summary>
    void Backward(View x, View mean, View variance, BatchNormAffine affine, View dy, float gLogDet, View dx,
        BatchNormAffine gradients);

    /// <summary>
    /// running ← (1 − momentum)·running + momentum·batch; nothing when <paramref name="scale"/> <c>[1,1]</c> is given
    /// and is NaN
    /// (<see cref="IOptimizerStep.Judge"/>).
    /// </summary>
    void Blend(View batch, View running, float momentum, View scale = default);
}
