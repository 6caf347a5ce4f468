using GlowGpu.Engine;
using GlowGpu.Tests.Checks;
using NUnit.Framework;

namespace GlowGpu.Tests.Engine;

/// <summary>Adam and Adamax against the published update in double, their average, and what they remember.</summary>
[TestFixtureSource(typeof(Devices), nameof(Devices.All))]
public sealed class OptimizerTests(TestDevice device)
{
    private const double Beta1 = 0.9, Beta2 = 0.95, Epsilon = 1e-8, Decay = 0.8;
    private const int Steps = 12;

    private ParameterSet parameters = null!;

    [SetUp]
    public void Begin()
    {
        parameters = new ParameterSet(device.Backend, [("a", [3, 5]), ("b", [17])]);
        parameters.Value("a").Write(Draws(15, 1));
        parameters.Value("b").Write(Draws(17, 2));
    }

    [TearDown]
    public void End() => parameters.Dispose();

    private static float[] Draws(int count, ulong seed)
    {
        float[] values = new float[count];
        new CounterRandom(seed, "optimizer test").Normal(values);
        return values;
    }

    private IOptimizer Create(string name, double? decay = Decay) => name == "adam"
        ? new Adam(device.Backend, parameters, Beta1, Beta2, Epsilon, decay)
        : new Adamax(device.Backend, parameters, Beta1, Beta2, Epsilon, decay);

    private static double Rate(int step) => new Schedule(0.01, 5).At(step);

    private static double Scale(int step) => step % 3 == 0 ? 0.5 : 1;

    private void RunSteps(IOptimizer optimizer, int from, int to)
    {
        for (int step = from; step <= to; step++)
        {
            parameters.Gradient("b").Write(Draws(17, (ulong)(100 + step)));
            optimizer.Step(Rate(step), Scale(step));
        }
    }

    // The published algorithms, in double, on parameter b.
    private static (double[] Values, double[] Average) Reference(string name)
    {
        double[] p = [.. Draws(17, 2).Select(static v => (double)v)], m = new double[17], v = new double[17],
            average = new double[17];
        double zero = 1;
        for (int t = 1; t <= Steps; t++)
        {
            float[] g = Draws(17, (ulong)(100 + t));
            double decay = Math.Min(Decay, (1.0 + t) / (10 + t));
            zero *= decay;
            for (int i = 0; i < p.Length; i++)
            {
                double gradient = g[i] * Scale(t);
                m[i] = Beta1 * m[i] + (1 - Beta1) * gradient;
                double corrected = m[i] / (1 - Math.Pow(Beta1, t));
                if (name == "adam")
                {
                    v[i] = Beta2 * v[i] + (1 - Beta2) * gradient * gradient;
                    p[i] -= Rate(t) * corrected / (Math.Sqrt(v[i] / (1 - Math.Pow(Beta2, t))) + Epsilon);
                }
                else
                {
                    v[i] = Math.Max(Beta2 * v[i], Math.Abs(gradient) + Epsilon);
                    p[i] -= Rate(t) * corrected / v[i];
                }
                average[i] = decay * average[i] + (1 - decay) * p[i];
            }
        }
        return (p, [.. average.Select(a => a / (1 - zero))]);
    }

    [TestCase("adam")]
    [TestCase("adamax")]
    public void Updates_are_the_published_ones(string name)
    {
        using IOptimizer optimizer = Create(name);
        RunSteps(optimizer, 1, Steps);
        (double[] expected, double[] average) = Reference(name);
        Assert.Multiple(() =>
        {
            Assert.That(optimizer.Name, Is.EqualTo(name));
            Assert.That(optimizer.Updates, Is.EqualTo(Steps));
            Assert.That(parameters.Value("b").ToArray().Select(static v => (double)v),
                Is.EqualTo(expected).Within(2e-6));
            Assert.That(parameters.Value("a").ToArray(), Is.EqualTo(Draws(15, 1)), "without a gradient nothing moves");
            using (optimizer.Average!.Use())
                Assert.That(parameters.Value("b").ToArray().Select(static v => (double)v),
                    Is.EqualTo(average).Within(2e-6));
        });
    }

    [TestCase("adam")]
    [TestCase("adamax")]
    public void Resumed_from_its_state_it_goes_on_bit_for_bit(string name)
    {
        using IOptimizer whole = Create(name);
        RunSteps(whole, 1, 5);
        float[] values = parameters.Values.ToArray();
        float[][] state = [.. whole.State.Select(static s => s.View.ToArray())];
        RunSteps(whole, 6, Steps);
        float[] expected = parameters.Values.ToArray();

        parameters.Values.Write(values);
        using IOptimizer resumed = Create(name);
        Assert.That(resumed.State.Select(static s => s.Name), Is.EqualTo(new[] { "m", "v", "average" }));
        for (int i = 0; i < state.Length; i++) resumed.State[i].View.Write(state[i]);
        resumed.Resume(5);
        RunSteps(resumed, 6, Steps);
        Assert.That(parameters.Values.ToArray(), Is.EqualTo(expected));
        Assert.That(resumed.State[2].View.ToArray(), Is.EqualTo(whole.State[2].View.ToArray()));
    }

    [Test]
    public void The_average_leaves_no_trace_and_tells_what_is_derived_from_the_weights()
    {
        using IOptimizer optimizer = Create("adam");
        using (optimizer.Average!.Use()) Assert.That(parameters.Value("a").ToArray(), Is.EqualTo(Draws(15, 1)),
            "before the first update there is no average");
        RunSteps(optimizer, 1, 3);
        float[] before = parameters.Values.ToArray();
        before[0] = -0f;
        parameters.Values.Write(before);
        long version = parameters.Version;
        using (optimizer.Average.Use())
        {
            Assert.That(parameters.Version, Is.GreaterThan(version));
            Assert.That(parameters.Values.ToArray(), Is.Not.EqualTo(before));
            version = parameters.Version;
        }
        Assert.That(parameters.Version, Is.GreaterThan(version));
        Assert.That(parameters.Values.ToArray().Select(BitConverter.SingleToInt32Bits),
            Is.EqualTo(before.Select(BitConverter.SingleToInt32Bits)));
    }

    [Test]
    public void Without_an_average_none_is_kept()
    {
        using IOptimizer optimizer = Create("adam", decay: null);
        Assert.That(optimizer.Average, Is.Null);
        Assert.That(optimizer.State, Has.Count.EqualTo(2));
    }

    [TestCase(1.0)]
    [TestCase(-0.1)]
    [TestCase(double.NaN)]
    [TestCase(1 - 1e-12)]
    public void A_decay_that_would_divide_by_zero_is_refused(double decay)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new Adam(device.Backend, parameters, Beta1,
            decay, Epsilon, null));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Adamax(device.Backend, parameters, decay,
            Beta2, Epsilon, null));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Adam(device.Backend, parameters, Beta1,
            Beta2, Epsilon, decay));
    }

    [Test]
    public void The_schedule_rises_linearly_and_stays()
    {
        Schedule warm = new(0.1, 4);
        Assert.That(new[] { 1, 2, 3, 4, 5, 1000 }.Select(s => warm.At(s)),
            Is.EqualTo(new[] { 0.025, 0.05, 0.075, 0.1, 0.1, 0.1 }).Within(1e-15));
        Assert.That(new Schedule(0.1, 0).At(1), Is.EqualTo(0.1));
    }
}
