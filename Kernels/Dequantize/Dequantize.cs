namespace GlowGpu.Kernels;

/// <summary>Philox key and first block as four float32 in device memory, each with the bits of 32 of theirs.</summary>
public static class DequantizeNoise
{
    /// <summary>Values of it.</summary>
    public const int Length = 4;

    /// <summary>The bits of key and counter.</summary>
    public static void Set(Span<float> noise, ulong key, ulong counter)
    {
        noise[0] = BitConverter.UInt32BitsToSingle((uint)key);
        noise[1] = BitConverter.UInt32BitsToSingle((uint)(key >> 32));
        noise[2] = BitConverter.UInt32BitsToSingle((uint)counter);
        noise[3] = BitConverter.UInt32BitsToSingle((uint)(counter >> 32));
    }

    /// <summary>Key and counter.</summary>
    public static (ulong Key, ulong Counter) Get(ReadOnlySpan<float> noise) => (Word(noise[0], noise[1]),
        Word(noise[2], noise[3]));

    private static ulong Word(float low, float high) => BitConverter.SingleToUInt32Bits(low)
        | (ulong)BitConverter.SingleToUInt32Bits(high) << 32;
}

/// <summary>
/// Bytes to flow variables: <c>x = floor(v / 2^(8−bits)) / 2^bits − ½ + u / 2^bits</c>, u ~ U[0,1) from Philox, or u
/// = ½
/// everywhere. Every step is exact in float32 but the last addition, so all devices give the same bits.
/// </summary>
public interface IDequantize
{
    /// <summary>
    /// bytes <c>[R,C]</c> dense, values 0…255 held as floats → x <c>[R,C]</c> dense. Element i draws word i % 4 of
    /// Philox block
    /// <c>counter + i/4</c> under <paramref name="key"/> (<see cref="Philox"/>); with <paramref name="center"/>
    /// nothing is drawn. With <paramref name="noise"/> <c>[1,4]</c> (<see cref="DequantizeNoise"/>) key and counter
    /// are read from there when the work runs, not when it is queued.
    /// </summary>
    void Forward(View bytes, int bits, bool center, ulong key, ulong counter, View x, View noise = default);
}
