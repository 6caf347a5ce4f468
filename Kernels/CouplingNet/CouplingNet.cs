namespace GlowGpu.Kernels;

/// <summary>
/// Sizes of a coupling network: in → width → width → out channels, with or without edge-bias input channels.
/// </summary>
public readonly record struct CouplingNetShape(int In, int Width, int Out, bool EdgeBias)
{
    /// <summary>Input channels of the first 3×3 convolution's weights: In, + 1 with edge bias.</summary>
    public int In1 => In + (EdgeBias ? 1 : 0);

    /// <summary>Input channels of the last 3×3 convolution's weights: Width, + 1 with edge bias.</summary>
    public int In3 => Width + (EdgeBias ? 1 : 0);
}

/// <summary>
/// The nine parameters of a coupling network (or their gradients), each one dense row:
/// W1 <c>[3,3,In1,Width]</c>, Bias1, Logs1 <c>[Width]</c>, W2 <c>[Width,Width]</c>, Bias2, Logs2 <c>[Width]</c>,
/// W3 <c>[3,3,In3,Out]</c>, Bias3, Logs3 <c>[Out]</c>.
/// </summary>
public readonly record struct CouplingNetParameters(
    View W1, View Bias1, View Logs1, View W2, View Bias2, View Logs2, View W3, View Bias3, View Logs3);

/// <summary>
/// The coupling network f of a flow step as one operation (Kingma &amp; Dhariwal 2018, section 5):
/// <code>
/// a1 = relu((conv3×3(z1; W1) + Bias1)·exp(3·Logs1))      [P,Width]
/// a2 = relu((a1·W2           + Bias2)·exp(3·Logs2))      [P,Width]
/// h  =      (conv3×3(a2; W3) + Bias3)·exp(3·Logs3)       [P,Out]
/// </code>
/// Convolutions are cross-correlations, tap (dy, dx) reads pixel (y+dy−1, x+dx−1), zero outside the image; with edge
/// bias every 3×3 convolution sees one more input channel, the last, that is 1 outside the image and 0 inside. The
/// first is a GEMM over gathered patches <c>[P, 9·In1]</c>; the last is a GEMM <c>[P, 9·Out]</c> whose nine taps are
/// shifted and added, so no Width-wide activation is ever gathered. 2·P·Width·(9·In1 + Width + 9·Out) flops forward,
/// twice that backward.
/// </summary>
public interface ICouplingNet
{
    /// <summary>
    /// Whether <see cref="Backward"/> reads packed weights. Where it does not, a training step need not keep them: a
    /// layer's are packed right before its forward pass, into memory that all layers share and a cache still holds.
    /// </summary>
    bool BackwardReadsPacked { get; }

    /// <summary>
    /// Floats that <see cref="Pack"/> fills: folded weights in whatever form the backend multiplies fastest over
    /// images of this size; the number of images does not matter.
    /// </summary>
    long PackedLength(CouplingNetShape shape, Pixels pixels);

    /// <summary>
    /// Floats of activations that <see cref="Forward"/> keeps for <see cref="Backward"/> over these pixels.
    /// </summary>
    long SavedLength(CouplingNetShape shape, Pixels pixels);

    /// <summary>
    /// Folds exp(3·logs) into the weights and lays them out for images of this size; call again whenever a parameter
    /// changed.
    /// </summary>
    void Pack(CouplingNetShape shape, Pixels pixels, CouplingNetParameters parameters, View packed);

    /// <summary>
    /// h = f(z1). z1 <c>[P,In]</c> (may be strided), h <c>[P,Out]</c>. When <paramref name="saved"/> is given
    /// (<see cref="SavedLength"/> floats, one row) it holds what Backward needs. Deterministic, bit for bit.
    /// <paramref name="following"/>: the packed weights of the network that comes next, if that is known, which a
    /// host brings into its cache meanwhile; or none.
    /// </summary>
    void Forward(CouplingNetShape shape, Pixels pixels, View z1, View packed, View h, View saved,
        View following = default);

    /// <summary>
    /// Given dh <c>[P,Out]</c>: <b>adds</b> to dz1 <c>[P,In]</c> and overwrites all nine gradients. h and
    /// saved as Forward left them; parameters as they were packed. packed may be none unless
    /// <see cref="BackwardReadsPacked"/>.
    /// </summary>
    void Backward(CouplingNetShape shape, Pixels pixels, View z1, View h, View saved, View packed,
        CouplingNetParameters parameters, View dh, View dz1, CouplingNetParameters gradients);

    /// <summary>
    /// Data-dependent initialisation: sets Bias1, Logs1 and then Bias2, Logs2 from this batch so that both hidden
    /// layers leave their actnorm with zero mean and unit variance per channel
    /// (<see cref="IChannelStats.InitializeActNorm"/>).
    /// </summary>
    void Initialize(CouplingNetShape shape, Pixels pixels, View z1, CouplingNetParameters parameters);
}
