namespace GlowGpu.Kernels.Gpu.TensorCore;

/// <summary>Where the elements of a written factor come from; a kernel uses the fields that its source needs.</summary>
internal struct OperandArguments
{
    public Matrix Source, Scale, Target;

    /// <summary>Elements of the factor that are not padding, and words in all and of a row.</summary>
    public int Rows, Cols, Words, Count;

    /// <summary>1 to write the transpose of what the source describes.</summary>
    public int Transposed;

    /// <summary>Image size and channels of pixel tensors; elements from tap to tap of a 3×3 kernel's weights.</summary>
    public int H, W, Channels, TapPlane;
}

/// <summary>The elements of a factor.</summary>
internal interface IOperandSource
{
    /// <summary>Element (row, col), which lies inside.</summary>
    static abstract float At(OperandArguments arguments, int row, int col);
}

/// <summary>
/// Patch element (tap, c) of pixel row: see <see cref="PatchConvolution"/>; Channels counts those of z, Cols / 9
/// those of a patch.
/// </summary>
internal struct PatchSource : IOperandSource
{
    public static float At(OperandArguments arguments, int row, int col)
    {
        int patchChannels = arguments.Cols / Taps.Count;
        int tap = col / patchChannels, c = col % patchChannels;
        bool inside = Taps.Inside(row, tap, 1, arguments.H, arguments.W);
        float value = inside ? 0f : 1f;
        if (c < arguments.Channels)
            value = inside ? arguments.Source[row + Taps.Offset(tap, arguments.W), c] : 0f;
        return value;
    }
}

/// <summary>
/// Gradient of tap element (tap, o) of pixel row: dh[row − δ, o]·scale[o], or 0 where row − δ lies outside the image.
/// </summary>
internal struct SpreadSource : IOperandSource
{
    public static float At(OperandArguments arguments, int row, int col)
    {
        int tap = col / arguments.Channels, o = col % arguments.Channels;
        return Taps.Inside(row, tap, -1, arguments.H, arguments.W)
            ? arguments.Source[row - Taps.Offset(tap, arguments.W), o] * arguments.Scale[o]
            : 0f;
    }
}

/// <summary>Weight (row, col)·exp(3·logs[col]) of a dense <c>[Rows, Cols]</c>.</summary>
internal struct FoldedWeightSource : IOperandSource
{
    public static float At(OperandArguments arguments, int row, int col) =>
        arguments.Source[row, col] * GpuMath.Exp(3f * arguments.Scale[col]);
}

/// <summary>Weight (tap, row, o) of a 3×3 kernel as element (row, (tap, o)).</summary>
internal struct TapWeightSource : IOperandSource
{
    public static float At(OperandArguments arguments, int row, int col)
    {
        int tap = col / arguments.Channels, o = col % arguments.Channels;
        return arguments.Source[tap * arguments.TapPlane + row * arguments.Channels + o];
    }
}

/// <summary>
/// Writes factors for tensor cores: elements rounded to the format, rows filled up with zeros. One pass, a word a
/// thread.
/// </summary>
internal sealed class OperandWriter<TFormat>(GpuContext gpu) where TFormat : struct, ITensorFormat
{
    private readonly Kernel<OperandArguments> patches = gpu.Declare<OperandArguments>(
        OperandKernel.Write<TFormat, PatchSource>);
    private readonly Kernel<OperandArguments> spread = gpu.Declare<OperandArguments>(
        OperandKernel.Write<TFormat, SpreadSource>);
    private readonly Kernel<OperandArguments> folded = gpu.Declare<OperandArguments>(
        OperandKernel.Write<TFormat, FoldedWeightSource>);
    private readonly Kernel<OperandArguments> taps = gpu.Declare<OperandArguments>(
        OperandKernel.Write<TFormat, TapWeightSource>);
    private readonly Kernel<OperandArguments> foldedBias = gpu.Declare<OperandArguments>(OperandKernel.FoldBias);

    /// <summary>Patches <c>[P, 9·(channels + edge)]</c> of z.</summary>
    public void Patches(Pixels pixels, int channels, bool edgeBias, Matrix z, Operand target) =>
        Write(patches, pixels.Count, Taps.Count * (channels + (edgeBias ? 1 : 0)), target, new()
        {
            Source = z,
            Scale = gpu.Missing,
            H = pixels.H,
            W = pixels.W,
            Channels = channels,
        });

    /// <summary>Gradients of the taps <c>[P, 9·channels]</c> of dh and the channels' scales.</summary>
    public void Spread(Pixels pixels, int channels, Matrix dh, Matrix scale, Operand target) =>
        Write(spread, pixels.Count, Taps.Count * channels, target, new()
        {
            Source = dh,
            Scale = scale,
            H = pixels.H,
            W = pixels.W,
            Channels = channels,
        });

    /// <summary>Weights·diag(exp(3·logs)) <c>[rows, cols]</c>, or their transpose.</summary>
    public void Folded(int rows, int cols, Matrix weights, Matrix logs, bool transposed, Operand target) =>
        Write(folded, rows, cols, target,
            new() { Source = weights.Window(0, cols), Scale = logs, Transposed = transposed ? 1 : 0 });

    /// <summary>
    /// The weights of a 3×3 kernel <c>[3,3,rows…,channels]</c> as <c>[rows, 9·channels]</c>, or its transpose.
    /// </summary>
    public void TapWeights(int rows, int channels, int plane, Matrix weights, bool transposed, Operand target) =>
        Write(taps, rows, Taps.Count * channels, target, new()
        {
            Source = weights,
            Scale = gpu.Missing,
            Channels = channels,
            TapPlane = plane,
            Transposed = transposed ? 1 : 0,
        });

    /// <summary>bias·exp(3·logs) in float32, filled up with zeros.</summary>
    public void FoldedBias(int cols, Matrix bias, Matrix logs, Matrix target)
    {
        int padded = Operand.Padded(cols);
        foldedBias.ForEach(padded, new() { Source = bias, Scale = logs, Target = target, Cols = cols, Count = padded });
    }

    // The rows of a transpose are filled up too: they are columns of the product it is a factor of.
    private static void Write(Kernel<OperandArguments> kernel, int rows, int cols, Operand target,
        OperandArguments arguments)
    {
        arguments.Target = target.Data;
        arguments.Rows = rows;
        arguments.Cols = cols;
        arguments.Words = target.Words;
        arguments.Count = checked(target.Words * target.Rows);
        kernel.ForEach(arguments.Count, arguments);
    }
}

/// <summary>The device side of <see cref="OperandWriter{TFormat}"/>.</summary>
internal static class OperandKernel
{
    public static void Write<TFormat, TSource>(OperandArguments arguments)
        where TFormat : struct, ITensorFormat
        where TSource : struct, IOperandSource
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int row = i / arguments.Words, word = i % arguments.Words;
            arguments.Target[i] = Word<TFormat, TSource>(arguments, row, word);
        }
    }

    /// <summary>A word of a row: two elements or one, zero outside.</summary>
    public static float Word<TFormat, TSource>(OperandArguments arguments, int row, int word)
        where TFormat : struct, ITensorFormat
        where TSource : struct, IOperandSource =>
        TFormat.Bytes == 2
            ? TFormat.Pack(At<TSource>(arguments, row, 2 * word), At<TSource>(arguments, row, 2 * word + 1))
            : TFormat.Pack(At<TSource>(arguments, row, word), 0f);

    public static void FoldBias(OperandArguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
            arguments.Target[i] = i < arguments.Cols ? arguments.Source[i] * GpuMath.Exp(3f * arguments.Scale[i]) : 0f;
    }

    private static float At<TSource>(OperandArguments arguments, int row, int col) where TSource : struct,
        IOperandSource
    {
        int sourceRow = arguments.Transposed == 0 ? row : col;
        int sourceCol = arguments.Transposed == 0 ? col : row;
        return sourceRow < arguments.Rows && sourceCol < arguments.Cols ? TSource.At(arguments, sourceRow, sourceCol)
            : 0f;
    }
}
