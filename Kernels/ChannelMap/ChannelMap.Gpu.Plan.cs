using ILGPU;
using ILGPU.Runtime;

namespace GlowGpu.Kernels.Gpu;

/// <summary>A step as kernels find it in the table: sizes, and where in the buffers everything of it begins.</summary>
internal static class StepField
{
    public const int Channels = 0, Mixing = 1, PixelsPerImage = 2, Matrices = 3, Vectors = 4, Order = 5, Constants = 6;

    /// <summary>Parameters and gradients: bias, logs, weight, lower, upper, log_s each.</summary>
    public const int Parameters = 7, Gradients = 13;

    public const int Bias = 0, Logs = 1, Weight = 2, Lower = 3, Upper = 4, LogS = 5;

    /// <summary>W', b', V, c, dW', db'.</summary>
    public const int Maps = 19;

    public const int W = 0, B = 1, V = 2, C = 3, DW = 4, DB = 5;

    public const int Count = 25;
}

/// <summary>Arguments of all kernels of the channel maps.</summary>
internal struct ChannelMapArguments
{
    /// <summary>The buffers of the six views of parameters, gradients and maps; of a model they are one each.</summary>
    public ArrayView<float> Bias, Logs, Weight, Lower, Upper, LogS;
    public ArrayView<float> DBias, DLogs, DWeight, DLower, DUpper, DLogS;
    public ArrayView<float> W, B, V, C, DW, DB;

    /// <summary>
    /// Scratch: per step LU and inverse as pairs <c>[4,C,C]</c>, and vectors (<see cref="ChannelMapVector"/>).
    /// </summary>
    public ArrayView<float> Work;
    public ArrayView<float> LogDet, Status;

    /// <summary>
    /// Table of steps, their permutations and signs; and the rows' order in the factors, which pivoting decides.
    /// </summary>
    public ArrayView<int> Table, Orders;

    /// <summary>First step of the launch and, where all are walked, their number.</summary>
    public int First, Steps;
    public float GLogDet;

    /// <summary>0, see <see cref="DoubleFloat"/>.</summary>
    public uint Opaque;

    public readonly int Of(int step, int field) => Table[step * StepField.Count + field];

    public readonly int Parameter(int step, int field) => Of(step, StepField.Parameters + field);

    public readonly int Gradient(int step, int field) => Of(step, StepField.Gradients + field);

    public readonly int Map(int step, int field) => Of(step, StepField.Maps + field);
}

/// <summary>The vectors of a step in scratch.</summary>
internal static class ChannelMapVector
{
    /// <summary>
    /// exp(3·logs) <c>[C]</c>, and per column the first row of a W that is not finite, or −1 <c>[C]</c>, with its
    /// value <c>[C]</c>.
    /// </summary>
    public const int Scale = 0, BadRow = 1, BadValue = 2, Columns = 3;

    /// <summary>Behind them: status without the step's number, and its log-determinant as a pair.</summary>
    public const int Kind = 0, At = 1, Value = 2, LogDetHi = 3, LogDetLo = 4, Scalars = 5;

    public const float None = 0, Singular = 1, NotFinite = 2;
}

/// <summary>Steps next to each other whose views lie in the same buffers, so that one launch does them all.</summary>
internal sealed record ChannelMapBatch(int First, int Count, int Channels, bool HasPlu, GpuBuffer?[] Buffers)
{
    /// <summary>The arguments with the buffers in place.</summary>
    public ChannelMapArguments Bind(ChannelMapArguments shared)
    {
        ArrayView<float> Memory(int i) => Buffers[i]?.Memory ?? shared.Work;
        shared.First = First;
        (shared.Bias, shared.Logs, shared.Weight) = (Memory(0), Memory(1), Memory(2));
        (shared.Lower, shared.Upper, shared.LogS) = (Memory(3), Memory(4), Memory(5));
        (shared.DBias, shared.DLogs, shared.DWeight) = (Memory(6), Memory(7), Memory(8));
        (shared.DLower, shared.DUpper, shared.DLogS) = (Memory(9), Memory(10), Memory(11));
        (shared.W, shared.B, shared.V) = (Memory(12), Memory(13), Memory(14));
        (shared.C, shared.DW, shared.DB) = (Memory(15), Memory(16), Memory(17));
        return shared;
    }
}

/// <summary>Where everything of a list of steps lies, on the device; made once per list.</summary>
internal sealed class ChannelMapPlan : IDisposable
{
    private readonly ChannelMapStep[] steps;
    private readonly int[] constants;
    private readonly MemoryBuffer1D<int, Stride1D.Dense> table, orders;
    private readonly GpuContext gpu;

    public ChannelMapPlan(GpuContext gpu, IReadOnlyList<ChannelMapStep> list)
    {
        this.gpu = gpu;
        steps = [.. list];
        constants = [.. steps.SelectMany(Constants)];
        int[] values = new int[steps.Length * StepField.Count + constants.Length];
        int order = 0, constant = steps.Length * StepField.Count;
        long work = 0;
        for (int i = 0; i < steps.Length; i++)
        {
            ChannelMapStep step = steps[i];
            long c = step.Channels, matrices = work, vectors = matrices + 4 * c * c;
            work = vectors + ChannelMapVector.Columns * c + ChannelMapVector.Scalars;
            gpu.ThrowIfTooLong(work);
            Span<int> row = values.AsSpan(i * StepField.Count, StepField.Count);
            row[StepField.Channels] = step.Channels;
            row[StepField.Mixing] = (int)step.Mixing;
            row[StepField.PixelsPerImage] = step.PixelsPerImage;
            row[StepField.Matrices] = (int)matrices;
            row[StepField.Vectors] = (int)vectors;
            row[StepField.Order] = order;
            row[StepField.Constants] = constant;
            View[] views = Views(step);
            for (int v = 0; v < views.Length; v++) row[StepField.Parameters + v] = views[v].IsNone ? 0
                : checked((int)views[v].Offset);
            order += step.Channels;
            constant += Constants(step).Count();
        }
        WorkLength = (int)work;
        constants.CopyTo(values, steps.Length * StepField.Count);
        table = gpu.AllocateInts(values);
        orders = gpu.AllocateInts(new int[Math.Max(order, 1)]);
        Batches = [.. Split()];
    }

    /// <summary>Floats of scratch.</summary>
    public int WorkLength { get; }

    public IReadOnlyList<ChannelMapBatch> Batches { get; }

    /// <summary>What all launches share.</summary>
    public ChannelMapArguments Arguments => new() { Table = table.View, Orders = orders.View };

    /// <summary>Whether these are the steps, with the permutations and signs they had.</summary>
    public bool IsOf(IReadOnlyList<ChannelMapStep> list)
    {
        if (list.Count != steps.Length) return false;
        ReadOnlySpan<int> rest = constants;
        for (int i = 0; i < steps.Length; i++)
        {
            ChannelMapStep step = list[i];
            if (!ReferenceEquals(step, steps[i])) return false;
            if (step.Mixing == ChannelMixing.Dense) continue;
            if (!rest[..step.Channels].SequenceEqual(step.Permutation)) return false;
            rest = rest[step.Channels..];
            if (step.Mixing != ChannelMixing.Plu) continue;
            for (int c = 0; c < step.Channels; c++)
                if (rest[c] != (int)step.Sign[c]) return false;
            rest = rest[step.Channels..];
        }
        return true;
    }

    public void Dispose()
    {
        gpu.Release(table);
        gpu.Release(orders);
    }

    private IEnumerable<ChannelMapBatch> Split()
    {
        for (int first = 0, end; first < steps.Length; first = end)
        {
            GpuBuffer?[] buffers = Buffers(steps[first]);
            end = first + 1;
            while (end < steps.Length && Joined(buffers, Buffers(steps[end])) is { } both)
            {
                buffers = both;
                end++;
            }
            ReadOnlySpan<ChannelMapStep> part = steps.AsSpan(first, end - first);
            int channels = 0;
            bool plu = false;
            foreach (ChannelMapStep step in part)
            {
                channels = Math.Max(channels, step.Channels);
                plu |= step.Mixing == ChannelMixing.Plu;
            }
            yield return new ChannelMapBatch(first, end - first, channels, plu, buffers);
        }
    }

    /// <summary>The buffers of both, or null when they differ in one that both need.</summary>
    private static GpuBuffer?[]? Joined(GpuBuffer?[] some, GpuBuffer?[] others)
    {
        GpuBuffer?[] both = new GpuBuffer?[some.Length];
        for (int i = 0; i < both.Length; i++)
        {
            if (some[i] is not null && others[i] is not null && some[i] != others[i]) return null;
            both[i] = some[i] ?? others[i];
        }
        return both;
    }

    private static GpuBuffer?[] Buffers(ChannelMapStep step) =>
        Array.ConvertAll(Views(step), static v => v.IsNone ? null : (GpuBuffer)v.Buffer);

    /// <summary>In the order of <see cref="StepField"/>.</summary>
    private static View[] Views(ChannelMapStep step)
    {
        (ChannelMapParameters p, ChannelMapParameters g, ChannelMaps m) = (step.Parameters, step.Gradients, step.Maps);
        return
        [
            p.Bias, p.Logs, p.Weight, p.Lower, p.Upper, p.LogS,
            g.Bias, g.Logs, g.Weight, g.Lower, g.Upper, g.LogS,
            m.W, m.B, m.V, m.C, m.DW, m.DB,
        ];
    }

    private static IEnumerable<int> Constants(ChannelMapStep step) => step.Mixing switch
    {
        ChannelMixing.Dense => [],
        ChannelMixing.Plu => [.. step.Permutation, .. step.Sign.Select(static s => (int)s)],
        _ => step.Permutation,
    };
}
