using ILGPU;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// Second and third stage of <see cref="IChannelMap.Prepare"/>: a thread per column of W and its inverse, and one
/// group for the sum over all steps.
/// </summary>
internal static class ChannelMapInverse
{
    public static void Invert(ChannelMapArguments arguments)
    {
        int step = arguments.First + Grid.IdxY, n = arguments.Of(step, StepField.Channels);
        int col = Grid.IdxX * Group.DimX + Group.IdxX;
        if (col >= n) return;
        int mixing = arguments.Of(step, StepField.Mixing);
        if (mixing == (int)ChannelMixing.Permutation)
        {
            Permute(arguments, step, n, col);
            return;
        }
        FoldColumn(arguments, step, n, col, mixing == (int)ChannelMixing.Dense);
        SolveColumn(arguments, step, n, col);
    }

    /// <summary>
    /// Σ of the log-determinants, and what is wrong with the first step that something is wrong with.
    /// </summary>
    public static void Total(ChannelMapArguments arguments)
    {
        for (int step = Group.IdxX; step < arguments.Steps; step += Group.DimX)
        {
            int n = arguments.Of(step, StepField.Channels), vectors = arguments.Of(step, StepField.Vectors);
            int scalars = vectors + ChannelMapVector.Columns * n;
            int first = n;
            for (int col = 0; col < n; col++)
            {
                int row = (int)arguments.Work[vectors + ChannelMapVector.BadRow * n + col];
                if (row < 0 || row >= first) continue;
                first = row;
                arguments.Work[scalars + ChannelMapVector.Kind] = ChannelMapVector.NotFinite;
                arguments.Work[scalars + ChannelMapVector.At] = row * n + col;
                arguments.Work[scalars + ChannelMapVector.Value] = arguments.Work[vectors + ChannelMapVector.BadValue
                    * n + col];
            }
        }
        Group.Barrier();
        if (Group.IdxX != 0) return;
        DoubleFloat sum = default;
        int failed = 0;
        for (int step = 0; step < arguments.Steps; step++)
        {
            int scalars = arguments.Of(step, StepField.Vectors) + ChannelMapVector.Columns * arguments.Of(step,
                StepField.Channels);
            sum = DoubleFloat.Add(sum, new(arguments.Work[scalars + ChannelMapVector.LogDetHi],
                arguments.Work[scalars + ChannelMapVector.LogDetLo]));
            float kind = arguments.Work[scalars + ChannelMapVector.Kind];
            if (failed != 0 || kind == ChannelMapVector.None) continue;
            failed = step + 1;
            arguments.Status[1] = kind;
            arguments.Status[2] = arguments.Work[scalars + ChannelMapVector.At];
            arguments.Status[3] = arguments.Work[scalars + ChannelMapVector.Value];
        }
        arguments.Status[0] = failed;
        if (failed == 0)
        {
            arguments.Status[1] = 0f;
            arguments.Status[2] = 0f;
            arguments.Status[3] = 0f;
        }
        arguments.LogDet[0] = failed == 0 ? sum.Hi : float.NaN;
    }

    private static void Permute(ChannelMapArguments arguments, int step, int n, int col)
    {
        int order = arguments.Of(step, StepField.Constants), scale = arguments.Of(step, StepField.Vectors);
        int w = arguments.Map(step, StepField.W), v = arguments.Map(step, StepField.V),
            bias = arguments.Parameter(step, StepField.Bias);
        int source = arguments.Table[order + col];
        for (int i = 0; i < n; i++)
        {
            arguments.W[w + i * n + col] = i == source ? arguments.Work[scale + i] : 0f;
            arguments.V[v + i * n + col] = arguments.Table[order + i] == col ? 1f / arguments.Work[scale + col] : 0f;
        }
        arguments.B[arguments.Map(step, StepField.B) + col] = arguments.Bias[bias + source]
            * arguments.Work[scale + source];
    }

    /// <summary>A column of W' and of b'.</summary>
    private static void FoldColumn(ChannelMapArguments arguments, int step, int n, int col, bool dense)
    {
        int scale = arguments.Of(step, StepField.Vectors), lu = arguments.Of(step, StepField.Matrices),
            order = arguments.Of(step, StepField.Order);
        int w = arguments.Map(step, StepField.W), bias = arguments.Parameter(step, StepField.Bias),
            weight = arguments.Parameter(step, StepField.Weight);
        KahanSum shift = default;
        int bad = n;
        float badValue = 0f;
        for (int r = 0; r < n; r++)
        {
            // Dense: in the order of W's rows, plu: in that of the factors', whatever row of W each is.
            int row = dense ? r : arguments.Orders[order + r];
            float value = dense ? arguments.Weight[weight + r * n + col] : Product(arguments, lu, n, r, col);
            if (!GpuMath.IsFinite(value) && row < bad)
            {
                bad = row;
                badValue = value;
            }
            float scaled = arguments.Work[scale + row] * value;
            arguments.W[w + row * n + col] = scaled;
            shift.Add(arguments.Bias[bias + row] * scaled);
        }
        arguments.B[arguments.Map(step, StepField.B) + col] = shift.Value;
        if (bad == n) return;
        arguments.Work[scale + ChannelMapVector.BadRow * n + col] = bad;
        arguments.Work[scale + ChannelMapVector.BadValue * n + col] = badValue;
    }

    /// <summary>Element (row, col) of L·U.</summary>
    private static float Product(ChannelMapArguments arguments, int lu, int n, int row, int col)
    {
        int last = IntrinsicMath.Min(row - 1, col);
        DoubleFloat sum = default;
        for (int k = 0; k <= last; k++)
        {
            sum = DoubleFloat.Add(sum, DoubleFloat.Multiply(
                new(arguments.Work[lu + row * n + k], 0f), new(arguments.Work[lu + k * n + col], 0f),
                    arguments.Opaque));
        }
        return row <= col ? sum.Hi + arguments.Work[lu + row * n + col] : sum.Hi;
    }

    /// <summary>A column of W⁻¹ by substitution, forward through L and back through U, and of V.</summary>
    private static void SolveColumn(ChannelMapArguments arguments, int step, int n, int col)
    {
        int low = n * n, lu = arguments.Of(step, StepField.Matrices), x = lu + 2 * low,
            order = arguments.Of(step, StepField.Order);
        int start = n;
        for (int r = 0; r < n; r++)
        {
            DoubleFloat sum = default;
            if (arguments.Orders[order + r] == col)
            {
                start = r;
                sum = new(1f, 0f);
            }
            // Above its 1 the right-hand side has zeros only, and so has the solution.
            for (int k = start; k < r; k++)
            {
                int l = lu + r * n + k, at = x + k * n + col;
                sum = DoubleFloat.Subtract(sum, DoubleFloat.Multiply(
                    new(arguments.Work[l], arguments.Work[low + l]),
                        new(arguments.Work[at], arguments.Work[low + at]), arguments.Opaque));
            }
            arguments.Work[x + r * n + col] = sum.Hi;
            arguments.Work[x + low + r * n + col] = sum.Lo;
        }
        int v = arguments.Map(step, StepField.V);
        float scale = arguments.Work[arguments.Of(step, StepField.Vectors) + col];
        for (int r = n - 1; r >= 0; r--)
        {
            int here = x + r * n + col, diagonal = lu + r * n + r;
            DoubleFloat sum = new(arguments.Work[here], arguments.Work[low + here]);
            for (int k = r + 1; k < n; k++)
            {
                int u = lu + r * n + k, at = x + k * n + col;
                sum = DoubleFloat.Subtract(sum, DoubleFloat.Multiply(
                    new(arguments.Work[u], arguments.Work[low + u]),
                        new(arguments.Work[at], arguments.Work[low + at]), arguments.Opaque));
            }
            sum = DoubleFloat.Divide(sum, new(arguments.Work[diagonal], arguments.Work[low + diagonal]),
                arguments.Opaque);
            arguments.Work[here] = sum.Hi;
            arguments.Work[low + here] = sum.Lo;
            arguments.V[v + r * n + col] = sum.Hi / scale;
        }
    }
}
