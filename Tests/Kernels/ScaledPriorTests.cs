using GlowGpu.Kernels;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Reference;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels;

[TestFixture]
public sealed class ScaledPriorTests
{
    private const double Relative = 32 * Tolerance.Ulp;
    private const float GLogP = -0.375f;

    /// <summary>N images of D values.</summary>
    public sealed record Case(PriorKind Kind, int N, int D) : ITestShape
    {
        public bool Tiny => N * D <= 1500;

        public override string ToString() => $"{Kind} [{N},{D}]";
    }

    private static IEnumerable<Case> Shapes =>
        from kind in Enum.GetValues<PriorKind>()
        from size in new[] { (1, 1), (2, 3), (3, 18), (5, 97), (1, 513), (7, 1200) }
        select new Case(kind, size.Item1, size.Item2);

    private static IEnumerable<TestCaseData> Cases => Devices.With(Shapes);

    [TestCaseSource(nameof(Cases))]
    public void ForwardAndInverseMatchTheReference(TestDevice device, Case shape)
    {
        Data data = new(shape);
        Results got = Run(device.Backend, data);
        double[] expected = ScaledPriorReference.LogLikelihood(shape.Kind, data.X.Wide(), data.Logs.Wide());
        for (int n = 0; n < expected.Length; n++) expected[n] += data.LogP[n];
        Tolerance.Close("logp", got["logp"], expected, Relative);
        Tolerance.Close("z", got["z"], ScaledPriorReference.Latent(data.X.Wide(), data.Logs.Wide()), Relative,
            shape.N, shape.D);
        Tolerance.Close("again", got["again"], data.X.Wide(), Relative, shape.N, shape.D);
    }

    [TestCaseSource(nameof(Cases))]
    public void BackwardGivesTheGradients(TestDevice device, Case shape)
    {
        Data data = new(shape);
        Results got = Run(device.Backend, data);
        double[] x = data.X.Wide(), logs = data.Logs.Wide();
        GradientCheck.Check("x", v => GLogP * ScaledPriorReference.LogLikelihood(shape.Kind, v, logs).Sum(), x,
            got["dx"], Relative);
        GradientCheck.Check("logs", v => GLogP * ScaledPriorReference.LogLikelihood(shape.Kind, x, v).Sum(), logs,
            got["dlogs"], Relative);
    }

    [TestCaseSource(nameof(Cases))]
    public void DevicesAgree(TestDevice device, Case shape) => Agreement.Check(device,
        backend => Run(backend, new Data(shape)), Relative);

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void DensityIsThatOfThePriorTimesTheJacobian(TestDevice device)
    {
        foreach (PriorKind kind in Enum.GetValues<PriorKind>())
        {
            Data data = new(new Case(kind, 1, 12));
            Results got = Run(device.Backend, data);
            double expected = NumericJacobian.LogDeterminant(v => ScaledPriorReference.Latent(v, data.Logs.Wide()),
                data.X.Wide())
                + got["z"].Sum(z => ScaledPriorReference.LogDensity(kind, z));
            Tolerance.Close($"{kind}: logp", got["logp"][0] - (double)data.LogP[0], expected, 1e-5, 10);
        }
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void LogisticTailsStayFinite(TestDevice device)
    {
        Data data = new(new Case(PriorKind.Logistic, 1, 4));
        float[] tails = [-1e4f, -90, 90, 1e4f];
        tails.CopyTo(data.X, 0);
        Results got = Run(device.Backend, data);
        foreach ((string name, float[] values) in got) Assert.That(values, Is.All.Matches<float>(float.IsFinite), name);
        Tolerance.Close("logp", got["logp"][0],
            ScaledPriorReference.LogLikelihood(PriorKind.Logistic, data.X.Wide(), data.Logs.Wide())[0] + data.LogP[0],
                1e-6);
    }

    private static Results Run(IBackend backend, Data data)
    {
        (PriorKind kind, int n, int d) = data.Case;
        IScaledPrior prior = backend.ScaledPrior;
        using Guarded memory = new(backend);
        View x = memory.Input("x", data.X, n, d), logs = memory.Input("logs", data.Logs);
        View logp = memory.InOut("logp", data.LogP, 1, n), z = memory.Output("z", n, d),
            again = memory.Output("again", n, d);
        View dx = memory.Output("dx", n, d), dlogs = memory.Output("dlogs", 1, d);
        prior.Forward(kind, x, logs, logp, z);
        prior.Forward(kind, x, logs, View.None, View.None);
        prior.Inverse(z, logs, again);
        prior.Backward(kind, x, logs, GLogP, dx, dlogs);
        memory.Check();
        return new Results
        {
            ["logp"] = memory.Read(logp),
            ["z"] = memory.Read(z),
            ["again"] = memory.Read(again),
            ["dx"] = memory.Read(dx),
            ["dlogs"] = memory.Read(dlogs),
        };
    }

    private sealed class Data
    {
        public Data(Case shape)
        {
            Draw draw = new(shape.N + 31 * shape.D);
            Case = shape;
            X = draw.Normal(shape.N * shape.D);
            Logs = draw.Normal(shape.D, 0.5);
            LogP = draw.Normal(shape.N, 10);
        }

        public Case Case { get; }
        public float[] X { get; }
        public float[] Logs { get; }
        public float[] LogP { get; }
    }
}
