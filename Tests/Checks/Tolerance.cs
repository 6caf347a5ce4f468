using System.Globalization;
using NUnit.Framework;

namespace GlowGpu.Tests.Checks;

/// <summary>
/// Comparison of float results with double references. An element may be off by <c>relative · (|expected| + rms)</c>,
/// rms being the root mean square of the expected tensor: rounding errors of a sum grow with its terms, not with its
/// result.
/// A failure names tensor, index, expected, got and tolerance.
/// </summary>
public static class Tolerance
{
    /// <summary>Unit roundoff of float32.</summary>
    public const double Ulp = 1.0 / (1 << 24);

    /// <summary>Every element within its tolerance; NaN never is.</summary>
    public static void Close(string tensor, ReadOnlySpan<float> got, ReadOnlySpan<double> expected,
        double relative, params int[] shape)
    {
        double[] wide = new double[got.Length];
        for (int i = 0; i < wide.Length; i++) wide[i] = got[i];
        Close(tensor, wide, expected, relative, shape);
    }

    /// <summary>Every element within its tolerance; NaN never is.</summary>
    public static void Close(string tensor, ReadOnlySpan<double> got, ReadOnlySpan<double> expected,
        double relative, params int[] shape)
    {
        Assert.That(got.Length, Is.EqualTo(expected.Length), $"{tensor}: number of elements");
        double rms = Rms(expected);
        int bad = 0, first = -1, worst = -1;
        double worstRatio = 0;
        for (int i = 0; i < got.Length; i++)
        {
            double error = Math.Abs(got[i] - expected[i]);
            double allowed = relative * (Math.Abs(expected[i]) + rms);
            if (error <= allowed) continue;
            bad++;
            if (first < 0) first = i;
            double ratio = double.IsFinite(error) && allowed > 0 ? error / allowed : double.PositiveInfinity;
            if (worst >= 0 && ratio <= worstRatio) continue;
            worst = i;
            worstRatio = ratio;
        }
        if (bad == 0) return;
        Assert.Fail($"{bad} of {got.Length} elements differ; first "
            + $"{Describe(tensor, first, got, expected, relative, rms, shape)}; "
            + $"worst {Describe(tensor, worst, got, expected, relative, rms, shape)}");
    }

    /// <summary>One value within <c>relative · max(|expected|, scale)</c>.</summary>
    public static void Close(string name, double got, double expected, double relative, double scale = 0)
    {
        double allowed = relative * Math.Max(Math.Abs(expected), scale);
        if (!(Math.Abs(got - expected) <= allowed))
            Assert.Fail($"{name}: expected {Text(expected)}, got {Text(got)}, tolerance {Text(allowed)}");
    }

    /// <summary>Equal bit for bit (NaN equals the same NaN).</summary>
    public static void SameBits(string tensor, ReadOnlySpan<float> got, ReadOnlySpan<float> expected,
        params int[] shape)
    {
        Assert.That(got.Length, Is.EqualTo(expected.Length), $"{tensor}: number of elements");
        for (int i = 0; i < got.Length; i++)
        {
            if (BitConverter.SingleToInt32Bits(got[i]) == BitConverter.SingleToInt32Bits(expected[i])) continue;
            Assert.Fail($"{tensor}{Index(i, shape)}: expected {Text(expected[i])} "
                + $"(0x{BitConverter.SingleToInt32Bits(expected[i]):X8}), "
                + $"got {Text(got[i])} (0x{BitConverter.SingleToInt32Bits(got[i]):X8}); the bits must agree");
        }
    }

    /// <summary>Root mean square.</summary>
    public static double Rms(ReadOnlySpan<double> values)
    {
        double sum = 0;
        foreach (double v in values) sum += v * v;
        return values.Length == 0 ? 0 : Math.Sqrt(sum / values.Length);
    }

    /// <summary><c>[i,j,…]</c> of a flat index.</summary>
    public static string Index(int flat, int[] shape)
    {
        if (shape.Length == 0) return $"[{flat}]";
        int[] index = new int[shape.Length];
        for (int d = shape.Length - 1; d >= 0; d--) (flat, index[d]) = (flat / shape[d], flat % shape[d]);
        return $"[{string.Join(",", index)}]";
    }

    private static string Describe(string tensor, int i, ReadOnlySpan<double> got, ReadOnlySpan<double> expected,
        double relative, double rms, int[] shape) =>
        $"{tensor}{Index(i, shape)}: expected {Text(expected[i])}, got {Text(got[i])}, "
        + $"tolerance {Text(relative * (Math.Abs(expected[i]) + rms))}";

    private static string Text(double value) => value.ToString("G9", CultureInfo.InvariantCulture);
}
