using ILGPU;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// First stage of <see cref="IChannelMap.Prepare"/>, a group a step: exp(3·logs), c, the LU factors of W in pairs of
/// float32, and the step's log-determinant. A dense W is factored with partial pivoting, right-looking; plu brings
/// its factors along.
/// </summary>
internal static class ChannelMapFactor
{
    private const int LargestGroup = 256;

    /// <summary>
    /// A pivot below this part of its column, times C, is what rounding leaves of a zero: pairs keep about 45 bits,
    /// of which elimination may cost a few.
    /// </summary>
    private const float SingularRatio = 2.3e-13f;

    private const float Ln2High = 0.693359375f;
    private const float Ln2Low = -2.12194440e-4f;

    public static void Factor(ChannelMapArguments arguments)
    {
        int step = arguments.First + Grid.IdxX;
        int n = arguments.Of(step, StepField.Channels), mixing = arguments.Of(step, StepField.Mixing);
        int vectors = arguments.Of(step, StepField.Vectors);
        for (int i = Group.IdxX; i < n; i += Group.DimX)
        {
            arguments.Work[vectors + i] = GpuMath.Exp(3f * arguments.Logs[arguments.Parameter(step,
                StepField.Logs) + i]);
            arguments.Work[vectors + ChannelMapVector.BadRow * n + i] = -1f;
            arguments.C[arguments.Map(step, StepField.C) + i] = -arguments.Bias[arguments.Parameter(step,
                StepField.Bias) + i];
        }
        ArrayView<float> largest = SharedMemory.Allocate<float>(LargestGroup);
        ArrayView<int> rows = SharedMemory.Allocate<int>(LargestGroup);
        int bad = n * n;
        if (mixing == (int)ChannelMixing.Dense) bad = LoadDense(arguments, step, n, rows);
        if (mixing == (int)ChannelMixing.Plu) LoadPlu(arguments, step, n);
        Group.Barrier();
        if (mixing == (int)ChannelMixing.Dense)
        {
            int lu = arguments.Of(step, StepField.Matrices), order = arguments.Of(step, StepField.Order);
            for (int k = 0; k < n; k++)
            {
                int pivot = PivotRow(arguments.Work, lu, n, k, largest, rows);
                Swap(arguments, lu, order, n, k, pivot);
                Group.Barrier();
                Eliminate(arguments, lu, n, k);
            }
        }
        if (Group.IdxX == 0) Conclude(arguments, step, n, mixing, bad);
    }

    /// <summary>The first element of W that is not finite, or C².</summary>
    private static int LoadDense(ChannelMapArguments arguments, int step, int n, ArrayView<int> firsts)
    {
        int lu = arguments.Of(step, StepField.Matrices), order = arguments.Of(step, StepField.Order);
        int weight = arguments.Parameter(step, StepField.Weight), first = n * n;
        for (int i = Group.IdxX; i < n * n; i += Group.DimX)
        {
            float w = arguments.Weight[weight + i];
            arguments.Work[lu + i] = w;
            arguments.Work[lu + n * n + i] = 0f;
            if (!GpuMath.IsFinite(w) && i < first) first = i;
        }
        for (int i = Group.IdxX; i < n; i += Group.DimX) arguments.Orders[order + i] = i;
        firsts[Group.IdxX] = first;
        Group.Barrier();
        for (int distance = Group.DimX / 2; distance > 0; distance /= 2)
        {
            if (Group.IdxX < distance) firsts[Group.IdxX] = IntrinsicMath.Min(firsts[Group.IdxX],
                firsts[Group.IdxX + distance]);
            Group.Barrier();
        }
        return firsts[0];
    }

    private static void LoadPlu(ChannelMapArguments arguments, int step, int n)
    {
        int lu = arguments.Of(step, StepField.Matrices), order = arguments.Of(step, StepField.Order);
        int constants = arguments.Of(step, StepField.Constants);
        int lower = arguments.Parameter(step, StepField.Lower), upper = arguments.Parameter(step, StepField.Upper);
        for (int i = Group.IdxX; i < n * n; i += Group.DimX)
        {
            int row = i / n, col = i % n;
            float value = col < row ? arguments.Lower[lower + i] : arguments.Upper[upper + i];
            arguments.Work[lu + i] = row == col ? Pivot(arguments, step, n, row) : value;
            arguments.Work[lu + n * n + i] = 0f;
        }
        for (int i = Group.IdxX; i < n; i += Group.DimX) arguments.Orders[order + i] = arguments.Table[constants + i];
    }

    /// <summary>sign·exp(log_s) of a row.</summary>
    public static float Pivot(ChannelMapArguments arguments, int step, int n, int row) =>
        arguments.Table[arguments.Of(step, StepField.Constants) + n + row]
        * GpuMath.Exp(arguments.LogS[arguments.Parameter(step, StepField.LogS) + row]);

    /// <summary>
    /// The row from k on whose element in column k is largest; the first of equals, whatever the size of the group.
    /// </summary>
    private static int PivotRow(ArrayView<float> work, int lu, int n, int k, ArrayView<float> largest,
        ArrayView<int> rows)
    {
        float best = -1f;
        int row = k;
        for (int i = k + Group.IdxX; i < n; i += Group.DimX)
        {
            float size = IntrinsicMath.Abs(work[lu + i * n + k]);
            if (size > best)
            {
                best = size;
                row = i;
            }
        }
        int thread = Group.IdxX;
        largest[thread] = best;
        rows[thread] = row;
        Group.Barrier();
        for (int distance = Group.DimX / 2; distance > 0; distance /= 2)
        {
            if (thread < distance)
            {
                float other = largest[thread + distance];
                int otherRow = rows[thread + distance];
                if (other > largest[thread] || (other == largest[thread] && otherRow < rows[thread]))
                {
                    largest[thread] = other;
                    rows[thread] = otherRow;
                }
            }
            Group.Barrier();
        }
        int found = rows[0];
        // Nobody writes the next column's candidates before all have read this one's.
        Group.Barrier();
        return found;
    }

    private static void Swap(ChannelMapArguments arguments, int lu, int order, int n, int k, int pivot)
    {
        if (pivot == k) return;
        for (int part = 0; part < 2; part++)
        {
            int a = lu + part * n * n + k * n, b = lu + part * n * n + pivot * n;
            for (int j = Group.IdxX; j < n; j += Group.DimX)
            {
                float kept = arguments.Work[a + j];
                arguments.Work[a + j] = arguments.Work[b + j];
                arguments.Work[b + j] = kept;
            }
        }
        if (Group.IdxX != 0) return;
        int row = arguments.Orders[order + k];
        arguments.Orders[order + k] = arguments.Orders[order + pivot];
        arguments.Orders[order + pivot] = row;
    }

    /// <summary>Column k of L, and row k of U out of every row below.</summary>
    private static void Eliminate(ChannelMapArguments arguments, int lu, int n, int k)
    {
        int low = n * n;
        DoubleFloat pivot = new(arguments.Work[lu + k * n + k], arguments.Work[lu + low + k * n + k]);
        for (int i = k + 1 + Group.IdxX; i < n; i += Group.DimX)
        {
            int at = lu + i * n + k;
            DoubleFloat factor = DoubleFloat.Divide(new(arguments.Work[at], arguments.Work[low + at]), pivot,
                arguments.Opaque);
            arguments.Work[at] = factor.Hi;
            arguments.Work[low + at] = factor.Lo;
        }
        Group.Barrier();
        int rest = n - k - 1;
        for (int e = Group.IdxX; e < rest * rest; e += Group.DimX)
        {
            int row = k + 1 + e / rest, col = k + 1 + e % rest;
            int l = lu + row * n + k, u = lu + k * n + col, at = lu + row * n + col;
            DoubleFloat product = DoubleFloat.Multiply(
                new(arguments.Work[l], arguments.Work[low + l]), new(arguments.Work[u], arguments.Work[low + u]),
                    arguments.Opaque);
            DoubleFloat value = DoubleFloat.Subtract(new(arguments.Work[at], arguments.Work[low + at]), product);
            arguments.Work[at] = value.Hi;
            arguments.Work[low + at] = value.Lo;
        }
        Group.Barrier();
    }

    /// <summary>By one thread: log-determinant and what is wrong.</summary>
    private static void Conclude(ChannelMapArguments arguments, int step, int n, int mixing, int bad)
    {
        int logs = arguments.Parameter(step, StepField.Logs), lu = arguments.Of(step, StepField.Matrices);
        DoubleFloat sum = default;
        for (int i = 0; i < n; i++)
        {
            float value = arguments.Logs[logs + i];
            sum = DoubleFloat.Add(sum, DoubleFloat.Multiply(new(3f, 0f), new(value, 0f), arguments.Opaque));
        }
        float kind = ChannelMapVector.None, at = 0f, value2 = 0f;
        if (mixing == (int)ChannelMixing.Dense)
        {
            int weight = arguments.Parameter(step, StepField.Weight), weakest = 0;
            float ratio = float.PositiveInfinity;
            for (int k = 0; k < n; k++)
            {
                float largest = 0f;
                for (int i = 0; i < n; i++) largest = IntrinsicMath.Max(largest,
                    IntrinsicMath.Abs(arguments.Weight[weight + i * n + k]));
                float part = largest > 0f ? IntrinsicMath.Abs(arguments.Work[lu + k * n + k]) / largest : 0f;
                if (!(part >= ratio))
                {
                    ratio = part;
                    weakest = k;
                }
            }
            if (!(ratio > n * SingularRatio))
            {
                kind = ChannelMapVector.Singular;
                at = weakest;
                value2 = ratio;
            }
            if (bad < n * n)
            {
                kind = ChannelMapVector.NotFinite;
                at = bad;
                value2 = arguments.Weight[weight + bad];
            }
            sum = DoubleFloat.Add(sum, LogOfPivots(arguments, lu, n));
        }
        if (mixing == (int)ChannelMixing.Plu)
        {
            int logS = arguments.Parameter(step, StepField.LogS);
            for (int k = n - 1; k >= 0; k--)
            {
                sum = DoubleFloat.Add(sum, new(arguments.LogS[logS + k], 0f));
                if (arguments.Work[lu + k * n + k] != 0f) continue;
                kind = ChannelMapVector.Singular;
                at = k;
                value2 = 0f;
            }
        }
        sum = DoubleFloat.Multiply(sum, new(arguments.Of(step, StepField.PixelsPerImage), 0f), arguments.Opaque);
        int scalars = arguments.Of(step, StepField.Vectors) + ChannelMapVector.Columns * n;
        arguments.Work[scalars + ChannelMapVector.Kind] = kind;
        arguments.Work[scalars + ChannelMapVector.At] = at;
        arguments.Work[scalars + ChannelMapVector.Value] = value2;
        arguments.Work[scalars + ChannelMapVector.LogDetHi] = sum.Hi;
        arguments.Work[scalars + ChannelMapVector.LogDetLo] = sum.Lo;
    }

    /// <summary>
    /// Σ ln|u_kk| as the logarithm of one product, its exponent kept apart: one rounding of a logarithm instead of C,
    /// and none where the determinant is ±1, as that of a rotation.
    /// </summary>
    private static DoubleFloat LogOfPivots(ChannelMapArguments arguments, int lu, int n)
    {
        DoubleFloat product = new(1f, 0f);
        int exponent = 0;
        for (int k = 0; k < n; k++)
        {
            int at = lu + k * n + k;
            product = DoubleFloat.Multiply(product, new(arguments.Work[at], arguments.Work[n * n + at]),
                arguments.Opaque);
            int raised = (int)((Interop.FloatAsInt(product.Hi) >> 23) & 0xFF) - 127;
            // Of 0, infinity and NaN nothing better can be made.
            if (raised <= -126 || raised >= 127) continue;
            float down = Interop.IntAsFloat((uint)(127 - raised) << 23);
            product = new(product.Hi * down, product.Lo * down);
            exponent += raised;
        }
        // Into [√½, √2), where the logarithm of a number near 1 is small and exact.
        float size = IntrinsicMath.Abs(product.Hi);
        if (size > 1.41421356f)
        {
            product = new(product.Hi * 0.5f, product.Lo * 0.5f);
            size *= 0.5f;
            exponent++;
        }
        DoubleFloat log = DoubleFloat.Add(new(exponent * Ln2High, 0f), new(exponent * Ln2Low, 0f));
        log = DoubleFloat.Add(log, new(GpuMath.Log(size), 0f));
        return DoubleFloat.Add(log, new(product.Lo / product.Hi, 0f));
    }
}
