using GlowGpu.Kernels;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Reference;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels;

[TestFixture]
public sealed class OptimizerStepTests
{
    private const int Steps = 4;
    private const double Relative = 16 * Tolerance.Ulp;

    /// <summary>So many parameters, with or without a Polyak average.</summary>
    public sealed record Case(bool Adamax, int Count, bool Average, float GradientScale) : ITestShape
    {
        public bool Tiny => Count <= 1100;

        public override string ToString() =>
            $"{(Adamax ? "adamax" : "adam")} {Count}{(Average ? " averaged" : "")} ×{GradientScale}";
    }

    private static IEnumerable<Case> Shapes =>
        from adamax in new[] { false, true }
        from count in new[] { 1, 7, 16, 33, 97, 1025, 70_001 }
        from average in new[] { false, true }
        select new Case(adamax, count, average, average ? 0.25f : 1);

    /// <summary>So many values.</summary>
    public sealed record Length(int Count) : ITestShape
    {
        public bool Tiny => Count <= 1100;

        public override string ToString() => $"{Count}";
    }

    private static IEnumerable<TestCaseData> Cases => Devices.With(Shapes);

    private static IEnumerable<TestCaseData> SumCases =>
        Devices.With(new[] { 1, 2, 15, 16, 17, 100, 4097, 100_003 }.Select(static n => new Length(n)));

    [TestCaseSource(nameof(Cases))]
    public void FollowsThePublishedAlgorithm(TestDevice device, Case shape)
    {
        Results got = Run(device.Backend, shape);
        Draw draw = new(shape.Count);
        double[] p = draw.Normal(shape.Count).Wide(), average = p.ToArray(), m = new double[shape.Count],
            v = new double[shape.Count];
        for (int t = 1; t <= Steps; t++)
        {
            OptimizerSettings s = Settings(shape, t);
            double[] g = [.. draw.Normal(shape.Count, 0.01).Wide().Select(x => x * s.GradientScale)];
            if (shape.Adamax) OptimizerReference.Adamax(p, g, m, v, s.Rate, s.Beta1, s.Beta2, s.Epsilon, t);
            else OptimizerReference.Adam(p, g, m, v, s.Rate, s.Beta1, s.Beta2, s.Epsilon, t);
            for (int i = 0; i < p.Length; i++) average[i] = s.AverageDecay * average[i]
                + (1 - (double)s.AverageDecay) * p[i];
        }
        Tolerance.Close("parameters", got["p"], p, Relative);
        Tolerance.Close("first moment", got["m"], m, Relative);
        Tolerance.Close("second moment", got["v"], v, Relative);
        if (shape.Average) Tolerance.Close("average", got["average"], average, Relative);
    }

    [TestCaseSource(nameof(Cases))]
    public void DevicesAgree(TestDevice device, Case shape) => Agreement.Check(device, backend => Run(backend, shape),
        Relative);

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void UntouchedParametersStayWhereTheyAre(TestDevice device)
    {
        // Gaps between tensors and weights without influence have gradient zero for ever.
        float[] values = new Draw(1).Normal(50);
        foreach (bool adamax in new[] { false, true })
        {
            using Guarded memory = new(device.Backend);
            View p = memory.InOut("p", values, 1, 50), g = memory.Input("g", new float[50]);
            View m = memory.InOut("m", new float[50], 1, 50), v = memory.InOut("v", new float[50], 1, 50);
            OptimizerSettings settings = Settings(new Case(adamax, 50, false, 1), 1);
            if (adamax) device.Backend.OptimizerStep.Adamax(p, g, m, v, View.None, settings);
            else device.Backend.OptimizerStep.Adam(p, g, m, v, View.None, settings);
            memory.Check();
            Tolerance.SameBits("p", memory.Read(p), values);
        }
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Backends))]
    public void WhatTheHostDoesNotKnowComesFromMemory(TestDevice device)
    {
        foreach (Case shape in new[] { new Case(false, 97, true, 0.25f), new Case(true, 97, true, 0.25f) })
        {
            Results expected = Run(device.Backend, shape), got = Run(device.Backend, shape, fromMemory: true);
            foreach ((string name, float[] values) in expected) Tolerance.SameBits($"{shape}: {name}",
                got[name], values);
        }
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Backends))]
    public void WhereAViewBeginsDoesNotMatter(TestDevice device)
    {
        // Only views that begin at a multiple of 16 bytes move in accesses of so many.
        foreach (Case shape in new[] { new Case(false, 97, true, 1), new Case(true, 97, true, 1) })
        {
            Results expected = Run(device.Backend, shape), got = Run(device.Backend, shape, first: 1);
            foreach ((string name, float[] values) in expected) Tolerance.SameBits($"{shape}: {name}",
                got[name], values);
        }
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void AScaleThatIsNotANumberChangesNothing(TestDevice device)
    {
        float[] values = new Draw(2).Normal(50), gradient = new Draw(3).Normal(50);
        foreach (bool adamax in new[] { false, true })
        {
            using Guarded memory = new(device.Backend);
            View p = memory.Input("p", values), g = memory.Input("g", gradient), m = memory.Input("m", values);
            View v = memory.Input("v", [.. values.Select(Math.Abs)]), average = memory.Input("average", values);
            OptimizerControl control = new(memory.Input("scale", [float.NaN]), View.None);
            OptimizerSettings settings = Settings(new Case(adamax, 50, true, 1), 2);
            if (adamax) device.Backend.OptimizerStep.Adamax(p, g, m, v, average, settings, control);
            else device.Backend.OptimizerStep.Adam(p, g, m, v, average, settings, control);
            memory.Check();
        }
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void TheJudgeClipsOrForbids(TestDevice device)
    {
        float[] fine = new Draw(4).Normal(91);
        Assert.Multiple(() =>
        {
            Assert.That(Judge(device.Backend, fine, 16, 0), Is.EqualTo(1), "no clipping");
            Assert.That(Judge(device.Backend, fine, 16, 4), Is.EqualTo(1), "as long as allowed");
            Assert.That(Judge(device.Backend, fine, 16, 3), Is.EqualTo(0.75f).Within(1e-7f), "clipped");
            Assert.That(Judge(device.Backend, fine, float.NaN, 3), Is.NaN);
            Assert.That(Judge(device.Backend, fine, float.PositiveInfinity, 0), Is.NaN);
            foreach (float value in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity })
                foreach (int at in new[] { 0, 17, 63, 64, 90 })
                {
                    float[] bad = [.. fine];
                    bad[at] = value;
                    Assert.That(Judge(device.Backend, bad, 16, 3), Is.NaN, $"{value} at {at}");
                }
        });
    }

    [TestCaseSource(nameof(SumCases))]
    public void SumOfSquaresIsAccurate(TestDevice device, Length length)
    {
        float[] x = new Draw(length.Count).Normal(length.Count, 3);
        Tolerance.Close("sum", SumOfSquares(device.Backend, x), x.Sum(static v => (double)v * v), 8 * Tolerance.Ulp);
    }

    [TestCaseSource(nameof(SumCases))]
    public void SumOfSquaresAgrees(TestDevice device, Length length)
    {
        float[] x = new Draw(length.Count).Normal(length.Count);
        Agreement.Check(device, backend => new Results { ["sum"] = [SumOfSquares(backend, x)] }, 8 * Tolerance.Ulp);
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void SumOfSquaresShowsWhatIsNotFinite(TestDevice device)
    {
        float[] bad = [float.NaN, float.PositiveInfinity, float.NegativeInfinity];
        foreach (float value in bad)
            foreach (int at in new[] { 0, 17, 63, 64, 90 })
            {
                float[] x = new Draw(at).Normal(91);
                x[at] = value;
                Assert.That(float.IsFinite(SumOfSquares(device.Backend, x)), Is.False, $"{value} at {at}");
            }
    }

    private static float Judge(IBackend backend, float[] values, float squares, double clipNorm)
    {
        using Guarded memory = new(backend);
        View scale = memory.Output("scale", 1, 1);
        backend.OptimizerStep.Judge(memory.Input("values", values), memory.Input("squares", [squares]), clipNorm,
            scale);
        memory.Check();
        return memory.Read(scale)[0];
    }

    private static float SumOfSquares(IBackend backend, float[] values)
    {
        using Guarded memory = new(backend);
        View x = memory.Input("x", values), result = memory.Output("result", 1, 1);
        backend.OptimizerStep.SumOfSquares(x, result);
        // A result that is not a number may well hold the bits of the garbage it replaced.
        float sum = memory.Read(result)[0];
        if (float.IsFinite(sum)) memory.Check();
        return sum;
    }

    private static OptimizerSettings Settings(Case shape, long step) =>
        new(1e-3f * step, 0.9f, 0.999f, 1e-8f, step, shape.GradientScale, 0.95f);

    private static Results Run(IBackend backend, Case shape, bool fromMemory = false, int first = 0)
    {
        Draw draw = new(shape.Count);
        float[] values = draw.Normal(shape.Count), zero = new float[shape.Count];
        using Guarded memory = new(backend);
        View InOut(string name, float[] numbers) => memory.InOut(name, [.. new float[first], .. numbers], 1,
            first + shape.Count);
        View Part(View view) => view.IsNone ? view : view.Columns(first, shape.Count);
        View p = InOut("p", values), g = InOut("g", zero), m = InOut("m", zero), v = InOut("v", zero);
        View average = shape.Average ? InOut("average", values) : View.None;
        View scale = memory.InOut("scale", [0], 1, 1),
            dials = memory.InOut("dials", new float[OptimizerControl.DialCount], 1, OptimizerControl.DialCount);
        for (int t = 1; t <= Steps; t++)
        {
            float[] gradient = draw.Normal(shape.Count, 0.01);
            Part(g).Write(gradient);
            OptimizerSettings settings = Settings(shape, t);
            OptimizerControl control = default;
            if (fromMemory)
            {
                float[] numbers = new float[OptimizerControl.DialCount];
                OptimizerControl.SetDials(numbers, settings);
                dials.Write(numbers);
                scale.Write([settings.GradientScale]);
                settings = settings with { Rate = 7, Step = 1000, GradientScale = 3, AverageDecay = 0.1f };
                control = new(scale, dials);
            }
            if (shape.Adamax) backend.OptimizerStep.Adamax(Part(p), Part(g), Part(m), Part(v), Part(average),
                settings, control);
            else backend.OptimizerStep.Adam(Part(p), Part(g), Part(m), Part(v), Part(average), settings, control);
            Tolerance.SameBits("gradient", memory.Read(g).AsSpan(first), gradient);
        }
        memory.Check();
        float[] Numbers(View view) => memory.Read(view)[first..];
        Results results = new() { ["p"] = Numbers(p), ["m"] = Numbers(m), ["v"] = Numbers(v) };
        if (shape.Average) results["average"] = Numbers(average);
        return results;
    }
}
