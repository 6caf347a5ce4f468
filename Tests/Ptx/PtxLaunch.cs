using ILGPU;

namespace GlowGpu.Tests.Ptx;

/// <summary>One launch of a kernel: its grid, its parameters and the memory it may touch.</summary>
internal sealed class PtxLaunch
{
    // CUDA programming guide, technical specifications per compute capability.
    private const int LargestGroup = 1024;
    private const int StaticSharedLimit = 48 * 1024;

    public PtxLaunch(PtxProgram program, Index3D grid, Index3D group, int dynamicSharedBytes, int sharedLimit,
        byte[] parameters, IReadOnlyList<MemoryRange> memory)
    {
        if (group.Size is < 1 or > LargestGroup)
            throw new PtxException(
            $"{program.Kernel.Name}: a group of {group.Size} threads; a device has 1 to {LargestGroup}");
        if (grid.Size < 1 || grid.Y > 65535 || grid.Z > 65535)
            throw new PtxException($"{program.Kernel.Name}: a grid of {grid}; a device has at most 65535 in y and z");
        if (program.StaticSharedBytes > StaticSharedLimit) throw new PtxException($"{program.Kernel.Name}: "
            + $"{program.StaticSharedBytes} bytes of static shared memory; a kernel may declare {StaticSharedLimit}");
        if (dynamicSharedBytes > 0 && !program.UsesDynamicShared) throw new PtxException($"{program.Kernel.Name}: "
            + $"{dynamicSharedBytes} bytes of dynamic shared memory that the kernel does not declare");
        DynamicSharedBytes = dynamicSharedBytes;
        SharedBytes = program.StaticSharedBytes + dynamicSharedBytes;
        if (SharedBytes > sharedLimit)
            throw new PtxException(
            $"{program.Kernel.Name}: {SharedBytes} bytes of shared memory; the device has {sharedLimit}");
        if (parameters.Length != program.Kernel.ParameterBytes) throw new PtxException($"{program.Kernel.Name}: "
            + $"{parameters.Length} bytes of parameters; it declares {program.Kernel.ParameterBytes}");
        Program = program;
        Grid = grid;
        Group = group;
        Parameters = parameters;
        Global = new GlobalMemory(memory);
    }

    public PtxProgram Program { get; }

    public Index3D Grid { get; }

    public Index3D Group { get; }

    public int DynamicSharedBytes { get; }

    /// <summary>Static and dynamic.</summary>
    public int SharedBytes { get; }

    public byte[] Parameters { get; }

    public GlobalMemory Global { get; }

    /// <summary>Whether the cost of memory accesses is counted, which takes time.</summary>
    public bool CountsAccesses { get; init; }

    /// <summary>
    /// Runs all groups, on as many threads as asked, in no particular order. The counts of every instruction, in the
    /// order of the source.
    /// </summary>
    /// <exception cref="PtxException">The kernel did what is not defined.</exception>
    public Counts[] Run(int threads)
    {
        Counts[] total = new Counts[Program.CountSlots];
        long next = 0;
        threads = (int)Math.Min(threads, Grid.Size);
        Exception? failure = null;
        void Work()
        {
            using ThreadGroup group = new(this);
            try
            {
                for (long i; Volatile.Read(ref failure) is null
                    && (i = Interlocked.Increment(ref next) - 1) < Grid.Size;)
                    group.Run((int)(i % Grid.X), (int)(i / Grid.X % Grid.Y), (int)(i / Grid.X / Grid.Y));
            }
            catch (PtxException e)
            {
                Interlocked.CompareExchange(ref failure, e, null);
            }
            lock (total)
                for (int i = 0; i < total.Length; i++) total[i].Add(group.Counts[i]);
        }
        if (threads <= 1) Work();
        else Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, _ => Work());
        return failure is null ? total
            : throw new PtxException(failure.Message) { Line = ((PtxException)failure).Line };
    }
}
