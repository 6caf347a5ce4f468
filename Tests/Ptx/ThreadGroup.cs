using ILGPU;

namespace GlowGpu.Tests.Ptx;

/// <summary>A group of threads (CTA): its warps, its shared memory, its barriers.</summary>
internal sealed class ThreadGroup : IDisposable
{
    // No kernel of ours comes near it; one that does would never end.
    private const long LongestLoop = 200_000_000;

    private readonly Warp[] warps;
    private readonly AsyncCopies[] copies;
    private readonly PtxLaunch launch;
    private long iterations;

    public ThreadGroup(PtxLaunch launch)
    {
        this.launch = launch;
        Threads = launch.Group;
        Shared = new SharedMemory(this, launch.SharedBytes);
        Counts = new Counts[launch.Program.CountSlots];
        warps = [.. Enumerable.Range(0, (Threads.Size + Warp.Lanes - 1) / Warp.Lanes)
            .Select(i => new Warp(launch.Program, this, i))];
        copies = [.. warps.Select(static _ => new AsyncCopies())];
    }

    public int X { get; private set; }

    public int Y { get; private set; }

    public int Z { get; private set; }

    /// <summary>Threads in each dimension.</summary>
    public Index3D Threads { get; }

    /// <summary>Groups in each dimension.</summary>
    public Index3D Grid => launch.Grid;

    public int DynamicSharedBytes => launch.DynamicSharedBytes;

    public SharedMemory Shared { get; }

    public GlobalMemory Global => launch.Global;

    /// <summary>The bytes of the kernel's parameters.</summary>
    public ReadOnlySpan<byte> Parameters => launch.Parameters;

    /// <summary>Number of barriers passed.</summary>
    public int Epoch { get; private set; }

    /// <summary>By instruction, over all groups that ran here.</summary>
    public Counts[] Counts { get; }

    public AsyncCopies Copies(Warp warp) => copies[warp.Index];

    /// <summary>Runs one group of the grid to its end.</summary>
    public void Run(int x, int y, int z)
    {
        (X, Y, Z) = (x, y, z);
        Epoch = 0;
        iterations = 0;
        Shared.Clear();
        for (int i = 0; i < warps.Length; i++)
        {
            copies[i].Clear();
            warps[i].Start(Threads.Size - i * Warp.Lanes);
        }
        while (true)
        {
            Warp? first = null;
            foreach (Warp warp in warps)
            {
                if (warp.Run() != WarpStop.Barrier) continue;
                first ??= warp;
                Check(warp, first);
            }
            if (first is null) return;
            Epoch++;
            foreach (Warp warp in warps) warp.Release();
        }
    }

    /// <summary>Counts a jump backwards.</summary>
    /// <exception cref="PtxException">There have been too many for a kernel that ends.</exception>
    public void CountIteration(Operation operation)
    {
        if (++iterations > LongestLoop)
            throw new PtxException($"'{operation.Source}' (line {operation.Source?.Line}): the kernel does not end") { Line = operation.Source?.Line ?? -1 };
    }

    /// <summary>Counts what an access costs, if the launch counts.</summary>
    public void CountAccess(Operation operation, Space space, ReadOnlySpan<ulong> addresses, uint mask, int bytes)
    {
        if (!launch.CountsAccesses || mask == 0) return;
        bool isShared = space == Space.Shared || (space == Space.Generic
            && addresses[System.Numerics.BitOperations.TrailingZeroCount(mask)] >= SharedMemory.Window);
        ref Counts counts = ref Counts[operation.Index];
        if (isShared)
        {
            (int wavefronts, int ideal) = AccessCounts.Shared(addresses, mask, bytes);
            counts.Wavefronts += wavefronts;
            counts.IdealWavefronts += ideal;
        }
        else
        {
            (int sectors, int ideal) = AccessCounts.Global(addresses, mask, bytes);
            counts.Sectors += sectors;
            counts.IdealSectors += ideal;
        }
    }

    private void Check(Warp warp, Warp first)
    {
        GroupBarrier barrier = warp.Barrier;
        if (barrier.Id != first.Barrier.Id)
            throw warp.Fault(barrier, $"warp {first.Index} waits at barrier {first.Barrier.Id} "
                + $"('{first.Barrier.Source}', line {first.Barrier.Source?.Line})");
        if (barrier.Count != 0 && barrier.Count != Threads.Size)
            throw warp.Fault(barrier, "barriers of a part of the group are not known to the PTX machine");
    }

    public void Dispose()
    {
        foreach (Warp warp in warps) warp.Dispose();
        Shared.Dispose();
    }
}
