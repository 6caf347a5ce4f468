namespace GlowGpu.Kernels;

/// <summary>
/// Bytes to flow variables: <c>x = floor(v / 2^(8−bits)) / 2^bits − ½ + u / 2^bits</c>, u ~ U[0,1) from Philox, or u = ½
/// everywhere. Every step is exact in float32 but the last addition, so all devices give the same bits.
/// </summary>
public interface IDequantize
{
    /// <summary>
    /// bytes <c>[R,C]</c> dense, values 0…255 held as floats → x <c>[R,C]</c> dense. Element i draws word i % 4 of Philox block
    /// <c>counter + i/4</c> under <paramref name="key"/> (<see cref="Philox"/>); with <paramref name="center"/> nothing is drawn.
    /// </summary>
    void Forward(View bytes, int bits, bool center, ulong key, ulong counter, View x);
}
