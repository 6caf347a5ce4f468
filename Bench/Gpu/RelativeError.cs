using GlowGpu.Engine;

namespace GlowGpu.Bench.Gpu;

/// <summary>How far a measured result is from the right one.</summary>
internal static class RelativeError
{
    /// <summary>‖actual − expected‖ / ‖expected‖ over all elements.</summary>
    public static double Of(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected)
    {
        if (actual.Length != expected.Length)
            throw new ArgumentException($"error: {actual.Length} values cannot be compared with {expected.Length}");
        double difference = 0, size = 0;
        for (int i = 0; i < actual.Length; i++)
        {
            double d = (double)actual[i] - expected[i];
            difference += d * d;
            size += (double)expected[i] * expected[i];
        }
        return size > 0 ? Math.Sqrt(difference / size) : difference > 0 ? double.PositiveInfinity : 0;
    }

    /// <summary>Throws when an error exceeds what a precision allows, or is not a number.</summary>
    /// <exception cref="GlowException">It does.</exception>
    public static double Accept(string what, string precision, double error)
    {
        double allowed = PrecisionDevice.Tolerance(precision);
        return error <= allowed ? error
            : throw new GlowException($"{what}, {precision}: the result's relative error is {error:0.###e+0}; at "
            + $"most {allowed:0.###e+0} is allowed");
    }
}
