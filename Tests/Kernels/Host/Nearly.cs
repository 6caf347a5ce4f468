using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Host;

/// <summary>Arrays of numbers that should agree: one assertion, which names the worst element.</summary>
internal static class Nearly
{
    /// <summary>|got − expected| ≤ tolerance for every element; a NaN fails.</summary>
    public static void Equal(string name, ReadOnlySpan<double> got, ReadOnlySpan<double> expected, double tolerance)
    {
        Assert.That(got.Length, Is.EqualTo(expected.Length), name);
        int worst = -1;
        double error = tolerance;
        for (int i = 0; i < got.Length; i++)
        {
            double e = Math.Abs(got[i] - expected[i]);
            if (!(e <= error)) (worst, error) = (i, e);
            if (double.IsNaN(e)) break;
        }
        if (worst >= 0)
            Assert.Fail($"{name}[{worst}] of {got.Length}: got {got[worst]:R}, expected {expected[worst]:R} within "
                + $"{tolerance:0.0e+0}");
    }

    /// <summary>The same for float32 results.</summary>
    public static void Equal(string name, float[] got, ReadOnlySpan<double> expected, double tolerance) =>
        Equal(name, Array.ConvertAll(got, static v => (double)v), expected, tolerance);

    /// <summary>The identity of n × n.</summary>
    public static double[] Identity(int n)
    {
        double[] one = new double[n * n];
        for (int i = 0; i < n; i++) one[i * n + i] = 1;
        return one;
    }
}
