using GlowGpu.Kernels.Gpu.TensorCore;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// <see cref="ICouplingNet"/> on tensor cores: the formulas of <see cref="GpuCouplingNet"/> with every factor of a
/// product rounded to
/// <typeparamref name="TFormat"/> where it is made — weights when they are packed, patches and taps when they are
/// gathered, hidden activations and their gradients when they leave the product before. Sums, biases, the tap sum and
/// the gradients of parameters are float32. Forward is one kernel (<see cref="FusedNetKernel"/>) where a device has
/// the shared memory for it and there are pixels enough for all its multiprocessors, three products elsewhere, with
/// the same bits either way.
/// </summary>
/// <typeparam name="TFormat">format of the factors</typeparam>
/// <typeparam name="TOuter">its products over pixels</typeparam>
/// <typeparam name="TWarp">warp tile of the fused kernel: as many rows as leave room for the hidden
/// activations</typeparam>
internal sealed class GpuTensorCouplingNet<TFormat, TOuter, TWarp>(
    GpuContext gpu, GpuCouplingNet single, PatchConvolution patches, TapConvolution convolution) : ICouplingNet
    where TFormat : struct, ITensorFormat
    where TOuter : struct, IOuterFormat
    where TWarp : struct, IWarpTile
{
    private readonly FusedNet<TFormat, TWarp> fused = new(gpu);
    private readonly TensorGemm<TFormat, TOuter> gemm = new(gpu);
    private readonly OperandWriter<TFormat> writer = new(gpu);
    private readonly HiddenSums<TFormat> hiddenSums = new(gpu);
    private readonly TensorSliceSums sliceSums = new(gpu);

    /// <summary>
    /// Where the packed parameters lie, in words from the first multiple of 16 bytes on: of each layer the weights
    /// with its outputs as rows, as the forward product takes them, and with its inputs as rows, as the backward
    /// product does; biases; and the rest of the last layer as <see cref="TapLayout"/> says. Rows and columns are
    /// filled up with zeros to a multiple of
    /// <see cref="Operand.Unit"/>, so that hidden activations are zero there too.
    /// </summary>
    private readonly record struct Layout(CouplingNetShape Shape)
    {
        public int Width => Operand.Padded(Shape.Width);

        public int PatchCols => Taps.Count * Shape.In1;

        public int TapCols => Taps.Count * Shape.Out;

        public int Inputs1 => Operand.Length<TFormat>(Width, PatchCols);

        public int Bias1 => Inputs1 + Operand.Length<TFormat>(Operand.Padded(PatchCols), Shape.Width);

        public int Outputs2 => Bias1 + Width;

        public int Inputs2 => Outputs2 + Operand.Length<TFormat>(Width, Shape.Width);

        public int Bias2 => Inputs2 + Operand.Length<TFormat>(Width, Shape.Width);

        public int Outputs3 => Bias2 + Width;

        public int Inputs3 => Outputs3 + Operand.Length<TFormat>(Operand.Padded(TapCols), Shape.Width);

        public int Tail => Inputs3 + Operand.Length<TFormat>(Width, TapCols);

        public int Length => checked(Tail + Rest.Length + Operand.Slack);

        public TapLayout Rest => new(0, Shape.Out);
    }

    /// <summary>The packed parameters of one network.</summary>
    private sealed record Weights(
        Operand Outputs1, Operand Inputs1, Matrix Bias1, Operand Outputs2, Operand Inputs2, Matrix Bias2,
        Operand Outputs3, Operand Inputs3, Matrix Tail);

    /// <inheritdoc/>
    public bool BackwardReadsPacked => true;

    /// <inheritdoc/>
    public long PackedLength(CouplingNetShape shape, Pixels pixels) => new Layout(shape).Length;

    /// <inheritdoc/>
    public long SavedLength(CouplingNetShape shape, Pixels pixels) =>
        2L * pixels.Count * Operand.WordsOf<TFormat>(shape.Width) + Operand.Slack;

    /// <inheritdoc/>
    public void Pack(CouplingNetShape shape, Pixels pixels, CouplingNetParameters parameters, View packed)
    {
        Shapes.CheckCouplingNetPack(shape, parameters, packed, PackedLength(shape, pixels));
        Layout layout = new(shape);
        Weights weights = Unpack(layout, packed);
        int width = shape.Width;
        PackHidden(layout.PatchCols, width, parameters.W1, parameters.Bias1, parameters.Logs1, weights.Outputs1,
            weights.Inputs1, weights.Bias1);
        PackHidden(width, width, parameters.W2, parameters.Bias2, parameters.Logs2, weights.Outputs2,
            weights.Inputs2, weights.Bias2);
        Matrix w3 = gpu.Matrix(parameters.W3);
        writer.TapWeights(width, shape.Out, shape.In3 * shape.Out, w3, transposed: true, weights.Outputs3);
        writer.TapWeights(width, shape.Out, shape.In3 * shape.Out, w3, transposed: false, weights.Inputs3);
        convolution.PackTail(new(width, shape.Out), shape.EdgeBias, w3, gpu.Matrix(parameters.Bias3),
            gpu.Matrix(parameters.Logs3),
            weights.Tail);
    }

    /// <inheritdoc/>
    public void Forward(CouplingNetShape shape, Pixels pixels, View z1, View packed, View h, View saved,
        View following = default)
    {
        Shapes.CheckCouplingNet(
            shape, pixels, z1, packed, h, saved, PackedLength(shape, pixels), SavedLength(shape, pixels));
        int p = pixels.Count, width = shape.Width;
        Layout layout = new(shape);
        Weights weights = Unpack(layout, packed);
        Matrix taps = gpu.Scratch.Take(ScratchSlot.Taps, p, Operand.Padded(layout.TapCols));
        if (IsFused(layout, p))
        {
            (Operand A1, Operand A2)? hidden = saved.IsNone ? null : Hidden(saved, p, width);
            fused.Forward(pixels, shape.In, layout.PatchCols, gpu.Matrix(z1),
                LayerOf(weights.Outputs1, weights.Bias1, hidden?.A1),
                LayerOf(weights.Outputs2, weights.Bias2, hidden?.A2),
                LayerOf(weights.Outputs3, gpu.Missing,
                    null) with
                { Output = DeviceAddress.Of(taps), PitchOutput = taps.Stride * sizeof(float) });
        }
        else
        {
            (Operand a1, Operand a2) = saved.IsNone
                ? (Take(ScratchSlot.FirstHidden, p, width), Take(ScratchSlot.SecondHidden, p, width))
                : Hidden(saved, p, width);
            gemm.MultiplyBiasRelu(p, width, layout.PatchCols, Gather(shape, pixels, z1), weights.Outputs1,
                weights.Bias1, a1);
            gemm.MultiplyBiasRelu(p, width, width, a1, weights.Outputs2, weights.Bias2, a2);
            gemm.Multiply(p, layout.TapCols, width, a2, weights.Outputs3, taps);
        }
        convolution.AddTaps(layout.Rest, pixels, weights.Tail, taps, gpu.Matrix(h));
    }

    /// <inheritdoc/>
    public void Backward(CouplingNetShape shape, Pixels pixels, View z1, View h, View saved, View packed,
        CouplingNetParameters parameters, View dh, View dz1, CouplingNetParameters gradients)
    {
        Shapes.CheckCouplingNetBackward(shape, pixels, z1, h, saved, packed, parameters, dh, dz1, gradients,
            PackedLength(shape, pixels), SavedLength(shape, pixels));
        int p = pixels.Count, width = shape.Width;
        Layout layout = new(shape);
        Weights weights = Unpack(layout, packed);
        (Operand a1, Operand a2) = Hidden(saved, p, width);

        Operand dtaps = Take(ScratchSlot.Taps, p, layout.TapCols);
        writer.Spread(pixels, shape.Out, gpu.Matrix(dh), weights.Tail.Window(layout.Rest.Scale, shape.Out), dtaps);
        LastGradients(shape, pixels, a2, dtaps, h, dh, parameters.Logs3, gradients);
        Operand g2 = Take(ScratchSlot.SecondGradient, p, width);
        gemm.MultiplyMask(p, width, layout.TapCols, dtaps, weights.Inputs3, a2, g2);

        HiddenGradients(p, width, width, a1, g2, a2, parameters.Logs2, gradients.W2, gradients.Bias2, gradients.Logs2);
        Operand g1 = Take(ScratchSlot.FirstGradient, p, width);
        gemm.MultiplyMask(p, width, width, g2, weights.Inputs2, a1, g1);

        HiddenGradients(p, layout.PatchCols, width, Gather(shape, pixels, z1), g1, a1,
            parameters.Logs1, gradients.W1, gradients.Bias1, gradients.Logs1);
        // The patches have served; their gradient takes their place.
        Matrix dpatches = gpu.Scratch.Take(ScratchSlot.Patches, p, Operand.Padded(layout.PatchCols));
        gemm.Multiply(p, layout.PatchCols, width, g1, weights.Inputs1, dpatches);
        patches.AddGradient(pixels, shape.In, shape.EdgeBias, dpatches, gpu.Matrix(dz1));
    }

    /// <summary>In float32: it happens once, and its statistics are worth their last bits.</summary>
    public void Initialize(CouplingNetShape shape, Pixels pixels, View z1, CouplingNetParameters parameters) =>
        single.Initialize(shape, pixels, z1, parameters);

    /// <summary>
    /// Fuses forward wherever it fits (true) or nowhere (false), for comparisons; null leaves it to the number of
    /// pixels.
    /// </summary>
    internal bool? Fuses { get; set; }

    private bool IsFused(Layout layout, int pixels) =>
        fused.Fits(layout.PatchCols, layout.Width) && (Fuses ?? fused.Fills(pixels));

    private static FusedLayer LayerOf(Operand weights, Matrix bias, Operand? output) => new()
    {
        Weights = weights.Address,
        Bias = DeviceAddress.Of(bias),
        N = weights.Rows,
        RowBytes = weights.Pitch,
        Output = output?.Address ?? default,
        PitchOutput = output?.Pitch ?? 0,
    };

    private Weights Unpack(Layout layout, View packed)
    {
        Matrix all = Operand.Align(gpu.Matrix(packed));
        int width = layout.Shape.Width, patchCols = layout.PatchCols, tapCols = layout.TapCols;
        return new(
            Operand.At<TFormat>(all, 0, layout.Width, patchCols),
            Operand.At<TFormat>(all, layout.Inputs1, Operand.Padded(patchCols), width),
            all.Window(layout.Bias1, layout.Width),
            Operand.At<TFormat>(all, layout.Outputs2, layout.Width, width),
            Operand.At<TFormat>(all, layout.Inputs2, layout.Width, width),
            all.Window(layout.Bias2, layout.Width),
            Operand.At<TFormat>(all, layout.Outputs3, Operand.Padded(tapCols), width),
            Operand.At<TFormat>(all, layout.Inputs3, layout.Width, tapCols),
            all.Window(layout.Tail, layout.Shape.Out));
    }

    private (Operand A1, Operand A2) Hidden(View saved, int pixels, int width)
    {
        Matrix both = Operand.Align(gpu.Matrix(saved));
        return (Operand.At<TFormat>(both, 0, pixels, width),
            Operand.At<TFormat>(both, Operand.Length<TFormat>(pixels, width), pixels, width));
    }

    private Operand Take(ScratchSlot slot, int rows, int cols) =>
        Operand.At<TFormat>(gpu.Scratch.Take(slot, rows, Operand.WordsOf<TFormat>(cols)), 0, rows, cols);

    private Operand Gather(CouplingNetShape shape, Pixels pixels, View z1)
    {
        Operand gathered = Take(ScratchSlot.Patches, pixels.Count, Taps.Count * shape.In1);
        writer.Patches(pixels, shape.In, shape.EdgeBias, gpu.Matrix(z1), gathered);
        return gathered;
    }

    private void PackHidden(int rows, int width, View weight, View bias, View logs, Operand outputs,
        Operand inputs, Matrix packedBias)
    {
        Matrix w = gpu.Matrix(weight), scale = gpu.Matrix(logs);
        writer.Folded(rows, width, w, scale, transposed: true, outputs);
        writer.Folded(rows, width, w, scale, transposed: false, inputs);
        writer.FoldedBias(width, gpu.Matrix(bias), scale, packedBias);
    }

    /// <summary>Overwrites the gradients of the last layer, given the gradient of its taps.</summary>
    private void LastGradients(CouplingNetShape shape, Pixels pixels, Operand a2, Operand dtaps,
        View h, View dh, View logs,
        CouplingNetParameters gradients)
    {
        int p = pixels.Count, width = shape.Width, plane = shape.In3 * shape.Out;
        Matrix dhMatrix = gpu.Matrix(dh), logsMatrix = gpu.Matrix(logs), dw = gpu.Matrix(gradients.W3);
        gpu.Columns.Scaled(dhMatrix, p, shape.Out, logsMatrix, gpu.Matrix(gradients.Bias3));
        gpu.Columns.TimesProducts(dhMatrix, gpu.Matrix(h), p, shape.Out, 3f, gpu.Matrix(gradients.Logs3));
        (Matrix slices, int count) = gemm.OuterSlices(width, Taps.Count * shape.Out, p, a2, dtaps);
        sliceSums.TapSlices(slices, count, width, shape.Out, plane, dw);
        if (shape.EdgeBias) convolution.EdgeGradient(new(width, shape.Out), pixels, dhMatrix, logsMatrix, dw);
    }

    /// <summary>
    /// dW <c>[rows, width]</c>, dBias and dLogs of a layer a = relu((previous·W + bias)·s), given g <c>[P,width]</c>.
    /// </summary>
    private void HiddenGradients(int pixels, int rows, int width, Operand previous, Operand g, Operand a, View logs,
        View dWeight, View dBias, View dLogs)
    {
        Matrix logsMatrix = gpu.Matrix(logs);
        hiddenSums.Gradients(pixels, width, g, a, logsMatrix, gpu.Matrix(dBias), gpu.Matrix(dLogs));
        (Matrix slices, int count) = gemm.OuterSlices(rows, width, pixels, previous, g);
        sliceSums.Scaled(slices, count, rows, width, logsMatrix, gpu.Matrix(dWeight).Window(0, width));
    }
}
