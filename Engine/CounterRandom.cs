using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Text;
using GlowGpu.Kernels;

namespace GlowGpu.Engine;

/// <summary>
/// A stream of random numbers over <see cref="Philox"/>. Its whole state is a key and the number of the next block,
/// so a resumed run continues where it stopped and any part of a stream can be drawn on its own. Every call starts at
/// a fresh block. Streams of different seeds or purposes are independent.
/// </summary>
public sealed class CounterRandom(ulong key, ulong counter = 0)
{
    // Pairs of normal values made at once, a multiple of every vector's length.
    private const int Pairs = 64;

    /// <summary>The stream of a seed for one purpose, e.g. <c>"dequantize"</c>.</summary>
    public CounterRandom(ulong seed, string purpose) : this(DeriveKey(seed, purpose)) { }

    /// <summary>Philox key.</summary>
    public ulong Key { get; } = key;

    /// <summary>Number of the next unused block of four words.</summary>
    public ulong Counter { get; set; } = counter;

    /// <summary>The Philox key of a seed for one purpose.</summary>
    public static ulong DeriveKey(ulong seed, string purpose)
    {
        // FNV-1a tells purposes apart; Philox itself mixes in the seed, so that near seeds give unrelated keys.
        ulong hash = 0xCBF29CE484222325;
        foreach (byte b in Encoding.UTF8.GetBytes(purpose)) hash = (hash ^ b) * 0x100000001B3;
        (uint x0, uint x1, _, _) = Philox.Block(hash, seed);
        return x0 | (ulong)x1 << 32;
    }

    /// <summary>Blocks that <see cref="Uniform"/> consumes for so many values.</summary>
    public static ulong UniformBlocks(long count) => (ulong)((count + 3) / 4);

    /// <summary>Blocks that <see cref="Normal"/> consumes for so many values.</summary>
    public static ulong NormalBlocks(long count) => (ulong)((count + 1) / 2);

    /// <summary>Fills with U[0,1), multiples of 2⁻²⁴; value i is word i % 4 of block <c>Counter + i/4</c>.</summary>
    public void Uniform(Span<float> target)
    {
        for (int i = 0; i < target.Length; i += 4)
        {
            (uint x0, uint x1, uint x2, uint x3) = Philox.Block(Key, Counter++);
            target[i] = Philox.ToUnit(x0);
            if (i + 1 < target.Length) target[i + 1] = Philox.ToUnit(x1);
            if (i + 2 < target.Length) target[i + 2] = Philox.ToUnit(x2);
            if (i + 3 < target.Length) target[i + 3] = Philox.ToUnit(x3);
        }
    }

    /// <summary>
    /// Fills with N(0, <paramref name="deviation"/>²): Box &amp; Muller (1958) in double, two values a block, 53-bit
    /// uniforms, so that the tails reach beyond 8 standard deviations.
    /// </summary>
    public void Normal(Span<float> target, double deviation = 1)
    {
        Span<ulong> first = stackalloc ulong[Pairs], second = stackalloc ulong[Pairs];
        Span<float> last = stackalloc float[Vector256<float>.Count];
        first.Clear();
        second.Clear();
        while (!target.IsEmpty)
        {
            int pairs = Math.Min(Pairs, (target.Length + 1) / 2);
            Philox.Blocks(Key, Counter, first[..pairs], second[..pairs]);
            Counter += (ulong)pairs;
            for (int i = 0; i < pairs; i += Vector256<double>.Count)
            {
                Vector256<float> values = BoxMuller(ToUnit(Vector256.Create<ulong>(first[i..])),
                    ToUnit(Vector256.Create<ulong>(second[i..])), deviation);
                int count = Math.Min(Vector256<float>.Count, target.Length);
                if (count == Vector256<float>.Count) values.CopyTo(target);
                else
                {
                    values.CopyTo(last);
                    last[..count].CopyTo(target);
                }
                target = target[count..];
            }
        }
    }

    /// <summary>A uniform integer in [0, <paramref name="bound"/>), without bias.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The bound is zero.</exception>
    public uint Below(uint bound)
    {
        ArgumentOutOfRangeException.ThrowIfZero(bound);
        // Words below 2^32 mod bound would make the small results likelier: draw again.
        uint reject = (0u - bound) % bound;
        while (true)
        {
            (uint x0, uint x1, uint x2, uint x3) = Philox.Block(Key, Counter++);
            if (x0 >= reject) return x0 % bound;
            if (x1 >= reject) return x1 % bound;
            if (x2 >= reject) return x2 % bound;
            if (x3 >= reject) return x3 % bound;
        }
    }

    /// <summary>A uniformly drawn order of 0 … <paramref name="count"/> − 1 (Fisher &amp; Yates).</summary>
    public int[] Permutation(int count)
    {
        int[] order = new int[count];
        Permutation(order);
        return order;
    }

    /// <summary>The same, into an array that is there already.</summary>
    public void Permutation(Span<int> order)
    {
        for (int i = 0; i < order.Length; i++)
        {
            int j = (int)Below((uint)i + 1);
            order[i] = order[j];
            order[j] = i;
        }
    }

    /// <summary>Four pairs of N(0, deviation²), each pair side by side.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> BoxMuller(Vector256<double> u, Vector256<double> v, double deviation)
    {
        // 1 − u lies in (0, 1]: the logarithm is finite.
        Vector256<double> log = Vector256.Log(Vector256<double>.One - u);
        Vector256<double> radius = Vector256.Create(deviation) * Vector256.Sqrt(Vector256.Create(-2.0) * log);
        (Vector256<double> sin, Vector256<double> cos) = Vector256.SinCos(Vector256.Create(2 * Math.PI) * v);
        return Vector256.Shuffle(Vector256.Narrow(radius * cos, radius * sin),
            Vector256.Create(0, 4, 1, 5, 2, 6, 3, 7));
    }

    /// <summary>Their upper 53 bits as a number in [0, 1).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<double> ToUnit(Vector256<ulong> words) =>
        Vector256.ConvertToDouble(words >>> 11) * Vector256.Create(1.0 / (1UL << 53));
}
