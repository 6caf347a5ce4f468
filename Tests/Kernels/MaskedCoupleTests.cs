using GlowGpu.Kernels;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Reference;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels;

[TestFixture]
public sealed class MaskedCoupleTests
{
    private const double Relative = 32 * Tolerance.Ulp;
    private const float GLogDet = -0.375f;

    /// <summary>z with the shape's channels, dense or half of a wider tensor.</summary>
    public sealed record Case(PixelMask Mask, PixelShape Z, Layout Layout) : ITestShape
    {
        public bool Tiny => Z.Tiny;

        public override string ToString() => $"{Mask} {Z} {Layout}";
    }

    private static IEnumerable<Case> Shapes =>
        from mask in Enum.GetValues<PixelMask>()
        from shape in PixelShape.Common.Append(new PixelShape(2, 3, 2, 1200))
        select new Case(mask, shape with { C = shape.C / 2 }, mask == PixelMask.Odd ? Layout.Dense : Layout.SecondHalf);

    private static IEnumerable<TestCaseData> Cases => Devices.With(Shapes);

    [TestCaseSource(nameof(Cases))]
    public void ForwardAndInverseMatchTheReference(TestDevice device, Case shape)
    {
        Data data = new(shape);
        Results got = Run(device.Backend, data);
        Nhwc h = data.Network(data.H.Wide());
        Tolerance.Close("y", got["y"], MaskedCoupleReference.Forward(shape.Mask, data.Images, h, data.Factor.Wide())
            .Data, Relative, shape.Z.P, shape.Z.C);
        Tolerance.Close("x", got["x"], MaskedCoupleReference.Inverse(shape.Mask, data.Images, h, data.Factor.Wide())
            .Data, Relative, shape.Z.P, shape.Z.C);
        Tolerance.Close("again", got["again"], data.Z.Wide(), Relative, shape.Z.P, shape.Z.C);
        double[] logDet = MaskedCoupleReference.LogDet(shape.Mask, h, data.Factor.Wide());
        for (int n = 0; n < logDet.Length; n++)
        {
            Tolerance.Close($"logdet[{n}]", got["logdet"][n], data.LogDet[n] + logDet[n], Relative,
                20 + Math.Abs(logDet[n]));
            Tolerance.Close($"undone[{n}]", got["undone"][n], data.LogDet[n], Relative, 20 + Math.Abs(logDet[n]));
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void BackwardGivesTheGradients(TestDevice device, Case shape)
    {
        Data data = new(shape);
        Results got = Run(device.Backend, data);
        double[] z = data.Z.Wide(), h = data.H.Wide(), factor = data.Factor.Wide();
        double Loss(double[] input, double[] network, double[] scale)
        {
            Nhwc n = data.Network(network);
            return MaskedCoupleReference.Forward(shape.Mask, data.Images with { Data = input }, n,
                scale).Data.Zip(data.Dy, static (v, g) => v * g).Sum()
                + GLogDet * MaskedCoupleReference.LogDet(shape.Mask, n, scale).Sum();
        }
        GradientCheck.Check("z", v => Loss(v, h, factor), z, got["dz"], 2 * Relative);
        GradientCheck.Check("h", v => Loss(z, v, factor), h, got["dh"], 2 * Relative);
        GradientCheck.Check("factor", v => Loss(z, h, v), factor, got["dfactor"], 2 * Relative * Math.Sqrt(shape.Z.P));
    }

    [TestCaseSource(nameof(Cases))]
    public void ConditionKeepsWhatTheMaskLeaves(TestDevice device, Case shape)
    {
        Data data = new(shape);
        Results got = Run(device.Backend, data);
        double[] expected = MaskedCoupleReference.Condition(shape.Mask, data.Images).Data;
        Tolerance.SameBits("condition", got["condition"], expected.Narrow(), shape.Z.P, shape.Z.C);
        double[] added = MaskedCoupleReference.Condition(shape.Mask, data.Images with { Data = data.Dy.Wide() }).Data;
        for (int i = 0; i < added.Length; i++) added[i] += data.Z[i];
        Tolerance.Close("added", got["added"], added, Relative, shape.Z.P, shape.Z.C);
    }

    [TestCaseSource(nameof(Cases))]
    public void PixelsOutsideTheMaskKeepTheirBits(TestDevice device, Case shape)
    {
        Data data = new(shape);
        float[] y = Run(device.Backend, data)["y"];
        PixelShape s = shape.Z;
        for (int p = 0; p < s.P; p++)
        {
            if (MaskedCoupleReference.Changes(shape.Mask, p / s.W % s.H, p % s.W) != 0) continue;
            Tolerance.SameBits($"pixel {p}", y.AsSpan(p * s.C, s.C), data.Z.AsSpan(p * s.C, s.C));
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void DevicesAgree(TestDevice device, Case shape) =>
        Agreement.Check(device, backend => Run(backend, new Data(shape)), 2 * Relative * Math.Sqrt(shape.Z.P));

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void LogDeterminantIsThatOfTheJacobian(TestDevice device)
    {
        foreach (PixelMask mask in Enum.GetValues<PixelMask>())
        {
            Data data = new(new Case(mask, new PixelShape(1, 3, 4, 3), Layout.Dense));
            Results got = Run(device.Backend, data);
            Nhwc h = data.Network(data.H.Wide());
            double expected = NumericJacobian.LogDeterminant(
                v => MaskedCoupleReference.Forward(mask, data.Images with { Data = v }, h, data.Factor.Wide()).Data,
                    data.Z.Wide());
            Tolerance.Close($"{mask}: logdet", got["logdet"][0] - (double)data.LogDet[0], expected, 1e-5, 1);
        }
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void ScaleIsBoundedByTheFactor(TestDevice device)
    {
        Data data = new(new Case(PixelMask.All, new PixelShape(1, 2, 2, 3), Layout.Dense));
        for (int i = 1; i < data.H.Length; i += 2) data.H[i] = i % 4 == 1 ? 1e30f : float.NegativeInfinity;
        Results got = Run(device.Backend, data);
        Assert.That(got["y"], Is.All.Matches<float>(float.IsFinite));
        Tolerance.Close("logdet", got["logdet"], MaskedCoupleReference.LogDet(PixelMask.All,
            data.Network(data.H.Wide()), data.Factor.Wide())
            .Zip(data.LogDet, static (a, b) => a + b).ToArray(), Relative);
    }

    private static Results Run(IBackend backend, Data data)
    {
        (PixelMask mask, PixelShape s, Layout layout) = data.Case;
        IMaskedCouple couple = backend.MaskedCouple;
        using Guarded memory = new(backend);
        View h = memory.Input("h", data.H, s.P, 2 * s.C), factor = memory.Input("factor", data.Factor);
        View y = memory.InOut("y", data.Z, s.P, s.C, layout), x = memory.InOut("x", data.Z, s.P, s.C, layout);
        View again = memory.InOut("again", data.Z, s.P, s.C, layout),
            source = memory.Input("source", data.Z, s.P, s.C, layout);
        View logdet = memory.InOut("logdet", data.LogDet, 1, s.N), undone = memory.InOut("undone", data.LogDet, 1, s.N);
        View dz = memory.InOut("dz", data.Dy, s.P, s.C, layout), dh = memory.Output("dh", s.P, 2 * s.C);
        View dfactor = memory.Output("dfactor", 1, s.C), condition = memory.Output("condition", s.P, s.C);
        View dcondition = memory.Input("dcondition", data.Dy, s.P, s.C),
            added = memory.InOut("added", data.Z, s.P, s.C, layout);
        couple.Forward(mask, s.Pixels, y, h, factor, logdet);
        couple.Backward(mask, s.Pixels, y, h, factor, dz, dh, dfactor, GLogDet);
        couple.Inverse(mask, s.Pixels, x, h, factor, View.None);
        couple.Forward(mask, s.Pixels, again, h, factor, undone);
        couple.Inverse(mask, s.Pixels, again, h, factor, undone);
        couple.Condition(mask, s.Pixels, source, condition);
        couple.AddCondition(mask, s.Pixels, dcondition, added);
        memory.Check();
        return new Results
        {
            ["y"] = memory.Read(y),
            ["x"] = memory.Read(x),
            ["again"] = memory.Read(again),
            ["logdet"] = memory.Read(logdet),
            ["undone"] = memory.Read(undone),
            ["dz"] = memory.Read(dz),
            ["dh"] = memory.Read(dh),
            ["dfactor"] = memory.Read(dfactor),
            ["condition"] = memory.Read(condition),
            ["added"] = memory.Read(added),
        };
    }

    private sealed class Data
    {
        public Data(Case shape)
        {
            PixelShape s = shape.Z;
            Draw draw = new(s.P + 31 * s.C);
            Case = shape;
            Z = draw.Normal(s.P * s.C);
            H = draw.Normal(2 * s.P * s.C, 0.8);
            Factor = draw.Normal(s.C, 0.3, 1);
            Dy = draw.Normal(s.P * s.C);
            LogDet = draw.Normal(s.N, 10);
        }

        public Case Case { get; }
        public float[] Z { get; }
        public float[] H { get; }
        public float[] Factor { get; }
        public float[] Dy { get; }
        public float[] LogDet { get; }
        public Nhwc Images => new(Z.Wide(), Case.Z.N, Case.Z.H, Case.Z.W, Case.Z.C);

        public Nhwc Network(double[] h) => new(h, Case.Z.N, Case.Z.H, Case.Z.W, 2 * Case.Z.C);
    }
}
