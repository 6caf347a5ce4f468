namespace GlowGpu.Kernels.Gpu.TensorCore;

/// <summary>Adds the slices of a weight gradient in ascending order, with compensation.</summary>
internal sealed class TensorSliceSums(GpuContext gpu)
{
    private readonly Kernel<Arguments> weights = gpu.Declare<Arguments>(Weights);
    private readonly Kernel<Arguments> taps = gpu.Declare<Arguments>(TapPlanes);

    internal struct Arguments
    {
        public Matrix Slices, Logs, Target;

        /// <summary>Slices, and elements from one to the next and from row to row of one.</summary>
        public int Slice, Length, Pitch;

        /// <summary>Columns of the gradient and its elements; elements from tap to tap.</summary>
        public int Cols, Count, Plane;
    }

    /// <summary>
    /// target[r,c] = exp(3·logs[c])·Σ_s slices[s,r,c] of a product <c>[rows, cols]</c>
    /// (<see cref="TensorGemm{TFormat,TOuter}.OuterSlices"/>).
    /// </summary>
    public void Scaled(Matrix slices, int count, int rows, int cols, Matrix logs, Matrix target) =>
        weights.ForEach(checked(rows * cols), Bind(slices, count, rows, cols, logs, target) with { Cols = cols });

    /// <summary>
    /// The sums of a product <c>[rows, 9·cols]</c>, into weights <c>[9, rows…, cols]</c> whose taps lie
    /// <paramref name="plane"/> elements apart.
    /// </summary>
    public void TapSlices(Matrix slices, int count, int rows, int cols, int plane, Matrix target) =>
        taps.ForEach(checked(rows * Taps.Count * cols),
            Bind(slices, count, rows, Taps.Count * cols, gpu.Missing, target) with { Cols = cols, Plane = plane });

    private static Arguments Bind(Matrix slices, int count, int rows, int cols, Matrix logs, Matrix target) => new()
    {
        Slices = slices,
        Logs = logs,
        Target = target,
        Slice = count,
        Length = Operand.Padded(rows) * Operand.Padded(cols),
        Pitch = Operand.Padded(cols),
        Count = rows * cols,
    };

    private static void Weights(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int row = i / arguments.Cols, col = i % arguments.Cols;
            arguments.Target[row, col] = GpuMath.Exp(3f * arguments.Logs[col]) * Sum(arguments, row, col);
        }
    }

    private static void TapPlanes(Arguments arguments)
    {
        int cols = Taps.Count * arguments.Cols;
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int row = i / cols, col = i % cols;
            int tap = col / arguments.Cols, o = col % arguments.Cols;
            arguments.Target[tap * arguments.Plane + row * arguments.Cols + o] = Sum(arguments, row, col);
        }
    }

    private static float Sum(Arguments arguments, int row, int col)
    {
        KahanSum sum = default;
        int index = row * arguments.Pitch + col;
        for (int slice = 0; slice < arguments.Slice; slice++)
        {
            sum.Add(arguments.Slices[index]);
            index += arguments.Length;
        }
        return sum.Value;
    }
}
