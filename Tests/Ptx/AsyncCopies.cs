using System.Numerics;

namespace GlowGpu.Tests.Ptx;

/// <summary>
/// The asynchronous copies of the lanes of a warp (<c>cp.async</c>). What is copied is taken when the copy starts; it
/// is not in shared memory before the lane has waited for it.
/// </summary>
internal sealed class AsyncCopies
{
    private readonly List<Copy>[] open = [.. Enumerable.Range(0, Warp.Lanes).Select(static _ => new List<Copy>())];
    private readonly Queue<List<Copy>>[] groups = [.. Enumerable.Range(0,
        Warp.Lanes).Select(static _ => new Queue<List<Copy>>())];

    private readonly record struct Copy(ulong Address, int Bytes, UInt128 Value);

    /// <summary>Forgets all copies.</summary>
    public void Clear()
    {
        foreach (List<Copy> copies in open) copies.Clear();
        foreach (Queue<List<Copy>> committed in groups) committed.Clear();
    }

    /// <summary>Starts a copy of so many bytes of <paramref name="value"/>.</summary>
    public void Start(Warp warp, int lane, ulong address, int bytes, UInt128 value)
    {
        warp.Group.Shared.Announce(warp, lane, address, bytes);
        open[lane].Add(new Copy(address, bytes, value));
    }

    /// <summary>Makes the copies started since the last commit a group.</summary>
    public void Commit(uint mask)
    {
        for (uint left = mask; left != 0; left &= left - 1)
        {
            int lane = BitOperations.TrailingZeroCount(left);
            groups[lane].Enqueue([.. open[lane]]);
            open[lane].Clear();
        }
    }

    /// <summary>Waits for all groups but the latest <paramref name="pending"/>.</summary>
    public void Wait(Warp warp, uint mask, int pending)
    {
        for (uint left = mask; left != 0; left &= left - 1)
        {
            int lane = BitOperations.TrailingZeroCount(left);
            while (groups[lane].Count > pending)
                foreach (Copy copy in groups[lane].Dequeue()) Finish(warp, lane, copy);
        }
    }

    /// <summary>Waits for all copies, committed or not.</summary>
    public void WaitAll(Warp warp, uint mask)
    {
        Commit(mask);
        Wait(warp, mask, 0);
    }

    private static void Finish(Warp warp, int lane, Copy copy)
    {
        Span<byte> bytes = stackalloc byte[16];
        BitConverter.TryWriteBytes(bytes, (ulong)copy.Value);
        BitConverter.TryWriteBytes(bytes[8..], (ulong)(copy.Value >> 64));
        warp.Group.Shared.Arrive(warp, lane, copy.Address, bytes[..copy.Bytes]);
    }
}
