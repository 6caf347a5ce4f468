using System.Runtime.InteropServices;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

/// <summary>
/// The numbers of a <see cref="ChannelMapParameters"/> in host memory; what a mixing does not use stays empty.
/// </summary>
public readonly ref struct ChannelMapValues
{
    /// <summary>actnorm b <c>[C]</c></summary>
    public Span<float> Bias { get; init; }

    /// <summary>actnorm logs <c>[C]</c></summary>
    public Span<float> Logs { get; init; }

    /// <summary>dense W <c>[C,C]</c></summary>
    public Span<float> Weight { get; init; }

    /// <summary>plu: L <c>[C,C]</c></summary>
    public Span<float> Lower { get; init; }

    /// <summary>plu: U <c>[C,C]</c></summary>
    public Span<float> Upper { get; init; }

    /// <summary>plu: log_s <c>[C]</c></summary>
    public Span<float> LogS { get; init; }
}

/// <summary>
/// The numbers of a <see cref="ChannelMaps"/> in host memory; <see cref="ChannelMapMath"/> says which it reads and
/// writes.
/// </summary>
public readonly ref struct ChannelMapTables
{
    /// <summary>W' <c>[C,C]</c></summary>
    public Span<float> W { get; init; }

    /// <summary>b' <c>[C]</c></summary>
    public Span<float> B { get; init; }

    /// <summary>V <c>[C,C]</c></summary>
    public Span<float> V { get; init; }

    /// <summary>c <c>[C]</c></summary>
    public Span<float> C { get; init; }

    /// <summary>gradient of W' <c>[C,C]</c></summary>
    public Span<float> DW { get; init; }

    /// <summary>gradient of b' <c>[C]</c></summary>
    public Span<float> DB { get; init; }
}

/// <summary>
/// The arithmetic of <see cref="IChannelMap"/> for one step on host memory, in double precision and rounded to
/// float32 once at the end. Of a <see cref="ChannelMapStep"/> only the numbers are read, never its views. About
/// 2.7·C³ flops to prepare a dense step, 4·C³ for plu, next to nothing backward when dense and 4·C³ for plu.
/// </summary>
public static class ChannelMapMath
{
    /// <summary>Doubles that <see cref="Prepare"/> and <see cref="Backward"/> need as scratch for C channels.</summary>
    public static int ScratchLength(int channels) => checked(3 * channels * channels + channels);

    /// <summary>
    /// Fills W, B, V and C of <paramref name="maps"/> and returns H·W·(Σ_c 3·logs_c + ln|det W|) in nats. When W is
    /// singular or not finite the result is NaN, the maps stay as they are, and <paramref name="status"/> says what
    /// is wrong with step
    /// <paramref name="index"/>.
    /// </summary>
    public static double Prepare(
        ChannelMapStep step, int index, ChannelMapValues parameters, ChannelMapTables maps, Span<double> scratch,
            Span<float> status)
    {
        ChannelMapStatus.Clear(status);
        int c = step.Channels, cc = c * c;
        Span<double> w = scratch[..cc], inverse = scratch.Slice(cc, cc), lu = scratch.Slice(2 * cc, cc);
        Span<int> order = MemoryMarshal.Cast<double, int>(scratch.Slice(3 * cc, c))[..c];
        double logDet = step.Mixing switch
        {
            ChannelMixing.Dense => InvertDense(step, index, parameters.Weight, w, inverse, lu, order, status),
            ChannelMixing.Plu => InvertPlu(step, index, parameters, w, inverse, lu, order, status),
            _ => 0,
        };
        if (ChannelMapStatus.HasFailed(status)) return double.NaN;
        if (step.Mixing == ChannelMixing.Permutation) FillPermutation(step.Permutation, w, inverse);

        Span<double> shift = scratch.Slice(3 * cc, c);
        shift.Clear();
        for (int i = 0; i < c; i++)
        {
            double e = Math.Exp(3.0 * parameters.Logs[i]), be = parameters.Bias[i] * e;
            logDet += 3.0 * parameters.Logs[i];
            for (int j = 0; j < c; j++)
            {
                double wij = w[i * c + j];
                maps.W[i * c + j] = (float)(e * wij);
                shift[j] += be * wij;
                // Divided, not multiplied by exp(−3·logs): V undoes exactly the factor that W' carries.
                maps.V[j * c + i] = (float)(inverse[j * c + i] / e);
            }
            maps.C[i] = -parameters.Bias[i];
        }
        for (int j = 0; j < c; j++) maps.B[j] = (float)shift[j];
        return step.PixelsPerImage * logDet;
    }

    /// <summary>
    /// Overwrites <paramref name="gradients"/> (those the mixing has) given DW, DB and, as <see cref="Prepare"/> left
    /// them, W and V of <paramref name="maps"/>; <paramref name="gLogDet"/> is the derivative of the loss by the
    /// log-determinant.
    /// W' and V stand in for e·W and W⁻¹/e, so no matrix is factored again.
    /// </summary>
    public static void Backward(
        ChannelMapStep step, ChannelMapValues parameters, ChannelMapTables maps, double gLogDet,
        ChannelMapValues gradients, Span<double> scratch)
    {
        int c = step.Channels;
        double g = gLogDet * step.PixelsPerImage;
        Span<double> dw = scratch[..(c * c)];
        for (int i = 0; i < c; i++)
        {
            double e = Math.Exp(3.0 * parameters.Logs[i]), b = parameters.Bias[i];
            double byMatrix = 0, byShift = 0;
            for (int j = 0; j < c; j++)
            {
                double dMatrix = maps.DW[i * c + j], dShift = maps.DB[j], scaled = maps.W[i * c + j];
                byMatrix += dMatrix * scaled;
                byShift += dShift * scaled;
                dw[i * c + j] = e * (dMatrix + b * dShift);
            }
            gradients.Bias[i] = (float)byShift;
            gradients.Logs[i] = (float)(3 * (byMatrix + b * byShift + g));
        }
        if (step.Mixing == ChannelMixing.Dense) BackwardDense(c, parameters.Logs, maps.V, g, dw, gradients.Weight);
        if (step.Mixing == ChannelMixing.Plu) BackwardPlu(step, parameters, g, gradients, scratch);
    }

    private static double InvertDense(ChannelMapStep step, int index, ReadOnlySpan<float> weight,
        Span<double> w, Span<double> inverse, Span<double> lu, Span<int> order, Span<float> status)
    {
        int c = step.Channels;
        for (int i = 0; i < w.Length; i++) w[i] = weight[i];
        if (!IsFinite(index, w, status)) return double.NaN;
        w.CopyTo(lu);
        LuStatus factors = SmallMatrix.Factor(c, lu, order);
        if (factors.IsSingular(c))
        {
            ChannelMapStatus.SetSingular(status, index, factors.WeakestPivot, factors.WeakestRatio);
            return double.NaN;
        }
        SmallMatrix.InvertFactored(c, lu, order, inverse);
        return SmallMatrix.LogAbsDeterminant(c, lu);
    }

    private static double InvertPlu(ChannelMapStep step, int index, ChannelMapValues parameters,
        Span<double> w, Span<double> inverse, Span<double> lu, Span<int> order, Span<float> status)
    {
        int c = step.Channels;
        // W = P·L·U' row by row of the product, which lands in lu, from L in w and U' in inverse.
        ExpandFactors(step, parameters, w, inverse);
        SmallMatrix.Multiply(c, w, inverse, lu);
        for (int r = 0; r < c; r++) lu.Slice(r * c, c).CopyTo(w.Slice(step.Permutation[r] * c, c));
        if (!IsFinite(index, w, status)) return double.NaN;

        double logDet = 0;
        step.Permutation.CopyTo(order);
        for (int r = 0; r < c; r++)
        {
            double pivot = Pivot(step, parameters, r);
            if (pivot == 0)
            {
                ChannelMapStatus.SetSingular(status, index, r, 0);
                return double.NaN;
            }
            logDet += parameters.LogS[r];
            for (int j = 0; j < c; j++)
                lu[r * c + j] = j < r ? parameters.Lower[r * c + j] : j == r ? pivot : parameters.Upper[r * c + j];
        }
        SmallMatrix.InvertFactored(c, lu, order, inverse);
        return logDet;
    }

    /// <summary>Dense L (unit lower triangular) and U' = U + diag(sign·exp(log_s)).</summary>
    private static void ExpandFactors(ChannelMapStep step, ChannelMapValues parameters, Span<double> l, Span<double> u)
    {
        int c = step.Channels;
        for (int r = 0; r < c; r++)
        {
            for (int j = 0; j < c; j++)
            {
                l[r * c + j] = j < r ? parameters.Lower[r * c + j] : j == r ? 1 : 0;
                u[r * c + j] = j < r ? 0 : j == r ? Pivot(step, parameters, r) : parameters.Upper[r * c + j];
            }
        }
    }

    private static double Pivot(ChannelMapStep step, ChannelMapValues parameters, int r) =>
        step.Sign[r] * Math.Exp(parameters.LogS[r]);

    private static void FillPermutation(ReadOnlySpan<int> permutation, Span<double> w, Span<double> inverse)
    {
        w.Clear();
        inverse.Clear();
        for (int j = 0; j < permutation.Length; j++)
        {
            w[permutation[j] * permutation.Length + j] = 1;
            inverse[j * permutation.Length + permutation[j]] = 1;
        }
    }

    private static void BackwardDense(
        int c, ReadOnlySpan<float> logs, ReadOnlySpan<float> v, double g, ReadOnlySpan<double> dw, Span<float> dWeight)
    {
        for (int i = 0; i < c; i++)
        {
            // W⁻ᵀ_ij = (W⁻¹)_ji = V_ji·e_i.
            double ge = g * Math.Exp(3.0 * logs[i]);
            for (int j = 0; j < c; j++) dWeight[i * c + j] = (float)(dw[i * c + j] + ge * v[j * c + i]);
        }
    }

    private static void BackwardPlu(
        ChannelMapStep step, ChannelMapValues parameters, double g, ChannelMapValues gradients, Span<double> scratch)
    {
        int c = step.Channels, cc = c * c;
        Span<double> dw = scratch[..cc], first = scratch.Slice(cc, cc), second = scratch.Slice(2 * cc, cc);

        // dU' = Lᵀ·D and dL = D·U'ᵀ with D = Pᵀ·dW, whose row r is row p[r] of dW. The log-determinant reaches log_s
        // only.
        ExpandFactors(step, parameters, second, first);
        SmallMatrix.Transpose(c, second, first);
        for (int r = 0; r < c; r++) dw.Slice(step.Permutation[r] * c, c).CopyTo(second.Slice(r * c, c));
        second.CopyTo(dw);
        SmallMatrix.Multiply(c, first, dw, second);
        for (int r = 0; r < c; r++)
        {
            for (int j = 0; j < c; j++) gradients.Upper[r * c + j] = j > r ? (float)second[r * c + j] : 0;
            gradients.LogS[r] = (float)(second[r * c + r] * Pivot(step, parameters, r) + g);
        }

        ExpandFactors(step, parameters, first, second);
        SmallMatrix.Transpose(c, second, first);
        SmallMatrix.Multiply(c, dw, first, second);
        for (int r = 0; r < c; r++)
            for (int j = 0; j < c; j++) gradients.Lower[r * c + j] = j < r ? (float)second[r * c + j] : 0;
    }

    private static bool IsFinite(int index, ReadOnlySpan<double> w, Span<float> status)
    {
        for (int i = 0; i < w.Length; i++)
        {
            if (double.IsFinite(w[i])) continue;
            ChannelMapStatus.SetNotFinite(status, index, i, w[i]);
            return false;
        }
        return true;
    }
}
