using System.Runtime.CompilerServices;
using ILGPU;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// Elementary functions in float32 that give the same result, to rounding, on every device: argument reduction and a
/// minimax polynomial, no hardware approximations, no double precision. Errors stay below 3 ulp; extremes, infinities
/// and NaN come out as IEEE 754 has them.
/// </summary>
internal static class GpuMath
{
    // ln 2 in two parts: the first has ten significant bits, so that its products with an exponent are exact.
    private const float Ln2High = 0.693359375f;
    private const float Ln2Low = -2.12194440e-4f;
    private const float Log2E = 1.44269504f;
    private const float Sqrt2 = 1.41421356f;
    private const float SmallestNormal = 1.17549435e-38f;

    /// <summary>e^x; 0 below −104, infinite above 88.73.</summary>
    public static float Exp(float x)
    {
        float t = x < -104f ? -104f : x;
        t = t > 89f ? 89f : t;
        int k = (int)(t * Log2E + (t < 0f ? -0.5f : 0.5f));
        float r = t - k * Ln2High;
        r -= k * Ln2Low;
        float p = 0.00139411088f;
        p = p * r + 0.00836317524f;
        p = p * r + 0.0416663753f;
        p = p * r + 0.16666577f;
        p = p * r + 0.500000003f;
        p = p * r * r + r + 1f;

        // In two factors: 2^k itself may lie beyond the normal numbers where the product does not.
        int half = k >> 1;
        return p * PowerOfTwo(half) * PowerOfTwo(k - half);
    }

    /// <summary>ln x; −∞ at 0, NaN below.</summary>
    public static float Log(float x)
    {
        bool subnormal = x < SmallestNormal;
        int bits = (int)Interop.FloatAsInt(subnormal ? x * 8388608f : x);
        int exponent = (bits >> 23) - (subnormal ? 150 : 127);
        float mantissa = Interop.IntAsFloat((uint)((bits & 0x7FFFFF) | 0x3F800000));
        if (mantissa > Sqrt2)
        {
            mantissa *= 0.5f;
            exponent++;
        }
        float f = mantissa - 1f;
        float z = f * f;
        float p = 0.0733244917f;
        p = p * f - 0.116598824f;
        p = p * f + 0.116346713f;
        p = p * f - 0.123967083f;
        p = p * f + 0.142511556f;
        p = p * f - 0.166691506f;
        p = p * f + 0.200006881f;
        p = p * f - 0.249999812f;
        p = p * f + 0.333333313f;
        float y = p * f * z + exponent * Ln2Low - 0.5f * z;
        float result = f + y + exponent * Ln2High;
        if (x > 0f) return x < float.PositiveInfinity ? result : x;
        return x == 0f ? float.NegativeInfinity : float.NaN;
    }

    /// <summary>ln(1 + x) for x ≥ 0, accurate to rounding for small x too.</summary>
    public static float Log1P(float x)
    {
        float u = 1f + x;
        // ln(u)·x/(u − 1) makes up for what rounding u lost.
        return u == 1f ? x : Log(u) * (x / (u - 1f));
    }

    /// <summary>1/(1 + e^−x).</summary>
    public static float Sigmoid(float x)
    {
        float e = Exp(-IntrinsicMath.Abs(x));
        float d = 1f / (1f + e);
        return x < 0f ? e * d : d;
    }

    /// <summary>ln(1 + e^x).</summary>
    public static float Softplus(float x) => (x < 0f ? 0f : x) + Log1P(Exp(-IntrinsicMath.Abs(x)));

    /// <summary>ln sigmoid(x).</summary>
    public static float LogSigmoid(float x) => -Softplus(-x);

    /// <summary>tanh x.</summary>
    public static float Tanh(float x)
    {
        float magnitude = IntrinsicMath.Abs(x);
        if (magnitude < 0.625f)
        {
            float s = x * x;
            float p = -0.00611319218f;
            p = p * s + 0.021010082f;
            p = p * s - 0.05385407f;
            p = p * s + 0.133327945f;
            p = p * s - 0.333333292f;
            return p * s * x + x;
        }
        float e = Exp(-2f * magnitude);
        float t = (1f - e) / (1f + e);
        return x < 0f ? -t : t;
    }

    /// <summary>False for NaN and infinities.</summary>
    public static bool IsFinite(float x) => IntrinsicMath.Abs(x) <= float.MaxValue;

    /// <summary>True for NaN alone.</summary>
    public static bool IsNaN(float x) => !(x <= float.PositiveInfinity);

    /// <summary>2^n, −126 ≤ n ≤ 127.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float PowerOfTwo(int n) => Interop.IntAsFloat((uint)(n + 127) << 23);
}
