namespace GlowGpu.Tests.Ptx;

/// <summary>
/// Counts what an access of a warp costs the memory: passes over the 32 banks of shared memory, sectors of global
/// memory.
/// </summary>
internal static class AccessCounts
{
    private const int Banks = 32;
    private const int WordBytes = 4;
    private const int SectorBytes = 32;

    /// <summary>
    /// Passes over shared memory, and how many there would be without conflicts: lanes of up to 4 bytes are served in
    /// one, 8 bytes in two half warps, 16 in four quarters. Lanes that read the same word share it.
    /// </summary>
    public static (int Wavefronts, int Ideal) Shared(ReadOnlySpan<ulong> addresses, uint mask, int bytes)
    {
        int phases = Math.Max(bytes / WordBytes, 1), lanes = Warp.Lanes / phases;
        int words = Math.Max(bytes / WordBytes, 1), total = 0, ideal = 0;
        Span<ulong> seen = stackalloc ulong[Warp.Lanes];
        Span<int> perBank = stackalloc int[Banks];
        for (int phase = 0; phase < phases; phase++)
        {
            int count = 0, worst = 0;
            perBank.Clear();
            for (int lane = phase * lanes; lane < (phase + 1) * lanes; lane++)
            {
                if ((mask >> lane & 1) == 0) continue;
                for (int w = 0; w < words; w++)
                {
                    ulong word = addresses[lane] / WordBytes + (ulong)w;
                    int bank = (int)(word % Banks);
                    if (perBank[bank] > 0 && seen[..count].Contains(word)) continue;
                    seen[count++] = word;
                    worst = Math.Max(worst, ++perBank[bank]);
                }
            }
            total += worst;
            ideal += worst == 0 ? 0 : 1;
        }
        return (total, ideal);
    }

    /// <summary>Sectors of global memory touched, and the fewest that the distinct bytes fill.</summary>
    public static (int Sectors, int Ideal) Global(ReadOnlySpan<ulong> addresses, uint mask, int bytes)
    {
        Span<ulong> sectors = stackalloc ulong[Warp.Lanes], distinct = stackalloc ulong[Warp.Lanes];
        int sectorCount = 0, distinctCount = 0;
        ulong largestSector = 0, largest = 0;
        for (int lane = 0; lane < Warp.Lanes; lane++)
        {
            if ((mask >> lane & 1) == 0) continue;
            AddDistinct(distinct, ref distinctCount, ref largest, addresses[lane]);
            AddDistinct(sectors, ref sectorCount, ref largestSector, addresses[lane] / SectorBytes);
        }
        return (sectorCount, (distinctCount * bytes + SectorBytes - 1) / SectorBytes);
    }

    private static void AddDistinct(Span<ulong> seen, ref int count, ref ulong largest, ulong value)
    {
        if (count > 0 && value <= largest && seen[..count].Contains(value)) return;
        seen[count++] = value;
        largest = Math.Max(largest, value);
    }
}
