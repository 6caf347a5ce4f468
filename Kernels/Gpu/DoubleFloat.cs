using System.Runtime.CompilerServices;
using ILGPU;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// A number as the unevaluated sum of two float32, about 45 significant bits, for devices without double precision
/// (Dekker 1971; Knuth, TAOCP 2, section 4.2.2). Compilers may contract a product and a sum into one rounding, which
/// would break the exact error of a product; so the rounded product goes through an exclusive or with <c>opaque</c>,
/// a kernel argument that is 0 and that no compiler knows to be, and every other product is exact, being one of
/// 12-bit halves.
/// </summary>
internal readonly struct DoubleFloat(float hi, float lo)
{
    private const uint UpperHalf = 0xFFFFF000;

    /// <summary>The number rounded to float32.</summary>
    public readonly float Hi = hi;

    /// <summary>What rounding left over.</summary>
    public readonly float Lo = lo;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DoubleFloat Add(DoubleFloat x, DoubleFloat y)
    {
        float sum = x.Hi + y.Hi;
        float part = sum - x.Hi;
        float error = (x.Hi - (sum - part)) + (y.Hi - part);
        return Normalized(sum, error + (x.Lo + y.Lo));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DoubleFloat Subtract(DoubleFloat x, DoubleFloat y) => Add(x, new(-y.Hi, -y.Lo));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DoubleFloat Multiply(DoubleFloat x, DoubleFloat y, uint opaque)
    {
        float product = Interop.IntAsFloat(Interop.FloatAsInt(x.Hi * y.Hi) ^ opaque);
        float x1 = Interop.IntAsFloat(Interop.FloatAsInt(x.Hi) & UpperHalf), x0 = x.Hi - x1;
        float y1 = Interop.IntAsFloat(Interop.FloatAsInt(y.Hi) & UpperHalf), y0 = y.Hi - y1;
        float error = x1 * y1 - product;
        error += x1 * y0;
        error += x0 * y1;
        error += x0 * y0;
        error += x.Hi * y.Lo + x.Lo * y.Hi;
        return Normalized(product, error);
    }

    /// <summary>x / y: the rounded quotient and that of what it leaves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DoubleFloat Divide(DoubleFloat x, DoubleFloat y, uint opaque)
    {
        float quotient = x.Hi / y.Hi;
        DoubleFloat rest = Subtract(x, Multiply(new(quotient, 0f), y, opaque));
        return Normalized(quotient, rest.Hi / y.Hi);
    }

    /// <summary>The sum of a number and a much smaller one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static DoubleFloat Normalized(float large, float small)
    {
        float sum = large + small;
        return new(sum, small - (sum - large));
    }
}
