namespace GlowGpu.Tests.Ptx;

/// <summary>A range of global memory that a kernel may touch.</summary>
internal readonly record struct MemoryRange(ulong Start, ulong End, string Name);

/// <summary>Global memory: the host's own, within the ranges that a launch was given.</summary>
internal sealed unsafe class GlobalMemory(IReadOnlyList<MemoryRange> ranges)
{
    private readonly MemoryRange[] ranges = [.. ranges];

    /// <summary>The bytes behind an address.</summary>
    /// <exception cref="PtxException">They are not within one range, or not aligned.</exception>
    public byte* Locate(ulong address, int bytes)
    {
        if (address % (ulong)bytes != 0)
            throw new PtxException($"global address 0x{address:x} is not aligned to {bytes} bytes");
        // Two blocks may share this object: moving the range found to the front would be a race of ours.
        foreach (ref readonly MemoryRange range in ranges.AsSpan())
            if (address >= range.Start && address + (ulong)bytes <= range.End) return (byte*)address;
        throw new PtxException($"global address 0x{address:x} ({bytes} bytes) lies outside all memory of the "
            + $"launch; {Nearest(address)}");
    }

    private string Nearest(ulong address)
    {
        if (ranges.Length == 0) return "it has none";
        MemoryRange nearest = ranges.MinBy(r => address < r.Start ? r.Start - address : address >= r.End
            ? address - r.End : 0);
        return address < nearest.Start
            ? $"{nearest.Name} starts {nearest.Start - address} bytes later"
            : $"{nearest.Name} ends {(long)(address - nearest.End)} bytes before";
    }
}
