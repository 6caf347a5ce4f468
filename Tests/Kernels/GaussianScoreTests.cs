using GlowGpu.Kernels;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Reference;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels;

[TestFixture]
public sealed class GaussianScoreTests
{
    private const double Relative = 16 * Tolerance.Ulp;
    private const float GLogP = -0.375f;

    /// <summary>z with the shape's channels, dense or half of a wider tensor.</summary>
    public sealed record Case(StatsLayout Stats, PixelShape Z, Layout Layout) : ITestShape
    {
        public bool Tiny => Z.Tiny;

        public override string ToString() => $"{Stats} {Z} {Layout}";
    }

    private static IEnumerable<Case> Shapes =>
        from stats in Enum.GetValues<StatsLayout>()
        from shape in PixelShape.Common
        from layout in shape.Tiny ? new[] { Layout.Dense, Layout.SecondHalf } : [Layout.SecondHalf]
        select new Case(stats, shape with { C = shape.C / 2 }, layout);

    private static IEnumerable<TestCaseData> Cases => Devices.With(Shapes);

    [TestCaseSource(nameof(Cases))]
    public void ForwardAddsTheLogDensityAndGivesTheLatent(TestDevice device, Case shape)
    {
        Data data = new(shape);
        Results got = Run(device.Backend, data);
        (Nhwc mean, Nhwc logs) = data.Statistics(data.Stats.Wide());
        Tolerance.Close("eps", got["eps"], GaussianScoreReference.Latent(data.Images, mean, logs).Data, Relative,
            shape.Z.P, shape.Z.C);
        double[] expected = GaussianScoreReference.LogDensity(data.Images, mean, logs);
        for (int n = 0; n < expected.Length; n++) expected[n] += data.LogP[n];
        Tolerance.Close("logp", got["logp"], expected, Relative);
    }

    [TestCaseSource(nameof(Cases))]
    public void InverseUndoesForward(TestDevice device, Case shape)
    {
        Data data = new(shape);
        Tolerance.Close("z", Run(device.Backend, data)["again"], data.Z.Wide(), Relative, shape.Z.P, shape.Z.C);
    }

    [TestCaseSource(nameof(Cases))]
    public void InverseMatchesReference(TestDevice device, Case shape)
    {
        Data data = new(shape);
        (Nhwc mean, Nhwc logs) = data.Statistics(data.Stats.Wide());
        Tolerance.Close("z", Run(device.Backend, data)["sample"],
            GaussianScoreReference.Inverse(data.Images, mean, logs).Data,
            Relative, shape.Z.P, shape.Z.C);
    }

    [TestCaseSource(nameof(Cases))]
    public void BackwardGivesTheGradients(TestDevice device, Case shape)
    {
        Data data = new(shape);
        Results got = Run(device.Backend, data);
        double Loss(double[] z, double[] stats)
        {
            (Nhwc mean, Nhwc logs) = data.Statistics(stats);
            return GLogP * GaussianScoreReference.LogDensity(data.Images with { Data = z }, mean, logs).Sum();
        }
        GradientCheck.Check("z", v => Loss(v, data.Stats.Wide()), data.Z.Wide(), got["dz"], Relative);
        GradientCheck.Check("stats", v => Loss(data.Z.Wide(), v), data.Stats.Wide(), got["dstats"], Relative);
    }

    [TestCaseSource(nameof(Cases))]
    public void DevicesAgree(TestDevice device, Case shape) => Agreement.Check(device,
        backend => Run(backend, new Data(shape)), Relative);

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void DensityIsThatOfAStandardNormalLatent(TestDevice device)
    {
        // Change of variables z → eps: log p(z) = log N(eps; 0, 1) + log|det ∂eps/∂z|.
        Data data = new(new Case(StatsLayout.Halves, new PixelShape(1, 2, 3, 4), Layout.Dense));
        (Nhwc mean, Nhwc logs) = data.Statistics(data.Stats.Wide());
        double logDet = NumericJacobian.LogDeterminant(
            v => GaussianScoreReference.Latent(data.Images with { Data = v }, mean, logs).Data, data.Z.Wide());
        Results got = Run(device.Backend, data);
        double expected = logDet - got["eps"].Sum(static e => 0.5 * (e * (double)e + Math.Log(2 * Math.PI)));
        Tolerance.Close("logp", got["logp"][0] - (double)data.LogP[0], expected, Relative);
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void ScoreAndLatentMayEachBeLeftOut(TestDevice device)
    {
        Case shape = new(StatsLayout.Interleaved, new PixelShape(2, 1, 3, 3), Layout.SecondHalf);
        Data data = new(shape);
        Results both = Run(device.Backend, data);
        using Guarded memory = new(device.Backend);
        View z = memory.Input("z", data.Z, 6, 3, shape.Layout), stats = memory.Input("stats", data.Stats, 6, 6);
        View logp = memory.InOut("logp", data.LogP, 1, 2), eps = memory.Output("eps", 6, 3);
        device.Backend.GaussianScore.Forward(shape.Z.Pixels, shape.Stats, z, stats, logp, View.None);
        device.Backend.GaussianScore.Forward(shape.Z.Pixels, shape.Stats, z, stats, View.None, eps);
        memory.Check();
        Tolerance.SameBits("logp", memory.Read(logp), both["logp"]);
        Tolerance.SameBits("eps", memory.Read(eps), both["eps"]);
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void ExtremeSpreadsStayFinite(TestDevice device)
    {
        float[] logs = [15, -15, 40, -10, 0, 80, -20, 5];
        Case shape = new(StatsLayout.Interleaved, new PixelShape(1, 1, logs.Length, 1), Layout.Dense);
        Data data = new(shape);
        for (int i = 0; i < logs.Length; i++) data.Stats[2 * i + 1] = logs[i];
        Results got = Run(device.Backend, data);
        (Nhwc mean, Nhwc spread) = data.Statistics(data.Stats.Wide());
        foreach ((string name, float[] values) in got)
            Assert.That(values, Is.All.Matches<float>(float.IsFinite), name);
        double[] eps = GaussianScoreReference.Latent(data.Images, mean, spread).Data;
        for (int i = 0; i < eps.Length; i++) Tolerance.Close($"eps[{i}]", got["eps"][i], eps[i], 1e-5);
        Tolerance.Close("logp", got["logp"][0], GaussianScoreReference.LogDensity(data.Images, mean, spread)[0]
            + data.LogP[0], 1e-5);
    }

    private static Results Run(IBackend backend, Data data)
    {
        (StatsLayout layout, PixelShape s, Layout memoryLayout) = data.Case;
        using Guarded memory = new(backend);
        View z = memory.Input("z", data.Z, s.P, s.C, memoryLayout),
            stats = memory.Input("stats", data.Stats, s.P, 2 * s.C);
        View logp = memory.InOut("logp", data.LogP, 1, s.N), eps = memory.Output("eps", s.P, s.C);
        View dz = memory.Output("dz", s.P, s.C, memoryLayout), dstats = memory.Output("dstats", s.P, 2 * s.C);
        View again = memory.Output("again", s.P, s.C, memoryLayout),
            sample = memory.Output("sample", s.P, s.C, memoryLayout);
        View latent = memory.Input("latent", data.Z, s.P, s.C);
        backend.GaussianScore.Forward(s.Pixels, layout, z, stats, logp, eps);
        backend.GaussianScore.Backward(s.Pixels, layout, z, stats, GLogP, dz, dstats);
        backend.GaussianScore.Inverse(s.Pixels, layout, eps, stats, again);
        backend.GaussianScore.Inverse(s.Pixels, layout, latent, stats, sample);
        memory.Check();
        return new Results
        {
            ["logp"] = memory.Read(logp),
            ["eps"] = memory.Read(eps),
            ["dz"] = memory.Read(dz),
            ["dstats"] = memory.Read(dstats),
            ["again"] = memory.Read(again),
            ["sample"] = memory.Read(sample),
        };
    }

    private sealed class Data
    {
        public Data(Case shape)
        {
            Draw draw = new(shape.Z.P + 31 * shape.Z.C);
            Case = shape;
            Z = draw.Normal(shape.Z.P * shape.Z.C);
            Stats = draw.Normal(2 * shape.Z.P * shape.Z.C, 0.5);
            LogP = draw.Normal(shape.Z.N, 10);
        }

        public Case Case { get; }
        public float[] Z { get; }
        public float[] Stats { get; }
        public float[] LogP { get; }
        public Nhwc Images => new(Z.Wide(), Case.Z.N, Case.Z.H, Case.Z.W, Case.Z.C);

        public (Nhwc Mean, Nhwc Logs) Statistics(double[] stats)
        {
            Nhwc images = new(stats, Case.Z.N, Case.Z.H, Case.Z.W, 2 * Case.Z.C);
            return Case.Stats == StatsLayout.Interleaved ? GaussianScoreReference.Interleaved(images)
                : GaussianScoreReference.Halves(images);
        }
    }
}
