using GlowGpu.Kernels;
using GlowGpu.Kernels.Host;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Host;

/// <summary>
/// Optimizers against scalar double, through several steps, at lengths around the vector widths and the chunk.
/// </summary>
[TestFixture]
public sealed class OptimizerStepHostTests
{
    private static readonly int[] Lengths = [1, 3, 4, 15, 16, 17, 33, 100, 16384, 16384 + 5];

    [TestCaseSource(nameof(Lengths))]
    public void Adam_follows_the_paper(int length) => AssertFollows(length, adamax: false);

    [TestCaseSource(nameof(Lengths))]
    public void Adamax_follows_the_paper(int length) => AssertFollows(length, adamax: true);

    [Test]
    public void Without_an_average_the_parameters_move_the_same()
    {
        using HostViews views = new(1);
        using Workers workers = new(2);
        HostOptimizerStep step = new(workers);
        View g = views.Normal(1, 37), p1 = views.Normal(1, 37), p2 = views.Zeros(1, 37);
        p2.Write(p1.ToArray());
        step.Adam(p1, g, views.Zeros(1, 37), views.Zeros(1, 37), View.None, Settings(1));
        step.Adam(p2, g, views.Zeros(1, 37), views.Zeros(1, 37), views.Zeros(1, 37), Settings(1));
        Assert.That(p1.ToArray(), Is.EqualTo(p2.ToArray()));
    }

    [Test]
    public void Gaps_of_zeros_stay_zero_and_a_bad_gradient_shows([Values] bool adamax)
    {
        using HostViews views = new(2);
        using Workers workers = new(1);
        HostOptimizerStep step = new(workers);
        View p = views.Zeros(1, 32), g = views.Zeros(1, 32), m = views.Zeros(1, 32), v = views.Zeros(1, 32),
            a = views.Zeros(1, 32);
        float[] gradient = new float[32];
        gradient[7] = float.NaN;
        g.Write(gradient);
        if (adamax) step.Adamax(p, g, m, v, a, Settings(1));
        else step.Adam(p, g, m, v, a, Settings(1));
        foreach (View view in new[] { p, m, a })
            for (int i = 0; i < 32; i++) Assert.That(view.ToArray()[i], Is.EqualTo(i == 7 ? float.NaN : 0));
    }

    [Test]
    public void Sum_of_squares_is_the_double_sum_rounded_once()
    {
        using HostViews views = new(3);
        using Workers workers = new(1);
        HostOptimizerStep step = new(workers);
        foreach (int length in Lengths)
        {
            View x = views.Normal(1, length), result = views.Zeros(1, 1);
            step.SumOfSquares(x, result);
            double exact = x.ToArray().Sum(static v => (double)v * v);
            Assert.That(result.ToArray()[0], Is.EqualTo(exact).Within(1e-7 * exact), $"{length} elements");
        }
        View bad = views.Normal(1, 50);
        foreach (float poison in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity })
        {
            bad.Buffer.Write(49, [poison]);
            View result = views.Zeros(1, 1);
            step.SumOfSquares(bad, result);
            Assert.That(float.IsFinite(result.ToArray()[0]), Is.False);
        }
    }

    [Test]
    public void Settings_that_divide_by_zero_are_refused()
    {
        using HostViews views = new(4);
        using Workers workers = new(1);
        HostOptimizerStep step = new(workers);
        View x = views.Zeros(1, 4);
        Assert.That(() => step.Adamax(x, x, x, x, View.None, Settings(1) with { Epsilon = 0 }), Throws.ArgumentException
            .With.Message.EqualTo("optimizer: epsilon is 0; it must be positive to keep the division finite"));
        Assert.That(() => step.Adam(x, x, x, x, View.None, Settings(0)),
            Throws.ArgumentException.With.Message.EqualTo("optimizer: step is 0; the first step is 1"));
        Assert.That(() => step.Adam(x, x, x, views.Zeros(1, 5), View.None, Settings(1)),
            Throws.ArgumentException.With.Message.EqualTo("optimizer: second moment holds 5 values; it must hold 4"));
    }

    private static OptimizerSettings Settings(long step) => new(
        Rate: 0.01f, Beta1: 0.9f, Beta2: 0.999f, Epsilon: 1e-8f, Step: step, GradientScale: 0.7f, AverageDecay: 0.95f);

    private static void AssertFollows(int length, bool adamax)
    {
        const int Steps = 4;
        using HostViews views = new(length);
        using Workers workers = new(1);
        HostOptimizerStep step = new(workers);
        View p = views.Normal(1, length), m = views.Zeros(1, length), v = views.Zeros(1, length),
            a = views.Zeros(1, length);
        double[] wantP = Array.ConvertAll(p.ToArray(), static x => (double)x);
        double[] wantM = new double[length], wantV = new double[length], wantA = new double[length];
        for (int t = 1; t <= Steps; t++)
        {
            OptimizerSettings s = Settings(t);
            View g = views.Normal(1, length);
            float[] gradient = g.ToArray();
            double correction1 = 1 - Math.Pow(s.Beta1, t), correction2 = 1 - Math.Pow(s.Beta2, t);
            for (int i = 0; i < length; i++)
            {
                double x = (double)gradient[i] * s.GradientScale;
                wantM[i] = s.Beta1 * wantM[i] + (1.0 - s.Beta1) * x;
                wantV[i] = adamax
                    ? Math.Max(s.Beta2 * wantV[i], Math.Abs(x) + s.Epsilon)
                    : s.Beta2 * wantV[i] + (1.0 - s.Beta2) * x * x;
                wantP[i] -= adamax
                    ? s.Rate / correction1 * wantM[i] / wantV[i]
                    : s.Rate * (wantM[i] / correction1) / (Math.Sqrt(wantV[i] / correction2) + s.Epsilon);
                wantA[i] = s.AverageDecay * wantA[i] + (1.0 - s.AverageDecay) * wantP[i];
            }
            if (adamax) step.Adamax(p, g, m, v, a, s);
            else step.Adam(p, g, m, v, a, s);
        }
        // A few roundings of float32 a step, of values up to 4 (1 for the moments).
        Nearly.Equal("parameters", p.ToArray(), wantP, 2e-6);
        Nearly.Equal("first moment", m.ToArray(), wantM, 2e-7);
        Nearly.Equal("second moment", v.ToArray(), wantV, adamax ? 1e-6 : 1e-8);
        Nearly.Equal("average", a.ToArray(), wantA, 2e-6);
    }
}
