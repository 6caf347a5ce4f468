namespace GlowGpu.Kernels;

/// <summary>
/// Parameters of the top prior (or their gradients): the zero convolution over an all-zero input (Conv, None unless
/// learned) and the class embedding ClassW <c>[classes,2C]</c>, ClassBias, ClassLogs <c>[2C]</c> (None unless
/// conditional).
/// </summary>
public readonly record struct PriorParameters(ZeroConvParameters Conv, View ClassW, View ClassBias, View ClassLogs);

/// <summary>
/// Statistics of the top prior for every pixel of every image (C channels, so 2C statistics; conv input 2C + edge
/// channel):
/// <code>
/// stats[n,y,x,j] = (Σ_{taps outside the image} W[tap, 2C, j] + Bias_j)·exp(3·Logs_j)          when learned
///                + (ClassW[label_n, j] + ClassBias_j)·exp(3·ClassLogs_j)                      when conditional
/// </code>
/// With an all-zero input only bias and edge row of the convolution matter; the other weights get gradient zero.
/// </summary>
public interface IPrior
{
    /// <summary>Writes stats <c>[P,2C]</c>; labels <c>[1,N]</c> hold class indices as floats, or None.</summary>
    void Forward(bool edgeBias, Pixels pixels, PriorParameters parameters, View labels, View stats);

    /// <summary>Overwrites every gradient given, from dstats <c>[P,2C]</c>.</summary>
    void Backward(bool edgeBias, Pixels pixels, PriorParameters parameters, View labels, View dstats,
        PriorParameters gradients);
}
