namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// <see cref="ICouplingNet"/> on a GPU: patches, three products with their epilogues, and the tap sum. With a =
/// relu(z), s = exp(3·logs) folded into the packed weights and g = da where a &gt; 0 (else 0), a hidden layer's
/// gradients are dBias = s·Σ g, dLogs = 3·Σ g·a, dW = (aPrevᵀ·g)·diag(s), daPrev = g·(W·diag(s))ᵀ; z itself is not
/// needed.
/// </summary>
internal sealed class GpuCouplingNet(GpuContext gpu, PatchConvolution patches, TapConvolution convolution)
    : ICouplingNet
{
    private readonly Kernel<FoldArguments> fold = gpu.Declare<FoldArguments>(Fold);
    private readonly Kernel<NormalizeArguments> normalize = gpu.Declare<NormalizeArguments>(Normalize);

    internal struct FoldArguments
    {
        public Matrix Weight, Bias, Logs, Packed;
        public int Width, WeightCount, Count;
    }

    internal struct NormalizeArguments
    {
        public Matrix A, Bias, Logs;
        public int Width, Count;
    }

    /// <summary>
    /// Where the packed parameters lie: W1·diag(s1) <c>[9·In1, Width]</c>, Bias1⊙s1, W2·diag(s2) <c>[Width,
    /// Width]</c>, Bias2⊙s2, then
    /// <see cref="TapLayout"/>.
    /// </summary>
    private readonly record struct Layout(CouplingNetShape Shape)
    {
        public int PatchCols => Taps.Count * Shape.In1;

        public int Bias1 => checked(PatchCols * Shape.Width);

        public int W2 => Bias1 + Shape.Width;

        public int Bias2 => checked(W2 + Shape.Width * Shape.Width);

        public int Conv3 => Bias2 + Shape.Width;

        public TapLayout Tail => new(Shape.Width, Shape.Out);

        public int Length => checked(Conv3 + Tail.Length);
    }

    /// <inheritdoc/>
    public bool BackwardReadsPacked => true;

    /// <inheritdoc/>
    public long PackedLength(CouplingNetShape shape, Pixels pixels) => new Layout(shape).Length;

    /// <inheritdoc/>
    public long SavedLength(CouplingNetShape shape, Pixels pixels) => 2L * pixels.Count * shape.Width;

    /// <inheritdoc/>
    public void Pack(CouplingNetShape shape, Pixels pixels, CouplingNetParameters parameters, View packed)
    {
        Shapes.CheckCouplingNetPack(shape, parameters, packed, PackedLength(shape, pixels));
        Layout layout = new(shape);
        Matrix target = gpu.Matrix(packed);
        Fold(layout.PatchCols, shape.Width, parameters.W1, parameters.Bias1, parameters.Logs1, target);
        Fold(shape.Width, shape.Width, parameters.W2, parameters.Bias2, parameters.Logs2,
            target.Window(layout.W2, shape.Width));
        convolution.Pack(layout.Tail, shape.EdgeBias, gpu.Matrix(parameters.W3), gpu.Matrix(parameters.Bias3),
            gpu.Matrix(parameters.Logs3), target.Window(layout.Conv3, 1));
    }

    /// <inheritdoc/>
    public void Forward(CouplingNetShape shape, Pixels pixels, View z1, View packed, View h, View saved,
        View following = default)
    {
        Shapes.CheckCouplingNet(
            shape, pixels, z1, packed, h, saved, PackedLength(shape, pixels), SavedLength(shape, pixels));
        int p = pixels.Count, width = shape.Width;
        Layout layout = new(shape);
        Matrix weights = gpu.Matrix(packed);
        (Matrix a1, Matrix a2) = saved.IsNone
            ? (gpu.Scratch.Take(ScratchSlot.FirstHidden, p, width),
            gpu.Scratch.Take(ScratchSlot.SecondHidden, p, width))
            : Hidden(saved, p, width);
        Matrix gathered = patches.Gather(pixels, shape.In, shape.EdgeBias, gpu.Matrix(z1));
        gpu.Gemm.MultiplyBiasRelu(p, width, layout.PatchCols,
            gathered, weights.Window(0, width), weights.Window(layout.Bias1, width), a1);
        gpu.Gemm.MultiplyBiasRelu(p, width, width,
            a1, weights.Window(layout.W2, width), weights.Window(layout.Bias2, width), a2);
        convolution.Forward(layout.Tail, pixels, a2, weights.Window(layout.Conv3, 1), gpu.Matrix(h));
    }

    /// <inheritdoc/>
    public void Backward(CouplingNetShape shape, Pixels pixels, View z1, View h, View saved, View packed,
        CouplingNetParameters parameters, View dh, View dz1, CouplingNetParameters gradients)
    {
        Shapes.CheckCouplingNetBackward(shape, pixels, z1, h, saved, packed, parameters, dh, dz1, gradients,
            PackedLength(shape, pixels), SavedLength(shape, pixels));
        int p = pixels.Count, width = shape.Width, tapCols = Taps.Count * shape.Out;
        Layout layout = new(shape);
        Matrix weights = gpu.Matrix(packed);
        Matrix conv3 = weights.Window(layout.Conv3, tapCols);
        (Matrix a1, Matrix a2) = Hidden(saved, p, width);

        Matrix dtaps = convolution.Backward(layout.Tail, shape.EdgeBias, pixels, a2, gpu.Matrix(h), conv3,
            gpu.Matrix(parameters.Logs3), gpu.Matrix(dh),
            gpu.Matrix(gradients.W3), gpu.Matrix(gradients.Bias3), gpu.Matrix(gradients.Logs3));
        Matrix g2 = gpu.Scratch.Take(ScratchSlot.SecondGradient, p, width);
        gpu.Gemm.MultiplyTransposedMask(p, width, tapCols, dtaps, conv3, a2, g2);

        HiddenGradients(p, width, width, a1, g2, a2, parameters.Logs2, gradients.W2, gradients.Bias2, gradients.Logs2);
        Matrix g1 = gpu.Scratch.Take(ScratchSlot.FirstGradient, p, width);
        gpu.Gemm.MultiplyTransposedMask(p, width, width, g2, weights.Window(layout.W2, width), a1, g1);

        Matrix gathered = patches.Gather(pixels, shape.In, shape.EdgeBias, gpu.Matrix(z1));
        HiddenGradients(p, layout.PatchCols, width, gathered, g1, a1,
            parameters.Logs1, gradients.W1, gradients.Bias1, gradients.Logs1);
        // The patches have served; their gradient takes their place.
        gpu.Gemm.MultiplyTransposed(p, layout.PatchCols, width, g1, weights.Window(0, width), gathered);
        patches.AddGradient(pixels, shape.In, shape.EdgeBias, gathered, gpu.Matrix(dz1));
    }

    /// <inheritdoc/>
    public void Initialize(CouplingNetShape shape, Pixels pixels, View z1, CouplingNetParameters parameters)
    {
        Shapes.CheckCouplingNetInitialize(shape, pixels, z1, parameters);
        int p = pixels.Count, width = shape.Width, patchCols = Taps.Count * shape.In1;
        Matrix a1 = gpu.Scratch.Take(ScratchSlot.FirstHidden, p, width);
        Matrix a2 = gpu.Scratch.Take(ScratchSlot.SecondHidden, p, width);
        Matrix gathered = patches.Gather(pixels, shape.In, shape.EdgeBias, gpu.Matrix(z1));
        gpu.Gemm.Multiply(p, width, patchCols, gathered, gpu.Matrix(parameters.W1).Window(0, width), a1);
        gpu.Columns.InitializeActNorm(a1, p, width, gpu.Matrix(parameters.Bias1), gpu.Matrix(parameters.Logs1));
        normalize.ForEach(checked(p * width), new()
        {
            A = a1,
            Bias = gpu.Matrix(parameters.Bias1),
            Logs = gpu.Matrix(parameters.Logs1),
            Width = width,
            Count = p * width,
        });
        gpu.Gemm.Multiply(p, width, width, a1, gpu.Matrix(parameters.W2).Window(0, width), a2);
        gpu.Columns.InitializeActNorm(a2, p, width, gpu.Matrix(parameters.Bias2), gpu.Matrix(parameters.Logs2));
    }

    private (Matrix A1, Matrix A2) Hidden(View saved, int pixels, int width)
    {
        Matrix both = gpu.Matrix(saved);
        return (both.Window(0, width), both.Window((long)pixels * width, width));
    }

    /// <summary>
    /// dW <c>[rows, width]</c>, dBias and dLogs of a layer a = relu((previous·W + bias)·s), given g <c>[P,width]</c>.
    /// </summary>
    private void HiddenGradients(int pixels, int rows, int width, Matrix previous, Matrix g, Matrix a, View logs,
        View dWeight, View dBias, View dLogs)
    {
        Matrix logsMatrix = gpu.Matrix(logs);
        gpu.Columns.Scaled(g, pixels, width, logsMatrix, gpu.Matrix(dBias));
        gpu.Columns.TimesProducts(g, a, pixels, width, 3f, gpu.Matrix(dLogs));
        (Matrix slices, int count) = gpu.Gemm.TransposedSlices(rows, width, pixels, previous, g);
        gpu.Columns.ScaledSlices(slices, count, rows, width, logsMatrix, gpu.Matrix(dWeight).Window(0, width));
    }

    private void Fold(int rows, int width, View weight, View bias, View logs, Matrix packed)
    {
        int weights = checked(rows * width);
        fold.ForEach(weights + width, new()
        {
            Weight = gpu.Matrix(weight),
            Bias = gpu.Matrix(bias),
            Logs = gpu.Matrix(logs),
            Packed = packed,
            Width = width,
            WeightCount = weights,
            Count = weights + width,
        });
    }

    /// <summary>Weight rows times s, followed by bias times s.</summary>
    private static void Fold(FoldArguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int c = i % arguments.Width;
            float value = i < arguments.WeightCount ? arguments.Weight[i] : arguments.Bias[c];
            arguments.Packed[i] = value * GpuMath.Exp(3f * arguments.Logs[c]);
        }
    }

    /// <summary>a ← relu((a + bias)·exp(3·logs)), in place.</summary>
    private static void Normalize(NormalizeArguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int c = i % arguments.Width;
            float value = (arguments.A[i] + arguments.Bias[c]) * GpuMath.Exp(3f * arguments.Logs[c]);
            arguments.A[i] = value < 0f ? 0f : value;
        }
    }
}
