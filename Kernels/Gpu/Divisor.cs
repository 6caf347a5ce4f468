using System.Numerics;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// Division of 0 ≤ n &lt; 2³¹ by a number that is known before the launch, as a multiplication and a shift: a GPU
/// divides integers in some twenty instructions, which a streaming kernel would spend on every vector.
/// </summary>
internal readonly struct Divisor
{
    private readonly uint factor;
    private readonly int shift;

    /// <summary>The divisor.</summary>
    public readonly int Value;

    /// <exception cref="ArgumentOutOfRangeException">The divisor is not positive.</exception>
    public Divisor(int value)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(value);
        Value = value;
        // ⌊2^(31+l)/d⌋ + 1 with 2^(l−1) < d ≤ 2^l exceeds 2^(31+l)/d by less than 2^l/d, which n < 2³¹ does not notice.
        shift = 31 + BitOperations.Log2((uint)value) + (BitOperations.IsPow2(value) ? 0 : 1);
        factor = (uint)((1UL << shift) / (uint)value + 1);
    }

    /// <summary>⌊n / d⌋.</summary>
    public readonly int Divide(int n) => (int)((uint)n * (ulong)factor >> shift);
}
