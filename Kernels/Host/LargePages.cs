using System.Runtime.InteropServices;

namespace GlowGpu.Kernels.Host;

/// <summary>
/// Memory for buffers that are smaller than a large page, side by side in blocks of a few large pages. A flow has
/// dozens of such buffers, packed weights above all, and walks through all of them in every pass: more small pages
/// than a core has translations of at hand.
/// </summary>
internal sealed unsafe class LargePages
{
    private const nuint Alignment = 64, BlockBytes = 4 * (nuint)Linux.HugePage;

    private static readonly Lock Gate = new();
    private static LargePages? open;
    private static int count;

    private readonly byte* start;
    private nuint used;
    private int users;

    private LargePages()
    {
        start = (byte*)NativeMemory.AlignedAlloc(BlockBytes, Linux.HugePage);
        Linux.AdviseHuge(start, BlockBytes);
        count++;
    }

    /// <summary>Blocks that are in use.</summary>
    public static int Count
    {
        get
        {
            lock (Gate) return count;
        }
    }

    /// <summary>
    /// Memory of arbitrary contents, aligned to a cache line, and the block that it is to be given back to.
    /// </summary>
    /// <exception cref="OutOfMemoryException">The system has no memory of that size left.</exception>
    public static (LargePages Block, nint Address) Take(nuint bytes)
    {
        bytes = (bytes + Alignment - 1) / Alignment * Alignment;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, BlockBytes);
        lock (Gate)
        {
            // What is left of a block that another follows stays unused: less than a buffer.
            if (open is null || open.used + bytes > BlockBytes) open = new LargePages();
            LargePages block = open;
            byte* at = block.start + block.used;
            block.used += bytes;
            block.users++;
            return (block, (nint)at);
        }
    }

    /// <summary>Gives one piece back; with the last one the block goes.</summary>
    public void Return()
    {
        lock (Gate)
        {
            if (--users > 0) return;
            if (open == this) open = null;
            NativeMemory.AlignedFree(start);
            count--;
        }
    }
}
