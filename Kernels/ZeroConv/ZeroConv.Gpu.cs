namespace GlowGpu.Kernels.Gpu;

/// <summary><see cref="IZeroConv"/> on a GPU: <see cref="TapConvolution"/> and, backward, dx += dt·Wᵀ.</summary>
internal sealed class GpuZeroConv(GpuContext gpu, TapConvolution convolution) : IZeroConv
{
    /// <inheritdoc/>
    public long PackedLength(ZeroConvShape shape) => Layout(shape).Length;

    /// <inheritdoc/>
    public void Pack(ZeroConvShape shape, ZeroConvParameters parameters, View packed)
    {
        Shapes.CheckZeroConvPack(shape, parameters, packed, PackedLength(shape));
        convolution.Pack(Layout(shape), shape.EdgeBias,
            gpu.Matrix(parameters.W), gpu.Matrix(parameters.Bias), gpu.Matrix(parameters.Logs), gpu.Matrix(packed));
    }

    /// <inheritdoc/>
    public void Forward(ZeroConvShape shape, Pixels pixels, View x, View packed, View h)
    {
        Shapes.CheckZeroConv(shape, pixels, x, packed, h, PackedLength(shape));
        convolution.Forward(Layout(shape), pixels, gpu.Matrix(x), gpu.Matrix(packed), gpu.Matrix(h));
    }

    /// <inheritdoc/>
    public void Backward(ZeroConvShape shape, Pixels pixels, View x, View h, View packed, ZeroConvParameters parameters,
        View dh, View dx, ZeroConvParameters gradients)
    {
        Shapes.CheckZeroConvBackward(shape, pixels, x, h, packed, parameters, dh, dx, gradients, PackedLength(shape));
        int cols = Taps.Count * shape.Out;
        Matrix dtaps = convolution.Backward(Layout(shape), shape.EdgeBias, pixels, gpu.Matrix(x), gpu.Matrix(h),
            gpu.Matrix(packed), gpu.Matrix(parameters.Logs), gpu.Matrix(dh),
            gpu.Matrix(gradients.W), gpu.Matrix(gradients.Bias), gpu.Matrix(gradients.Logs));
        gpu.Gemm.AddMultiplyTransposed(
            pixels.Count, shape.In, cols, dtaps, gpu.Matrix(packed).Window(0, cols), gpu.Matrix(dx));
    }

    private static TapLayout Layout(ZeroConvShape shape) => new(shape.In, shape.Out);
}
