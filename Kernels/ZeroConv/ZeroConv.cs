namespace GlowGpu.Kernels;

/// <summary>Sizes of a zero-initialised 3×3 convolution.</summary>
public readonly record struct ZeroConvShape(int In, int Out, bool EdgeBias)
{
    /// <summary>Input channels of the weights: In, + 1 with edge bias.</summary>
    public int In1 => In + (EdgeBias ? 1 : 0);
}

/// <summary>W <c>[3,3,In1,Out]</c>, Bias, Logs <c>[Out]</c> (or their gradients), each one dense row.</summary>
public readonly record struct ZeroConvParameters(View W, View Bias, View Logs);

/// <summary>
/// The learned prior of a split: <c>h = (conv3×3(x; W) + Bias)·exp(3·Logs)</c>, conventions as in
/// <see cref="ICouplingNet"/>.
/// x <c>[P,In]</c> may be strided, h <c>[P,Out]</c>.
/// </summary>
public interface IZeroConv
{
    /// <summary>Floats that <see cref="Pack"/> fills.</summary>
    long PackedLength(ZeroConvShape shape);

    /// <summary>Folds and lays out the weights; call again whenever a parameter changed.</summary>
    void Pack(ZeroConvShape shape, ZeroConvParameters parameters, View packed);

    /// <summary>h from x.</summary>
    void Forward(ZeroConvShape shape, Pixels pixels, View x, View packed, View h);

    /// <summary><b>Adds</b> to dx <c>[P,In]</c>, overwrites the three gradients.</summary>
    void Backward(ZeroConvShape shape, Pixels pixels, View x, View h, View packed, ZeroConvParameters parameters,
        View dh, View dx, ZeroConvParameters gradients);
}
