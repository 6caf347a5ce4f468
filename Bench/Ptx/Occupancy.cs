namespace GlowGpu.Bench.Ptx;

/// <summary>
/// How many groups of a kernel a multiprocessor holds at once, by the limits that the CUDA C++ programming guide
/// documents for a compute capability (technical specifications): what registers, shared memory and threads allow,
/// not what a launch fills.
/// </summary>
/// <param name="Groups">groups a multiprocessor</param>
/// <param name="Warps">warps a multiprocessor</param>
/// <param name="Limit">what runs out first</param>
internal sealed record Occupancy(int Groups, int Warps, string Limit)
{
    private const int WarpSize = 32;
    private const int MaxWarps = 64;
    private const int MaxGroups = 32;
    private const int Registers = 65536;
    private const int MaxThreadRegisters = 255;

    // Registers are handed out to a warp in blocks of 256, and warps are counted in fours, one for each scheduler.
    private const int RegisterUnit = 256;
    private const int WarpUnit = 4;

    // Shared memory is handed out in blocks of 128 bytes; the system keeps 1 KiB for itself in each group.
    private const int SharedUnit = 128;
    private const int SharedReserve = 1024;

    /// <summary>Share of the warps that a multiprocessor can hold.</summary>
    public double Share => (double)Warps / MaxWarps;

    /// <summary>That of a kernel.</summary>
    /// <param name="capability">compute capability times ten, 80 or 90</param>
    /// <param name="threads">threads a group</param>
    /// <param name="registers">registers a thread</param>
    /// <param name="sharedBytes">shared memory a group, declared and dynamic</param>
    /// <exception cref="ArgumentException">No such group fits, or the capability's limits are not known
    /// here.</exception>
    public static Occupancy Of(int capability, int threads, int registers, int sharedBytes)
    {
        int sharedTotal = 1024 * capability switch
        {
            80 => 164,
            90 => 228,
            _ => throw new ArgumentException(
                $"occupancy: the limits of compute capability {capability} are not known; 80 and 90 are"),
        };
        int warps = Up(threads, WarpSize) / WarpSize;
        int warpRegisters = Up(Math.Max(registers, 1) * WarpSize, RegisterUnit);
        (int Groups, string Limit)[] limits =
        [
            (MaxWarps / warps, "warps"),
            (MaxGroups, "groups"),
            (registers > MaxThreadRegisters ? 0 : Registers / warpRegisters / WarpUnit * WarpUnit / warps, "registers"),
            (sharedTotal / Up(sharedBytes + SharedReserve, SharedUnit), "shared"),
        ];
        (int groups, string limit) = limits.MinBy(static l => l.Groups);
        if (groups == 0)
            throw new ArgumentException($"occupancy: no group of {threads} threads with {registers} registers each "
                + $"and {sharedBytes} bytes of shared memory fits sm_{capability}: {limit}");
        return new Occupancy(groups, groups * warps, limit);
    }

    private static int Up(int value, int unit) => (value + unit - 1) / unit * unit;
}
