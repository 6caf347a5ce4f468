using ILGPU;
using ILGPU.Runtime;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// A kernel of the backend. It takes all its arguments as one struct, so that declaring, launching and enumerating
/// kernels is the same for each. Compiled for the device on its first launch, then held.
/// </summary>
internal sealed class Kernel<TArguments>(GpuContext gpu, Action<TArguments> method, KernelDeclaration declaration)
    where TArguments : struct
{
    private Action<AcceleratorStream, KernelConfig, TArguments>? launcher;

    /// <summary>
    /// Queues the kernel over <paramref name="groups"/> groups of <paramref name="threads"/> threads, each group with
    /// <paramref name="sharedBytes"/> bytes of dynamic shared memory (0: as many as were declared).
    /// </summary>
    public void Launch(Index3D groups, Index3D threads, TArguments arguments, int sharedBytes = 0)
    {
        if (groups.Size == 0) return;
        // What is known of its registers and occupancy holds for the size that was declared.
        if (threads.Size > declaration.Threads)
            throw new InvalidOperationException($"{declaration.Name}: launched with {threads.Size} threads a group, "
                + $"declared for {declaration.Threads}");
        int dynamic = sharedBytes == 0 ? declaration.DynamicSharedBytes : sharedBytes;
        if (dynamic > declaration.DynamicSharedBytes)
            throw new InvalidOperationException($"{declaration.Name}: launched with {dynamic} bytes of dynamic "
                + $"shared memory, declared for {declaration.DynamicSharedBytes}");
        KernelConfig config = dynamic == 0
            ? new KernelConfig(groups, threads)
            : new KernelConfig(groups, threads, SharedMemoryConfig.RequestDynamic<byte>(dynamic));
        gpu.Accelerator.Bind();
        if (gpu.Recording is { } recording)
        {
            Record(recording, config, arguments);
            return;
        }
        launcher ??= gpu.Runner.Load(method);
        launcher(gpu.Stream, config, arguments);
    }

    /// <summary>
    /// Into a recording nothing may be loaded, and a launch that the driver refuses must not end the caller's work
    /// half-way: nothing of it has run, and it is to run again.
    /// </summary>
    private void Record(GraphRecorder recording, KernelConfig config, TArguments arguments)
    {
        if (launcher is null)
        {
            recording.Spoil("a kernel was not loaded yet");
            return;
        }
        try
        {
            launcher(gpu.Stream, config, arguments);
        }
        catch (AcceleratorException e)
        {
            recording.Spoil(e.Message);
        }
    }

    /// <summary>
    /// Queues a kernel that walks <paramref name="count"/> independent items with <see cref="GridStride"/>.
    /// </summary>
    public void ForEach(int count, TArguments arguments)
    {
        if (count == 0) return;
        int groups = Math.Min(GpuContext.CeilingDivide(count, gpu.GroupSize), gpu.MaxGroups);
        Launch(new Index3D(groups, 1, 1), new Index3D(gpu.GroupSize, 1, 1), arguments);
    }
}

/// <summary>How the threads of a launch share a list of items: each takes every Step-th one, from First on.</summary>
internal static class GridStride
{
    public static int First => Grid.IdxX * Group.DimX + Group.IdxX;

    public static int Step => Grid.DimX * Group.DimX;
}
