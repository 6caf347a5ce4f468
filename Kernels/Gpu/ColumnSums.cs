using System.Numerics;
using ILGPU;

namespace GlowGpu.Kernels.Gpu;

/// <summary>Arguments of one pass over the rows of a matrix.</summary>
internal struct ColumnSumArguments
{
    public Matrix X, Y, Operand, Target;
    public int Rows, Cols, RowsPerGroup, Lanes;

    /// <summary>Columns of a row of the target, and how far its tap planes lie apart.</summary>
    public int TargetCols, TargetPlane;
    public float Factor;
    public int H, W;
}

/// <summary>What is summed.</summary>
internal interface IColumnTerm
{
    static abstract float At(ColumnSumArguments arguments, int row, int col);
}

/// <summary>x.</summary>
internal struct ElementTerm : IColumnTerm
{
    public static float At(ColumnSumArguments arguments, int row, int col) => arguments.X[row, col];
}

/// <summary>x·y.</summary>
internal struct ProductTerm : IColumnTerm
{
    public static float At(ColumnSumArguments arguments, int row, int col) =>
        arguments.X[row, col] * arguments.Y[row, col];
}

/// <summary>(x + operand)².</summary>
internal struct SquaredDeviationTerm : IColumnTerm
{
    public static float At(ColumnSumArguments arguments, int row, int col)
    {
        float deviation = arguments.X[row, col] + arguments.Operand[col];
        return deviation * deviation;
    }
}

/// <summary>(x − operand)².</summary>
internal struct CenteredSquareTerm : IColumnTerm
{
    public static float At(ColumnSumArguments arguments, int row, int col)
    {
        float deviation = arguments.X[row, col] - arguments.Operand[col];
        return deviation * deviation;
    }
}

/// <summary>Column (tap, c): x[row, c] where the tap of that pixel lies outside the image, else 0.</summary>
internal struct OutsideTerm : IColumnTerm
{
    public static float At(ColumnSumArguments arguments, int row, int col)
    {
        int tap = col / arguments.TargetCols;
        return Taps.Inside(row, tap, 1, arguments.H, arguments.W) ? 0f : arguments.X[row,
            col - tap * arguments.TargetCols];
    }
}

/// <summary>Where a sum goes.</summary>
internal interface IColumnResult
{
    static abstract void Store(ColumnSumArguments arguments, int col, float sum);
}

/// <summary>The partial sum of one group of rows.</summary>
internal struct PartialResult : IColumnResult
{
    public static void Store(ColumnSumArguments arguments, int col, float sum) =>
        arguments.Target[Grid.IdxY, col] = sum;
}

/// <summary>factor·sum, the columns laid out in rows of TargetCols.</summary>
internal struct TimesResult : IColumnResult
{
    public static void Store(ColumnSumArguments arguments, int col, float sum) =>
        arguments.Target[col / arguments.TargetCols, col % arguments.TargetCols] = arguments.Factor * sum;
}

/// <summary>exp(3·operand)·sum, the columns laid out in rows of TargetCols, of which the operand holds one.</summary>
internal struct ScaledResult : IColumnResult
{
    public static void Store(ColumnSumArguments arguments, int col, float sum)
    {
        int c = col % arguments.TargetCols;
        arguments.Target[col / arguments.TargetCols, c] = GpuMath.Exp(3f * arguments.Operand[c]) * sum;
    }
}

/// <summary>ln(1/(sqrt(factor·sum) + 1e-6))/3: actnorm's logs from the sum of squared deviations.</summary>
internal struct ActNormLogsResult : IColumnResult
{
    public static void Store(ColumnSumArguments arguments, int col, float sum) =>
        arguments.Target[col] = -GpuMath.Log(MathF.Sqrt(arguments.Factor * sum) + 1e-6f) / 3f;
}

/// <summary>The sum as element (row, tap, c) of a product <c>[rows, 9·TargetCols]</c>, stored tap by tap.</summary>
internal struct TapPlanesResult : IColumnResult
{
    public static void Store(ColumnSumArguments arguments, int col, float sum)
    {
        int c = col % arguments.TargetCols;
        int rowAndTap = col / arguments.TargetCols;
        int tap = rowAndTap % Taps.Count;
        arguments.Target[tap * arguments.TargetPlane + (rowAndTap / Taps.Count) * arguments.TargetCols + c] = sum;
    }
}

/// <summary>
/// Sums over the rows of matrices, column by column, in a fixed order: every thread adds its rows with compensation, a
/// group adds its threads pairwise, and a second pass adds the groups the same way.
/// </summary>
internal sealed class ColumnSums(GpuContext gpu)
{
    private const int WidestLanes = 32;
    private const int RowsPerThread = 8;
    private const int GroupsPerMultiprocessor = 4;

    private readonly Kernel<ColumnSumArguments> elements = gpu.Declare<ColumnSumArguments>(
        Sum<ElementTerm, PartialResult>);
    private readonly Kernel<ColumnSumArguments> products = gpu.Declare<ColumnSumArguments>(
        Sum<ProductTerm, PartialResult>);
    private readonly Kernel<ColumnSumArguments> deviations = gpu.Declare<ColumnSumArguments>(
        Sum<SquaredDeviationTerm, PartialResult>);
    private readonly Kernel<ColumnSumArguments> centered = gpu.Declare<ColumnSumArguments>(
        Sum<CenteredSquareTerm, PartialResult>);
    private readonly Kernel<ColumnSumArguments> outside = gpu.Declare<ColumnSumArguments>(
        Sum<OutsideTerm, PartialResult>);
    private readonly Kernel<ColumnSumArguments> times = gpu.Declare<ColumnSumArguments>(Sum<ElementTerm, TimesResult>);
    private readonly Kernel<ColumnSumArguments> scaled = gpu.Declare<ColumnSumArguments>(
        Sum<ElementTerm, ScaledResult>);
    private readonly Kernel<ColumnSumArguments> actNormLogs = gpu.Declare<ColumnSumArguments>(
        Sum<ElementTerm, ActNormLogsResult>);
    private readonly Kernel<ColumnSumArguments> tapPlanes = gpu.Declare<ColumnSumArguments>(
        Sum<ElementTerm, TapPlanesResult>);

    /// <summary>target[c] = factor·Σ_r x[r,c].</summary>
    public void Times(Matrix x, int rows, int cols, float factor, Matrix target) =>
        Finish(times, Partial(elements, new() { X = x, Rows = rows, Cols = cols }),
            new() { Target = target, TargetCols = cols, Factor = factor });

    /// <summary>target[c] = factor·Σ_r x[r,c]·y[r,c].</summary>
    public void TimesProducts(Matrix x, Matrix y, int rows, int cols, float factor, Matrix target) =>
        Finish(times, Partial(products, new() { X = x, Y = y, Rows = rows, Cols = cols }),
            new() { Target = target, TargetCols = cols, Factor = factor });

    /// <summary>target[c] = exp(3·logs[c])·Σ_r x[r,c].</summary>
    public void Scaled(Matrix x, int rows, int cols, Matrix logs, Matrix target) =>
        Finish(scaled, Partial(elements, new() { X = x, Rows = rows, Cols = cols }),
            new() { Target = target, TargetCols = cols, Operand = logs });

    /// <summary>
    /// target[tap, c] = exp(3·logs[c])·Σ x[p,c] over the pixels p <c>[·,H,W]</c> whose tap lies outside the image.
    /// </summary>
    public void ScaledOutside(Matrix x, Pixels pixels, int cols, Matrix logs, Matrix target) =>
        Finish(scaled,
            Partial(outside, new()
            {
                X = x,
                Rows = pixels.Count,
                Cols = Taps.Count * cols,
                TargetCols = cols,
                H = pixels.H,
                W = pixels.W,
            }),
            new() { Target = target, TargetCols = cols, Operand = logs });

    /// <summary>
    /// Actnorm's data-dependent initialisation from x <c>[rows, cols]</c>: see <see cref="IChannelStats"/>.
    /// </summary>
    public void InitializeActNorm(Matrix x, int rows, int cols, Matrix bias, Matrix logs)
    {
        Times(x, rows, cols, -1f / rows, bias);
        Finish(actNormLogs, Partial(deviations, new() { X = x, Operand = bias, Rows = rows, Cols = cols }),
            new() { Target = logs, Factor = 1f / rows });
    }

    /// <summary>mean[c] and the biased variance[c] of x <c>[rows, cols]</c> over its rows.</summary>
    public void MeanAndVariance(Matrix x, int rows, int cols, Matrix mean, Matrix variance)
    {
        Times(x, rows, cols, 1f / rows, mean);
        Finish(times, Partial(centered, new() { X = x, Operand = mean, Rows = rows, Cols = cols }),
            new() { Target = variance, TargetCols = cols, Factor = 1f / rows });
    }

    /// <summary>
    /// Adds the slices <c>[slices, rows·cols]</c> of a product: target[r,c] = exp(3·logs[c])·Σ_s slices[s,r,c].
    /// </summary>
    public void ScaledSlices(Matrix slices, int count, int rows, int cols, Matrix logs, Matrix target) =>
        Finish(scaled, new() { X = slices, Rows = count, Cols = rows * cols },
            new() { Target = target, TargetCols = cols, Operand = logs });

    /// <summary>The same without a scale.</summary>
    public void Slices(Matrix slices, int count, int rows, int cols, Matrix target) =>
        Finish(times, new() { X = slices, Rows = count, Cols = rows * cols },
            new() { Target = target, TargetCols = cols, Factor = 1f });

    /// <summary>
    /// Adds the slices of a product <c>[rows, 9·cols]</c> into weights <c>[9, rows…, cols]</c> whose taps lie
    /// <paramref name="plane"/> elements apart.
    /// </summary>
    public void TapSlices(Matrix slices, int count, int rows, int cols, int plane, Matrix target) =>
        Finish(tapPlanes, new() { X = slices, Rows = count, Cols = rows * Taps.Count * cols },
            new() { Target = target, TargetCols = cols, TargetPlane = plane });

    private ColumnSumArguments Partial(Kernel<ColumnSumArguments> kernel, ColumnSumArguments arguments)
    {
        int lanes = LanesFor(arguments.Cols);
        int rowsAtOnce = gpu.GroupSize / lanes;
        int columnGroups = GpuContext.CeilingDivide(arguments.Cols, lanes);
        int wanted = GpuContext.CeilingDivide(gpu.Multiprocessors * GroupsPerMultiprocessor, columnGroups);
        int useful = GpuContext.CeilingDivide(arguments.Rows, (long)rowsAtOnce * RowsPerThread);
        arguments.RowsPerGroup = Math.Max(1, GpuContext.CeilingDivide(arguments.Rows,
            Math.Max(1, Math.Min(wanted, useful))));
        int groups = GpuContext.CeilingDivide(arguments.Rows, arguments.RowsPerGroup);
        arguments.Lanes = lanes;
        arguments.Target = gpu.Scratch.Take(ScratchSlot.Partials, groups, arguments.Cols);
        kernel.Launch(new Index3D(columnGroups, groups, 1), new Index3D(gpu.GroupSize, 1, 1), arguments);
        return new() { X = arguments.Target, Rows = groups, Cols = arguments.Cols };
    }

    private void Finish(Kernel<ColumnSumArguments> kernel, ColumnSumArguments source, ColumnSumArguments result)
    {
        result.X = source.X;
        result.Y = gpu.Missing;
        result.Rows = source.Rows;
        result.Cols = source.Cols;
        result.RowsPerGroup = source.Rows;
        result.Lanes = LanesFor(source.Cols);
        kernel.Launch(new Index3D(GpuContext.CeilingDivide(source.Cols, result.Lanes), 1, 1),
            new Index3D(gpu.GroupSize, 1, 1), result);
    }

    private int LanesFor(int cols) =>
        Math.Min(Math.Min(WidestLanes, gpu.GroupSize), (int)BitOperations.RoundUpToPowerOf2((uint)cols));

    private static void Sum<TTerm, TResult>(ColumnSumArguments arguments)
        where TTerm : struct, IColumnTerm
        where TResult : struct, IColumnResult
    {
        int lane = Group.IdxX % arguments.Lanes;
        int col = Grid.IdxX * arguments.Lanes + lane;
        int end = IntrinsicMath.Min((Grid.IdxY + 1) * arguments.RowsPerGroup, arguments.Rows);
        KahanSum sum = default;
        if (col < arguments.Cols)
        {
            int first = Grid.IdxY * arguments.RowsPerGroup + Group.IdxX / arguments.Lanes;
            for (int row = first; row < end; row += Group.DimX / arguments.Lanes) sum.Add(TTerm.At(arguments, row,
                col));
        }
        float total = GpuReduce.SumLanes(sum.Value, arguments.Lanes);
        if (Group.IdxX < arguments.Lanes && col < arguments.Cols) TResult.Store(arguments, col, total);
    }
}
