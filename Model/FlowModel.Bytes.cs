using System.Runtime.Intrinsics;

namespace GlowGpu.Model;

public abstract partial class FlowModel
{
    /// <summary>clip(floor((x+½)·n_bins)·256/n_bins, 0, 255); 0 where x is not a number.</summary>
    public static byte[] ToBytes(ReadOnlySpan<float> x, int bits)
    {
        byte[] bytes = new byte[x.Length];
        int i = 0;
        for (; i + Vector128<byte>.Count <= x.Length; i += Vector128<byte>.Count)
        {
            Vector256<ushort> values = Vector256.Narrow(ToValues(x[i..], bits), ToValues(x[(i + Vector256<int>.Count)..], bits)).AsUInt16();
            Vector128.Narrow(values.GetLower(), values.GetUpper()).CopyTo(bytes.AsSpan(i));
        }
        Span<float> rest = stackalloc float[Vector256<float>.Count];
        for (; i < x.Length; i += rest.Length)
        {
            ReadOnlySpan<float> last = x[i..Math.Min(i + rest.Length, x.Length)];
            last.CopyTo(rest);
            for (int k = 0; k < last.Length; k++) bytes[i + k] = (byte)ToValues(rest, bits)[k];
        }
        return bytes;
    }

    // In double: x + ½ must not round up to the next bin.
    private static Vector256<int> ToValues(ReadOnlySpan<float> x, int bits)
    {
        (Vector256<double> low, Vector256<double> high) = Vector256.Widen(Vector256.Create(x));
        return Vector256.ConvertToInt32(Vector256.Narrow(ToValue(low, bits), ToValue(high, bits)));
    }

    private static Vector256<double> ToValue(Vector256<double> x, int bits)
    {
        const int Values = 256;
        Vector256<double> bin = Vector256.Floor((x + Vector256.Create(0.5)) * Vector256.Create((double)(1 << bits)));
        Vector256<double> value = Vector256.Max(Vector256<double>.Zero, Vector256.Min(bin * Vector256.Create((double)(Values >> bits)), Vector256.Create(Values - 1.0)));
        return Vector256.ConditionalSelect(Vector256.Equals(x, x), value, Vector256<double>.Zero);
    }
}
