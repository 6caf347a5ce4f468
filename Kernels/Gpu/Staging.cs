using ILGPU;
using ILGPU.Runtime;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// Many small dense views as one contiguous host array: one kernel per buffer they lie in gathers them on the device (or
/// scatters them back), and one transfer moves them all. The plan is kept while the same views are asked for.
/// </summary>
internal sealed class Staging : IDisposable
{
    private readonly GpuContext gpu;
    private readonly Kernel<Arguments> gather;
    private readonly Kernel<Arguments> scatter;
    private readonly List<View> views = [];
    private readonly List<Part> parts = [];
    private GpuBuffer? device;
    private float[] host = [];

    /// <summary>The views of one buffer: triples (offset in the buffer, offset in the staging area, length).</summary>
    private sealed record Part(GpuBuffer Buffer, MemoryBuffer1D<long, Stride1D.Dense> Segments, int Count);

    internal struct Arguments
    {
        public ArrayView<float> Buffer, Area;
        public ArrayView<long> Segments;
    }

    public Staging(GpuContext gpu, Kernels kernels)
    {
        this.gpu = gpu;
        (gather, scatter) = (kernels.Gather, kernels.Scatter);
    }

    /// <summary>The two kernels, declared once for all areas.</summary>
    internal sealed class Kernels(GpuContext gpu)
    {
        public Kernel<Arguments> Gather { get; } = gpu.Declare<Arguments>(Staging.Gather);

        public Kernel<Arguments> Scatter { get; } = gpu.Declare<Arguments>(Staging.Scatter);
    }

    /// <summary>The host array; view i begins at the sum of the lengths of those before it.</summary>
    public float[] Host => host;

    /// <summary>Lays the area out for these views; <see cref="View.None"/> takes no room.</summary>
    public void Arrange(IReadOnlyList<View> wanted)
    {
        if (views.SequenceEqual(wanted)) return;
        Release();
        views.AddRange(wanted);
        Dictionary<GpuBuffer, List<long>> segments = [];
        long length = 0;
        foreach (View view in wanted)
        {
            if (view.IsNone) continue;
            GpuBuffer buffer = (GpuBuffer)view.Buffer;
            if (!segments.TryGetValue(buffer, out List<long>? list)) segments[buffer] = list = [];
            list.AddRange([view.Offset, length, view.Count]);
            length += view.Count;
        }
        host = new float[length];
        device = new GpuBuffer(gpu, length);
        foreach ((GpuBuffer buffer, List<long> list) in segments)
        {
            MemoryBuffer1D<long, Stride1D.Dense> table = gpu.Accelerator.Allocate1D<long>(list.Count);
            table.View.CopyFromCPU(gpu.Stream, list.ToArray());
            parts.Add(new Part(buffer, table, list.Count / 3));
        }
    }

    /// <summary>Fills <see cref="Host"/> from the views; waits for the device.</summary>
    public void Download()
    {
        Launch(gather);
        device!.Read(0, host);
    }

    /// <summary>Fills the views from <see cref="Host"/>.</summary>
    public void Upload()
    {
        device!.Write(0, host);
        Launch(scatter);
    }

    public void Dispose() => Release();

    private void Release()
    {
        device?.Dispose();
        device = null;
        foreach (Part part in parts) part.Segments.Dispose();
        parts.Clear();
        views.Clear();
    }

    private void Launch(Kernel<Arguments> kernel)
    {
        foreach (Part part in parts)
        {
            kernel.Launch(new Index3D(part.Count, 1, 1), new Index3D(gpu.GroupSize, 1, 1), new()
            {
                Buffer = part.Buffer.Memory,
                Area = device!.Memory,
                Segments = part.Segments.View,
            });
        }
    }

    private static void Gather(Arguments arguments)
    {
        long from = arguments.Segments[3 * Grid.IdxX], to = arguments.Segments[3 * Grid.IdxX + 1];
        long length = arguments.Segments[3 * Grid.IdxX + 2];
        for (long i = Group.IdxX; i < length; i += Group.DimX) arguments.Area[to + i] = arguments.Buffer[from + i];
    }

    private static void Scatter(Arguments arguments)
    {
        long to = arguments.Segments[3 * Grid.IdxX], from = arguments.Segments[3 * Grid.IdxX + 1];
        long length = arguments.Segments[3 * Grid.IdxX + 2];
        for (long i = Group.IdxX; i < length; i += Group.DimX) arguments.Buffer[to + i] = arguments.Area[from + i];
    }
}
