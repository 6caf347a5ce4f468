using ILGPU;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// <see cref="IChannelMap.Backward"/>: first a thread per row of W for the gradients of the actnorm and of a dense W,
/// then, for plu, a thread per element of the factors.
/// </summary>
internal static class ChannelMapBackward
{
    public static void Rows(ChannelMapArguments arguments)
    {
        int step = arguments.First + Grid.IdxY, n = arguments.Of(step, StepField.Channels);
        int row = Grid.IdxX * Group.DimX + Group.IdxX;
        if (row >= n) return;
        float g = arguments.GLogDet * arguments.Of(step, StepField.PixelsPerImage);
        float e = GpuMath.Exp(3f * arguments.Logs[arguments.Parameter(step, StepField.Logs) + row]);
        float b = arguments.Bias[arguments.Parameter(step, StepField.Bias) + row];
        // For the second pass; whatever Prepare left there is the same.
        arguments.Work[arguments.Of(step, StepField.Vectors) + row] = e;
        int w = arguments.Map(step, StepField.W) + row * n, dw = arguments.Map(step, StepField.DW) + row * n;
        int db = arguments.Map(step, StepField.DB), v = arguments.Map(step, StepField.V);
        bool dense = arguments.Of(step, StepField.Mixing) == (int)ChannelMixing.Dense;
        int weight = arguments.Gradient(step, StepField.Weight) + row * n;
        KahanSum byMatrix = default, byShift = default;
        for (int j = 0; j < n; j++)
        {
            float dMatrix = arguments.DW[dw + j], dShift = arguments.DB[db + j], scaled = arguments.W[w + j];
            byMatrix.Add(dMatrix * scaled);
            byShift.Add(dShift * scaled);
            // W⁻ᵀ_ij = (W⁻¹)_ji = V_ji·e_i.
            if (dense) arguments.DWeight[weight + j] = e * (dMatrix + b * dShift)
                + g * (e * arguments.V[v + j * n + row]);
        }
        arguments.DBias[arguments.Gradient(step, StepField.Bias) + row] = byShift.Value;
        arguments.DLogs[arguments.Gradient(step, StepField.Logs) + row] = 3f * (byMatrix.Value + b * byShift.Value + g);
    }

    /// <summary>
    /// dU' = Lᵀ·D and dL = D·U'ᵀ with D = Pᵀ·dW, whose row r is row p[r] of dW. The log-determinant reaches log_s only.
    /// </summary>
    public static void Factors(ChannelMapArguments arguments)
    {
        int step = arguments.First + Grid.IdxY, n = arguments.Of(step, StepField.Channels);
        int element = Grid.IdxX * Group.DimX + Group.IdxX;
        if (arguments.Of(step, StepField.Mixing) != (int)ChannelMixing.Plu || element >= n * n) return;
        int row = element / n, col = element % n;
        KahanSum sum = default;
        if (col < row)
        {
            int upper = arguments.Parameter(step, StepField.Upper);
            sum.Add(Gradient(arguments, step, n, row, col) * ChannelMapFactor.Pivot(arguments, step, n, col));
            for (int k = col + 1; k < n; k++) sum.Add(Gradient(arguments, step, n, row,
                k) * arguments.Upper[upper + col * n + k]);
        }
        else
        {
            int lower = arguments.Parameter(step, StepField.Lower);
            sum.Add(Gradient(arguments, step, n, row, col));
            for (int i = row + 1; i < n; i++) sum.Add(arguments.Lower[lower + i * n + row] * Gradient(arguments,
                step, n, i, col));
        }
        arguments.DLower[arguments.Gradient(step, StepField.Lower) + element] = col < row ? sum.Value : 0f;
        arguments.DUpper[arguments.Gradient(step, StepField.Upper) + element] = col > row ? sum.Value : 0f;
        if (col != row) return;
        float g = arguments.GLogDet * arguments.Of(step, StepField.PixelsPerImage);
        arguments.DLogS[arguments.Gradient(step, StepField.LogS) + row] = sum.Value * ChannelMapFactor.Pivot(
            arguments, step, n, row) + g;
    }

    /// <summary>Element (row, col) of D.</summary>
    private static float Gradient(ChannelMapArguments arguments, int step, int n, int row, int col)
    {
        int source = arguments.Table[arguments.Of(step, StepField.Constants) + row];
        float dMatrix = arguments.DW[arguments.Map(step, StepField.DW) + source * n + col],
            dShift = arguments.DB[arguments.Map(step, StepField.DB) + col];
        float b = arguments.Bias[arguments.Parameter(step, StepField.Bias) + source];
        return arguments.Work[arguments.Of(step, StepField.Vectors) + source] * (dMatrix + b * dShift);
    }
}
