namespace GlowGpu.Kernels;

/// <summary>
/// Sizes of a plain convolution: 3×3 or 1×1 (<paramref name="Size"/> 3 or 1), In → Out channels, with or without a
/// ReLU behind it. A fully connected layer is the 1×1 convolution of images of one pixel.
/// </summary>
public readonly record struct ConvolutionShape(int Size, int In, int Out, bool Relu)
{
    /// <summary>Pixels that one output reads.</summary>
    public int Taps => Size * Size;

    /// <summary>Rows of the weights: one for each value that an output reads.</summary>
    public int Rows => Taps * In;
}

/// <summary>W <c>[Size,Size,In,Out]</c> and Bias <c>[Out]</c> (or their gradients), each one dense row.</summary>
public readonly record struct ConvolutionParameters(View W, View Bias);

/// <summary>
/// The building block of the coupling networks of RealNVP (Dinh et al. 2016, section 3.7) and NICE (Dinh et al. 2014,
/// section 5):
/// <code>
/// y = conv(x; W) + Bias,  with Relu: y = max(conv(x; W) + Bias, 0)
/// </code>
/// A cross-correlation, tap (dy, dx) of a 3×3 kernel reads pixel (y+dy−1, x+dx−1), zero outside the image. x
/// <c>[P,In]</c> and dx may be strided, y and dy <c>[P,Out]</c> are dense. A GEMM over gathered patches <c>[P,
/// Taps·In]</c>:
/// 2·P·Taps·In·Out flops forward, twice that backward.
/// </summary>
public interface IConvolution
{
    /// <summary>Floats that <see cref="Pack"/> fills.</summary>
    long PackedLength(ConvolutionShape shape);

    /// <summary>
    /// Lays the weights out as the backend multiplies fastest; call again whenever a parameter changed.
    /// </summary>
    void Pack(ConvolutionShape shape, ConvolutionParameters parameters, View packed);

    /// <summary>y from x.</summary>
    void Forward(ConvolutionShape shape, Pixels pixels, View x, View packed, View y);

    /// <summary>
    /// Given dy: <b>adds</b> to dx <c>[P,In]</c>, overwrites both gradients. With Relu y is needed as Forward left
    /// it, and dy counts for nothing where it was cut off; without, y may be None.
    /// </summary>
    void Backward(ConvolutionShape shape, Pixels pixels, View x, View y, View packed, View dy, View dx,
        ConvolutionParameters gradients);
}
