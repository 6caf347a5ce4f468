using System.Globalization;
using NUnit.Framework;

namespace GlowGpu.Tests.Checks;

/// <summary>How often a loss may be differentiated.</summary>
public enum Smoothness
{
    /// <summary>Everywhere: the rest must fall by four.</summary>
    Smooth,

    /// <summary>
    /// Pieces meet in kinks (ReLU). A step across one leaves a rest of its own, so that there is no order to measure;
    /// the central difference, whose step is too small to meet one, decides alone.
    /// </summary>
    Kinked,
}

/// <summary>
/// A gradient against the function it belongs to, by order of convergence. g is the float gradient under test, f the
/// double reference; along random directions v
/// <list type="bullet">
/// <item>the central difference (f(x + hv) − f(x − hv))/2h must agree with g·v, and</item>
/// <item>|f(x + hv) − f(x) − h·g·v| must fall as h²: at least by about four whenever h is halved. A wrong gradient
/// leaves a term in h.</item>
/// </list>
/// A sum over all elements weights each with its own random factor, so one wrong element shows; on failure every
/// element is differenced on its own, and the worst is named.
/// </summary>
public static class GradientCheck
{
    private const int Directions = 3;
    private const double CentralStep = 1e-6;
    private const double Coarsest = 1.0 / 8;
    private const int MaxHalvings = 18;

    /// <summary>
    /// Checks one argument's gradient. <paramref name="f"/> is the loss as a function of that argument alone;
    /// <paramref name="relative"/> is the error allowed to g·v in units of |g|·|v|/√n, the size of a typical g·v.
    /// </summary>
    public static void Check(string argument, Func<double[], double> f, double[] x, float[] gradient, double relative,
        Smoothness smoothness = Smoothness.Smooth)
    {
        Assert.That(gradient, Has.Length.EqualTo(x.Length), $"{argument}: number of gradient elements");
        double norm = Math.Sqrt(gradient.Sum(static g => (double)g * g));
        if (!double.IsFinite(norm)) Assert.Fail($"{argument}: gradient is not finite{FirstNonFinite(gradient)}");
        double f0 = f(x);
        // What the difference quotient itself cannot resolve.
        double resolution = 1e-14 * (Math.Abs(f0) + 1) / CentralStep;
        for (int d = 0; d < Directions; d++)
        {
            double[] v = new Draw(7919 * d + x.Length).Normal(x.Length).Wide();
            double slope = 0;
            for (int i = 0; i < v.Length; i++) slope += gradient[i] * v[i];
            double allowed = relative * norm + resolution;
            if (smoothness == Smoothness.Smooth && OrderFailure(f, f0, x, v, slope, allowed) is { } failure)
                Assert.Fail($"{argument}: along direction {d} {failure}{WorstElement(argument, f, x, gradient)}");
            double central = (f(Along(x, v, CentralStep)) - f(Along(x, v, -CentralStep))) / (2 * CentralStep);
            if (!(Math.Abs(central - slope) <= allowed))
                Assert.Fail($"{argument}: along direction {d} the loss rises by {Text(central)}, the gradient says "
                    + $"{Text(slope)}, "
                    + $"tolerance {Text(allowed)}{WorstElement(argument, f, x, gradient)}");
        }
    }

    // What is wrong with the order, or null.
    private static string? OrderFailure(Func<double[], double> f, double f0, double[] x, double[] v,
        double slope, double slopeError)
    {
        List<double> rests = [];
        for (int i = 0; i < MaxHalvings; i++)
        {
            double h = Math.ScaleB(Coarsest, -i);
            double rest = Math.Abs(f(Along(x, v, h)) - f0 - h * slope);
            // Below this the rest is rounding and the error of the slope, which have no order; all of it for a linear
            // loss.
            if (!(rest > 30 * (h * slopeError + 1e-14 * (Math.Abs(f0) + 1)))) break;
            rests.Add(rest);
        }
        if (rests.Count < 4) return null;
        // A term in h makes it two; more than four is the cubic term, where the quadratic one happens to be small.
        double ratio = rests[^2] / rests[^1];
        return ratio > 3
            ? null
            : $"the rest falls by {Text(ratio)} when h is halved; expected 4 or more (rests "
            + $"{string.Join(", ", rests.Select(Text))})";
    }

    private static string WorstElement(string argument, Func<double[], double> f, double[] x, float[] gradient)
    {
        int worst = -1;
        double worstError = 0, worstSlope = 0;
        int stride = Math.Max(1, x.Length / 2000);
        double[] moved = [.. x];
        for (int i = 0; i < x.Length; i += stride)
        {
            moved[i] = x[i] + CentralStep;
            double up = f(moved);
            moved[i] = x[i] - CentralStep;
            double slope = (up - f(moved)) / (2 * CentralStep);
            moved[i] = x[i];
            double error = Math.Abs(slope - gradient[i]);
            if (worst >= 0 && !(error > worstError)) continue;
            (worst, worstError, worstSlope) = (i, error, slope);
        }
        return $"; worst element {argument}[{worst}]: expected {Text(worstSlope)}, got {Text(gradient[worst])}";
    }

    private static double[] Along(double[] x, double[] v, double h)
    {
        double[] moved = new double[x.Length];
        for (int i = 0; i < x.Length; i++) moved[i] = x[i] + h * v[i];
        return moved;
    }

    private static string FirstNonFinite(float[] values)
    {
        int i = Array.FindIndex(values, static v => !float.IsFinite(v));
        return i < 0 ? "" : $" at [{i}]: {values[i]}";
    }

    private static string Text(double value) => value.ToString("G7", CultureInfo.InvariantCulture);
}
