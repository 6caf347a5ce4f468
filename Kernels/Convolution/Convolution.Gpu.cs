namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// <see cref="IConvolution"/> on a GPU: a product over gathered patches, or of a 1×1 convolution over the pixels
/// themselves.
/// Packed are the weights as they are, and behind them the bias.
/// </summary>
internal sealed class GpuConvolution(GpuContext gpu, PatchConvolution patches, Views views) : IConvolution
{
    private readonly Kernel<MaskArguments> mask = gpu.Declare<MaskArguments>(MaskCut);

    internal struct MaskArguments
    {
        public Matrix Y, DY, Target;
        public int Count;
    }

    /// <inheritdoc/>
    public long PackedLength(ConvolutionShape shape) => (long)(shape.Rows + 1) * shape.Out;

    /// <inheritdoc/>
    public void Pack(ConvolutionShape shape, ConvolutionParameters parameters, View packed)
    {
        Shapes.CheckConvolutionPack(shape, parameters, packed, PackedLength(shape));
        int weights = shape.Rows * shape.Out;
        View row = packed.Reshape(1, checked((int)packed.Count));
        views.Copy(parameters.W.Reshape(1, weights), row.Columns(0, weights));
        views.Copy(parameters.Bias.Reshape(1, shape.Out), row.Columns(weights, shape.Out));
    }

    /// <inheritdoc/>
    public void Forward(ConvolutionShape shape, Pixels pixels, View x, View packed, View y)
    {
        Shapes.CheckConvolution(shape, pixels, x, packed, y, PackedLength(shape));
        Matrix weights = gpu.Matrix(packed);
        Matrix w = weights.Window(0, shape.Out), bias = weights.Window((long)shape.Rows * shape.Out, shape.Out);
        Matrix read = Read(shape, pixels, x);
        if (shape.Relu) gpu.Gemm.MultiplyBiasRelu(pixels.Count, shape.Out, shape.Rows, read, w, bias, gpu.Matrix(y));
        else gpu.Gemm.MultiplyBias(pixels.Count, shape.Out, shape.Rows, read, w, bias, gpu.Matrix(y));
    }

    /// <inheritdoc/>
    public void Backward(ConvolutionShape shape, Pixels pixels, View x, View y, View packed, View dy, View dx,
        ConvolutionParameters gradients)
    {
        Shapes.CheckConvolutionBackward(shape, pixels, x, y, packed, dy, dx, gradients, PackedLength(shape));
        int p = pixels.Count, rows = shape.Rows;
        Matrix g = gpu.Matrix(dy);
        if (shape.Relu)
        {
            g = gpu.Scratch.Take(ScratchSlot.FirstGradient, p, shape.Out);
            mask.ForEach(checked(p * shape.Out),
                new() { Y = gpu.Matrix(y), DY = gpu.Matrix(dy), Target = g, Count = p * shape.Out });
        }
        gpu.Columns.Times(g, p, shape.Out, 1f, gpu.Matrix(gradients.Bias));
        Matrix read = Read(shape, pixels, x);
        (Matrix slices, int count) = gpu.Gemm.TransposedSlices(rows, shape.Out, p, read, g);
        gpu.Columns.Slices(slices, count, rows, shape.Out, gpu.Matrix(gradients.W).Window(0, shape.Out));

        Matrix w = gpu.Matrix(packed).Window(0, shape.Out);
        if (shape.Size == 1)
        {
            gpu.Gemm.AddMultiplyTransposed(p, rows, shape.Out, g, w, gpu.Matrix(dx));
            return;
        }
        // The patches have served; their gradient takes their place.
        gpu.Gemm.MultiplyTransposed(p, rows, shape.Out, g, w, read);
        patches.AddGradient(pixels, shape.In, edgeBias: false, read, gpu.Matrix(dx));
    }

    private Matrix Read(ConvolutionShape shape, Pixels pixels, View x) => shape.Size == 1
        ? gpu.Matrix(x)
        : patches.Gather(pixels, shape.In, edgeBias: false, gpu.Matrix(x));

    private static void MaskCut(MaskArguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
            arguments.Target[i] = arguments.Y[i] > 0f ? arguments.DY[i] : 0f;
    }
}
