namespace GlowGpu.Kernels;

/// <summary>Checks of the operations that RealNVP and NICE are made of.</summary>
internal static partial class Shapes
{
    /// <summary>Arguments of <see cref="IConvolution.Pack"/>.</summary>
    public static void CheckConvolutionPack(ConvolutionShape shape, ConvolutionParameters parameters,
        View packed, long packedLength)
    {
        const string Op = "convolution pack";
        CheckParameters(Op, "", shape, parameters);
        Row(Op, "packed", packed, packedLength);
    }

    /// <summary>Arguments of <see cref="IConvolution.Forward"/>.</summary>
    public static void CheckConvolution(ConvolutionShape shape, Pixels pixels, View x, View packed,
        View y, long packedLength)
    {
        const string Op = "convolution";
        CheckPixels(Op, pixels);
        Window(Op, "x", x, pixels.Count, shape.In);
        Row(Op, "packed", packed, packedLength);
        Dense(Op, "y", y, pixels.Count, shape.Out);
    }

    /// <summary>Arguments of <see cref="IConvolution.Backward"/>.</summary>
    public static void CheckConvolutionBackward(ConvolutionShape shape, Pixels pixels, View x, View y,
        View packed, View dy, View dx,
        ConvolutionParameters gradients, long packedLength)
    {
        const string Op = "convolution backward";
        CheckPixels(Op, pixels);
        Window(Op, "x", x, pixels.Count, shape.In);
        if (shape.Relu) Dense(Op, "y", y, pixels.Count, shape.Out);
        Row(Op, "packed", packed, packedLength);
        Dense(Op, "dy", dy, pixels.Count, shape.Out);
        Window(Op, "dx", dx, pixels.Count, shape.In);
        CheckParameters(Op, "gradient of ", shape, gradients);
    }

    /// <summary>Arguments of <see cref="IBatchNorm.Measure"/>.</summary>
    public static void CheckBatchNormMeasure(View x, View mean, View variance)
    {
        const string Op = "batch norm statistics";
        Window(Op, "x", x, x.Rows, x.Cols);
        if (x.Rows == 0) throw new ArgumentException($"{Op}: x has no rows; a mean needs at least one");
        Row(Op, "mean", mean, x.Cols);
        Row(Op, "variance", variance, x.Cols);
    }

    /// <summary>
    /// Arguments of <see cref="IBatchNorm.Apply"/>, and with x for y of <see cref="IBatchNorm.Invert"/>.
    /// </summary>
    public static void CheckBatchNorm(View x, View mean, View variance, BatchNormAffine affine, View y)
    {
        const string Op = "batch norm";
        Dense(Op, "x", x, x.Rows, x.Cols);
        CheckStatistics(Op, x.Cols, mean, variance);
        CheckAffine(Op, "", x.Cols, affine);
        Dense(Op, "y", y, x.Rows, x.Cols);
    }

    /// <summary>Arguments of <see cref="IBatchNorm.AddLogDet"/>.</summary>
    public static void CheckBatchNormLogDet(Pixels pixels, View variance, View logdet)
    {
        const string Op = "batch norm log-determinant";
        CheckPixels(Op, pixels);
        Row(Op, "variance", variance, variance.Count);
        Row(Op, "logdet", logdet, pixels.N);
    }

    /// <summary>Arguments of <see cref="IBatchNorm.Backward"/>.</summary>
    public static void CheckBatchNormBackward(View x, View mean, View variance, BatchNormAffine affine, View dy,
        View dx,
        BatchNormAffine gradients)
    {
        const string Op = "batch norm backward";
        Dense(Op, "x", x, x.Rows, x.Cols);
        CheckStatistics(Op, x.Cols, mean, variance);
        CheckAffine(Op, "", x.Cols, affine);
        Dense(Op, "dy", dy, x.Rows, x.Cols);
        Dense(Op, "dx", dx, x.Rows, x.Cols);
        CheckAffine(Op, "gradient of ", x.Cols, gradients);
        if (affine.IsNone != gradients.IsNone)
            throw new ArgumentException(
                $"{Op}: parameters and gradients differ in what they hold; each parameter needs its gradient");
    }

    /// <summary>Arguments of <see cref="IBatchNorm.Blend"/>.</summary>
    public static void CheckBatchNormBlend(View batch, View running, float momentum, View scale)
    {
        const string Op = "batch norm running statistics";
        Row(Op, "running", running, batch.Count);
        Row(Op, "batch", batch, running.Count);
        if (!scale.IsNone) Row(Op, "scale", scale, 1);
        if (!(momentum >= 0 && momentum <= 1))
            throw new ArgumentException($"{Op}: momentum is {momentum}; it must be 0 to 1");
    }

    /// <summary>Arguments of <see cref="IMaskedCouple.Forward"/> and <see cref="IMaskedCouple.Inverse"/>.</summary>
    public static void CheckMaskedCouple(Pixels pixels, View z, View h, View factor, View logdet)
    {
        const string Op = "masked couple";
        CheckPixels(Op, pixels);
        Window(Op, "z", z, pixels.Count, z.Cols);
        Dense(Op, "h", h, pixels.Count, 2 * z.Cols);
        Row(Op, "factor", factor, z.Cols);
        if (!logdet.IsNone) Row(Op, "logdet", logdet, pixels.N);
    }

    /// <summary>Arguments of <see cref="IMaskedCouple.Backward"/>.</summary>
    public static void CheckMaskedCoupleBackward(Pixels pixels, View z, View h, View factor, View dz,
        View dh, View dfactor)
    {
        const string Op = "masked couple backward";
        CheckPixels(Op, pixels);
        Window(Op, "z", z, pixels.Count, z.Cols);
        Dense(Op, "h", h, pixels.Count, 2 * z.Cols);
        Row(Op, "factor", factor, z.Cols);
        Window(Op, "dz", dz, pixels.Count, z.Cols);
        Dense(Op, "dh", dh, pixels.Count, 2 * z.Cols);
        Row(Op, "dfactor", dfactor, z.Cols);
    }

    /// <summary>
    /// Arguments of <see cref="IMaskedCouple.Condition"/> and <see cref="IMaskedCouple.AddCondition"/>.
    /// </summary>
    public static void CheckCondition(Pixels pixels, View z, View target)
    {
        const string Op = "masked couple condition";
        CheckPixels(Op, pixels);
        Window(Op, "z", z, pixels.Count, z.Cols);
        Dense(Op, "condition", target, pixels.Count, z.Cols);
    }

    /// <summary>Arguments of <see cref="IScaledPrior.Forward"/>.</summary>
    public static void CheckScaledPrior(View x, View logs, View logp, View z)
    {
        const string Op = "scaled prior";
        Dense(Op, "x", x, x.Rows, x.Cols);
        Row(Op, "logs", logs, x.Cols);
        if (!logp.IsNone) Row(Op, "logp", logp, x.Rows);
        if (!z.IsNone) Dense(Op, "z", z, x.Rows, x.Cols);
    }

    /// <summary>Arguments of <see cref="IScaledPrior.Inverse"/>.</summary>
    public static void CheckScaledPriorInverse(View z, View logs, View x)
    {
        const string Op = "scaled prior inverse";
        Dense(Op, "z", z, z.Rows, z.Cols);
        Row(Op, "logs", logs, z.Cols);
        Dense(Op, "x", x, z.Rows, z.Cols);
    }

    /// <summary>Arguments of <see cref="IScaledPrior.Backward"/>.</summary>
    public static void CheckScaledPriorBackward(View x, View logs, View dx, View dlogs)
    {
        const string Op = "scaled prior backward";
        Dense(Op, "x", x, x.Rows, x.Cols);
        Row(Op, "logs", logs, x.Cols);
        Dense(Op, "dx", dx, x.Rows, x.Cols);
        Row(Op, "dlogs", dlogs, x.Cols);
    }

    private static void CheckStatistics(string op, int channels, View mean, View variance)
    {
        Row(op, "mean", mean, channels);
        Row(op, "variance", variance, channels);
    }

    private static void CheckAffine(string op, string of, int channels, BatchNormAffine affine)
    {
        if (affine.IsNone) return;
        Row(op, "gain", affine.Gain, channels, of);
        Row(op, "bias", affine.Bias, channels, of);
    }

    private static void CheckParameters(string op, string of, ConvolutionShape shape, ConvolutionParameters p)
    {
        if (shape.Size is not (1 or 3))
            throw new ArgumentException($"{op}: kernel size is {shape.Size}; it must be 1 or 3");
        if (shape.In < 1 || shape.Out < 1)
            throw new ArgumentException($"{op}: channels are {shape.In} → {shape.Out}; each must be at least 1");
        Row(op, "weight", p.W, (long)shape.Rows * shape.Out, of);
        Row(op, "bias", p.Bias, shape.Out, of);
    }
}
