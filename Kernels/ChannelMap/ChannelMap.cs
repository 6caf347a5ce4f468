namespace GlowGpu.Kernels;

/// <summary>How the channels of a step are mixed.</summary>
public enum ChannelMixing
{
    /// <summary>A dense W <c>[C,C]</c>.</summary>
    Dense,

    /// <summary>W = P·L·(U + diag(sign·exp(log_s))) with fixed P and sign.</summary>
    Plu,

    /// <summary>A fixed permutation, y[j] = x[permutation[j]]; no parameters.</summary>
    Permutation,
}

/// <summary>
/// Everything that turns the parameters of one step's actnorm and channel mixing into affine maps. Views that a mixing
/// does not use are <see cref="View.None"/>. The same record carries parameters and, in
/// <see cref="IChannelMap.Backward"/>, their gradients.
/// </summary>
/// <param name="Bias">actnorm b <c>[1,C]</c></param>
/// <param name="Logs">actnorm logs <c>[1,C]</c></param>
/// <param name="Weight">dense W <c>[C,C]</c></param>
/// <param name="Lower">plu: strictly lower part used, <c>[C,C]</c></param>
/// <param name="Upper">plu: strictly upper part used, <c>[C,C]</c></param>
/// <param name="LogS">plu: log|diagonal of U| <c>[1,C]</c></param>
public readonly record struct ChannelMapParameters(View Bias, View Logs, View Weight, View Lower, View Upper,
    View LogS);

/// <summary>
/// The maps of one step, as <see cref="IChannelMap.Prepare"/> leaves them:
/// forward <c>y = x·W' + b'</c>, inverse <c>x = y·V + c</c>.
/// </summary>
/// <param name="W">W' = diag(exp(3·logs))·W <c>[C,C]</c></param>
/// <param name="B">b' = (b ⊙ exp(3·logs))·W <c>[1,C]</c></param>
/// <param name="V">V = W⁻¹·diag(exp(−3·logs)) <c>[C,C]</c></param>
/// <param name="C">c = −b <c>[1,C]</c></param>
/// <param name="DW">gradient of W' <c>[C,C]</c>, filled by <see cref="IChannelAffine.Backward"/></param>
/// <param name="DB">gradient of b' <c>[1,C]</c>, likewise</param>
public readonly record struct ChannelMaps(View W, View B, View V, View C, View DW, View DB);

/// <summary>
/// One step's entry in <see cref="IChannelMap"/>: what is mixed and how, its views, and the number of pixels per image
/// (H·W at that level) by which its log-determinant counts.
/// </summary>
public sealed record ChannelMapStep(
    int Channels,
    ChannelMixing Mixing,
    int PixelsPerImage,
    int[] Permutation,
    float[] Sign,
    ChannelMapParameters Parameters,
    ChannelMapParameters Gradients,
    ChannelMaps Maps)
{
    /// <summary>For messages, e.g. <c>levels.0.steps.3</c>.</summary>
    public string Name { get; init; } = "";
}

/// <summary>
/// Small dense algebra of all steps at once: folding actnorm into the channel mixing, slogdet and inverse of W (LU
/// with partial pivoting, in double precision or pairs of float32), and the way back to the gradients of actnorm and
/// W. Run once per change of the parameters, over all steps of a model, so that a device needs one launch for all of
/// them.
/// Permutation holds the row order p for <see cref="ChannelMixing.Plu"/> (row p[r] of W is row r of L·U') and the
/// channel order for <see cref="ChannelMixing.Permutation"/>; Sign holds sign_s for Plu.
/// </summary>
public interface IChannelMap
{
    /// <summary>
    /// Writes W, B, V, C of every step and, to <paramref name="logDet"/> <c>[1,1]</c>,
    /// Σ_steps H·W·(Σ_c 3·logs_c + ln|det W|) in nats: what the steps add to every image's log-likelihood.
    /// A negative determinant is as good as a positive one. A W that is singular or not finite makes the
    /// log-determinant NaN, its maps arbitrary, and is described in <paramref name="status"/> <c>[1,4]</c>
    /// (<see cref="ChannelMapStatus"/>): nothing is thrown, because the host does not wait for the device here.
    /// </summary>
    void Prepare(IReadOnlyList<ChannelMapStep> steps, View logDet, View status);

    /// <summary>
    /// Turns DW, DB of every step into the gradients of its parameters (overwritten), with
    /// <paramref name="gLogDet"/> the derivative of the loss by the scalar that <see cref="Prepare"/> wrote.
    /// <code>
    /// dW    = diag(e)·DW' + (b⊙e)ᵀ·DB' + g·HW·W⁻ᵀ        e = exp(3·logs)
    /// db_i  = e_i·(W·DB')_i
    /// dlogs_i = 3·e_i·(Σ_j DW'_ij W_ij + b_i·(W·DB')_i) + 3·g·HW
    /// </code>
    /// Plu: chained through P, L and U; the unused triangles get zero.
    /// </summary>
    void Backward(IReadOnlyList<ChannelMapStep> steps, float gLogDet);
}
