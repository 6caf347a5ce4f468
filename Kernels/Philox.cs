namespace GlowGpu.Kernels;

/// <summary>
/// Philox 4×32-10 (Salmon et al. 2011): a counter-based generator. A block of four 32-bit words is a pure function of a
/// 64-bit key and a 128-bit counter, so every device and every resumed run draws the same numbers. Integer arithmetic
/// only: usable inside kernels.
/// </summary>
public static class Philox
{
    private const uint M0 = 0xD2511F53, M1 = 0xCD9E8D57, W0 = 0x9E3779B9, W1 = 0xBB67AE85;

    /// <summary>The four words of block <paramref name="counter"/> (high 64 bits zero) under <paramref name="key"/>.</summary>
    public static (uint X0, uint X1, uint X2, uint X3) Block(ulong key, ulong counter)
    {
        uint k0 = (uint)key, k1 = (uint)(key >> 32);
        uint c0 = (uint)counter, c1 = (uint)(counter >> 32), c2 = 0, c3 = 0;
        for (int round = 0; round < 10; round++)
        {
            ulong p0 = (ulong)M0 * c0, p1 = (ulong)M1 * c2;
            uint n0 = (uint)(p1 >> 32) ^ c1 ^ k0, n2 = (uint)(p0 >> 32) ^ c3 ^ k1;
            c1 = (uint)p1;
            c3 = (uint)p0;
            c0 = n0;
            c2 = n2;
            k0 += W0;
            k1 += W1;
        }
        return (c0, c1, c2, c3);
    }

    /// <summary>A word as a float32 in [0, 1): its upper 24 bits.</summary>
    // By way of int: the conversion of a uint would go through double, which a device may lack.
    public static float ToUnit(uint word) => (int)(word >> 8) * (1f / 16777216f);
}
