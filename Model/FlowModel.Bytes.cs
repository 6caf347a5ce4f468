using System.Runtime.Intrinsics;

namespace GlowGpu.Model;

public abstract partial class FlowModel
{
    /// <summary>clip(floor((x+½)·n_bins)·256/n_bins, 0, 255); 0 where x is not a number.</summary>
    public static byte[] ToBytes(ReadOnlySpan<float> x, int bits)
    {
        byte[] bytes = new byte[x.Length];
        ToBytes(x, bits, bytes);
        return bytes;
    }

    /// <summary>The same, into as many bytes as there are values.</summary>
    /// <exception cref="ArgumentException">There are not.</exception>
    public static void ToBytes(ReadOnlySpan<float> x, int bits, Span<byte> bytes)
    {
        if (bytes.Length != x.Length)
            throw new ArgumentException($"bytes: there is room for {bytes.Length}, but there are {x.Length} values",
            nameof(bytes));
        int i = 0;
        for (; i + Vector128<byte>.Count <= x.Length; i += Vector128<byte>.Count)
        {
            Vector256<ushort> values = Vector256.Narrow(ToValues(x[i..], bits),
                ToValues(x[(i + Vector256<int>.Count)..], bits)).AsUInt16();
            Vector128.Narrow(values.GetLower(), values.GetUpper()).CopyTo(bytes[i..]);
        }
        Span<float> rest = stackalloc float[Vector256<float>.Count];
        for (; i < x.Length; i += rest.Length)
        {
            ReadOnlySpan<float> last = x[i..Math.Min(i + rest.Length, x.Length)];
            last.CopyTo(rest);
            for (int k = 0; k < last.Length; k++) bytes[i + k] = (byte)ToValues(rest, bits)[k];
        }
    }

    // n_bins is a power of two, so x·n_bins is exact, and n_bins/2 is whole, so it may be added after the floor: x +
    // ½ could round up to the next bin.
    private static Vector256<int> ToValues(ReadOnlySpan<float> x, int bits)
    {
        const int Values = 256;
        int bins = 1 << bits;
        Vector256<float> value = Vector256.Create(x);
        Vector256<float> bin = Vector256.Floor(value * Vector256.Create((float)bins)) + Vector256.Create(bins / 2f);
        Vector256<float> whole = Vector256.MinNative(Vector256.MaxNative(
            bin * Vector256.Create((float)(Values >> bits)), Vector256<float>.Zero), Vector256.Create(Values - 1f));
        return Vector256.ConvertToInt32Native(Vector256.Equals(value, value) & whole);
    }
}
