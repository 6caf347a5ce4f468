using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace GlowGpu.Kernels;

/// <summary>
/// Philox 4×32-10 (Salmon et al. 2011): a counter-based generator. A block of four 32-bit words is a pure function of a
/// 64-bit key and a 128-bit counter, so every device and every resumed run draws the same numbers. Integer arithmetic
/// only: usable inside kernels.
/// </summary>
public static class Philox
{
    private const uint M0 = 0xD2511F53, M1 = 0xCD9E8D57, W0 = 0x9E3779B9, W1 = 0xBB67AE85;

    /// <summary>
    /// The four words of block <paramref name="counter"/> (high 64 bits zero) under <paramref name="key"/>.
    /// </summary>
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

    /// <summary>
    /// Blocks <paramref name="counter"/> + i: first[i] has the first word below the second, second[i] the third below
    /// the fourth. Four at a time where the processor can.
    /// </summary>
    public static void Blocks(ulong key, ulong counter, Span<ulong> first, Span<ulong> second)
    {
        int i = 0;
        if (Avx2.IsSupported)
            for (; i + Vector256<ulong>.Count <= first.Length; i += Vector256<ulong>.Count)
            {
                (Vector256<ulong> a, Vector256<ulong> b) = FourBlocks(key,
                    Vector256.Create(counter + (ulong)i) + Vector256<ulong>.Indices);
                a.CopyTo(first[i..]);
                b.CopyTo(second[i..]);
            }
        for (; i < first.Length; i++)
        {
            (uint x0, uint x1, uint x2, uint x3) = Block(key, counter + (ulong)i);
            first[i] = x0 | (ulong)x1 << 32;
            second[i] = x2 | (ulong)x3 << 32;
        }
    }

    /// <summary>A word as a float32 in [0, 1): its upper 24 bits.</summary>
    // By way of int: the conversion of a uint would go through double, which a device may lack.
    public static float ToUnit(uint word) => (int)(word >> 8) * (1f / 16777216f);

    // A word in the lower half of each lane; the upper half is 0.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<ulong> First, Vector256<ulong> Second) FourBlocks(ulong key, Vector256<ulong> counter)
    {
        Vector256<uint> m0 = Vector256.Create((ulong)M0).AsUInt32(), m1 = Vector256.Create((ulong)M1).AsUInt32();
        Vector256<ulong> word = Vector256.Create((ulong)uint.MaxValue);
        uint k0 = (uint)key, k1 = (uint)(key >> 32);
        Vector256<ulong> c0 = counter & word, c1 = counter >>> 32, c2 = Vector256<ulong>.Zero, c3 = c2;
        for (int round = 0; round < 10; round++)
        {
            Vector256<ulong> p0 = Avx2.Multiply(m0, c0.AsUInt32()), p1 = Avx2.Multiply(m1, c2.AsUInt32());
            c0 = (p1 >>> 32) ^ c1 ^ Vector256.Create((ulong)k0);
            c2 = (p0 >>> 32) ^ c3 ^ Vector256.Create((ulong)k1);
            c1 = p1 & word;
            c3 = p0 & word;
            k0 += W0;
            k1 += W1;
        }
        return (c0 | c1 << 32, c2 | c3 << 32);
    }
}
