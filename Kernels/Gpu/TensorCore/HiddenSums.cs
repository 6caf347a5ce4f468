using ILGPU;

namespace GlowGpu.Kernels.Gpu.TensorCore;

/// <summary>
/// The gradients of a hidden layer's actnorm, Σ g and Σ g·a over the pixels, from g and a as they stand in memory for
/// tensor cores: one pass over both. The order is fixed: every thread adds its rows with compensation, a group adds
/// its threads pairwise, and a second pass adds the groups the same way.
/// </summary>
internal sealed class HiddenSums<TFormat>(GpuContext gpu) where TFormat : struct, ITensorFormat
{
    private const int WidestLanes = 32;
    private const int RowsPerThread = 16;
    private const int GroupsPerMultiprocessor = 4;

    private readonly Kernel<HiddenSumArguments> partial = gpu.Declare<HiddenSumArguments>(
        HiddenSumKernel.Partial<TFormat>);
    private readonly Kernel<HiddenSumArguments> finish = gpu.Declare<HiddenSumArguments>(HiddenSumKernel.Finish);

    /// <summary>dBias[c] = exp(3·logs[c])·Σ g[p,c], dLogs[c] = 3·Σ g[p,c]·a[p,c]; g, a <c>[rows, cols]</c>.</summary>
    public void Gradients(int rows, int cols, Operand g, Operand a, Matrix logs, Matrix dBias, Matrix dLogs)
    {
        int padded = Operand.Padded(cols), lanes = Math.Min(WidestLanes, gpu.GroupSize);
        int columnGroups = GpuContext.CeilingDivide(g.Words, lanes);
        int wanted = GpuContext.CeilingDivide(gpu.Multiprocessors * GroupsPerMultiprocessor, columnGroups);
        int useful = GpuContext.CeilingDivide(rows, (long)(gpu.GroupSize / lanes) * RowsPerThread);
        int rowsPerGroup = GpuContext.CeilingDivide(rows, Math.Max(1, Math.Min(wanted, useful)));
        int groups = GpuContext.CeilingDivide(rows, rowsPerGroup);
        HiddenSumArguments arguments = new()
        {
            G = g.Data,
            A = a.Data,
            Partial = gpu.Scratch.Take(ScratchSlot.Partials, groups, 2 * padded),
            Logs = logs,
            DBias = dBias,
            DLogs = dLogs,
            Rows = rows,
            Cols = cols,
            Padded = padded,
            Words = g.Words,
            RowsPerGroup = rowsPerGroup,
            Groups = groups,
            Lanes = lanes,
        };
        partial.Launch(new Index3D(columnGroups, groups, 1), new Index3D(gpu.GroupSize, 1, 1), arguments);
        finish.Launch(new Index3D(GpuContext.CeilingDivide(2 * padded, lanes), 1, 1),
            new Index3D(gpu.GroupSize, 1, 1), arguments);
    }
}

/// <summary>Arguments of both passes.</summary>
internal struct HiddenSumArguments
{
    public Matrix G, A, Logs, DBias, DLogs;

    /// <summary>Partial sums <c>[Groups, 2·Padded]</c>: those of g, then those of g·a.</summary>
    public Matrix Partial;
    public int Rows, Cols, Padded, Words, RowsPerGroup, Groups, Lanes;
}

/// <summary>The device side of <see cref="HiddenSums{TFormat}"/>.</summary>
internal static class HiddenSumKernel
{
    public static void Partial<TFormat>(HiddenSumArguments arguments) where TFormat : struct, ITensorFormat
    {
        int lane = Group.IdxX % arguments.Lanes;
        int word = Grid.IdxX * arguments.Lanes + lane;
        int end = IntrinsicMath.Min((Grid.IdxY + 1) * arguments.RowsPerGroup, arguments.Rows);
        KahanSum g0 = default, g1 = default, product0 = default, product1 = default;
        if (word < arguments.Words)
        {
            int first = Grid.IdxY * arguments.RowsPerGroup + Group.IdxX / arguments.Lanes;
            for (int row = first; row < end; row += Group.DimX / arguments.Lanes)
            {
                float g = arguments.G[row, word], a = arguments.A[row, word];
                float element = TFormat.Unpack(g, 0);
                g0.Add(element);
                product0.Add(element * TFormat.Unpack(a, 0));
                if (TFormat.Bytes == 2)
                {
                    element = TFormat.Unpack(g, 1);
                    g1.Add(element);
                    product1.Add(element * TFormat.Unpack(a, 1));
                }
            }
        }
        int perWord = sizeof(float) / TFormat.Bytes;
        bool stores = Group.IdxX < arguments.Lanes && word < arguments.Words;
        Store(arguments, g0.Value, word * perWord, stores);
        Store(arguments, product0.Value, arguments.Padded + word * perWord, stores);
        if (TFormat.Bytes == 2)
        {
            Store(arguments, g1.Value, word * perWord + 1, stores);
            Store(arguments, product1.Value, arguments.Padded + word * perWord + 1, stores);
        }
    }

    public static void Finish(HiddenSumArguments arguments)
    {
        int col = Grid.IdxX * arguments.Lanes + Group.IdxX % arguments.Lanes;
        KahanSum sum = default;
        if (col < 2 * arguments.Padded)
        {
            for (int group = Group.IdxX / arguments.Lanes; group < arguments.Groups;
                group += Group.DimX / arguments.Lanes)
                sum.Add(arguments.Partial[group, col]);
        }
        float total = GpuReduce.SumLanes(sum.Value, arguments.Lanes);
        if (Group.IdxX >= arguments.Lanes) return;
        int c = col < arguments.Padded ? col : col - arguments.Padded;
        if (c >= arguments.Cols) return;
        if (col < arguments.Padded) arguments.DBias[c] = GpuMath.Exp(3f * arguments.Logs[c]) * total;
        else if (col < 2 * arguments.Padded) arguments.DLogs[c] = 3f * total;
    }

    private static void Store(HiddenSumArguments arguments, float value, int col, bool stores)
    {
        float sum = GpuReduce.SumLanes(value, arguments.Lanes);
        if (stores) arguments.Partial[Grid.IdxY, col] = sum;
    }
}
