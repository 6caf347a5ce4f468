using GlowGpu.Kernels;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Reference;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels;

[TestFixture]
public sealed class CoupleTests
{
    private const double Relative = 16 * Tolerance.Ulp;
    private const float GLogDet = -0.375f;

    /// <summary>z2 of a tensor with 2·C2 channels; the shape's C is C2.</summary>
    public sealed record Case(CouplingKind Kind, PixelShape Z2, Layout Layout) : ITestShape
    {
        public bool Tiny => Z2.Tiny;

        public bool Affine => Kind == CouplingKind.Affine;

        public int HiddenChannels => Affine ? 2 * Z2.C : Z2.C;

        public override string ToString() => $"{Kind} {Z2} {Layout}";
    }

    private static IEnumerable<Case> Shapes =>
        from kind in Enum.GetValues<CouplingKind>()
        from shape in PixelShape.Common
        from layout in shape.Tiny ? new[] { Layout.Dense, Layout.SecondHalf } : [Layout.SecondHalf]
        select new Case(kind, shape with { C = shape.C / 2 }, layout);

    private static IEnumerable<TestCaseData> Cases => Devices.With(Shapes);

    [TestCaseSource(nameof(Cases))]
    public void ForwardCouplesAndAddsTheLogDeterminant(TestDevice device, Case shape)
    {
        Data data = new(shape);
        Results got = Run(device.Backend, data);
        Nhwc h = data.Hidden;
        Tolerance.Close("z2", got["z2"], CoupleReference.Forward(shape.Affine, data.Input, h).Data, Relative,
            shape.Z2.P, shape.Z2.C);
        double[] expected = CoupleReference.LogDet(shape.Affine, h);
        for (int n = 0; n < expected.Length; n++) expected[n] += data.LogDet[n];
        Tolerance.Close("logdet", got["logdet"], expected, Relative);
    }

    [TestCaseSource(nameof(Cases))]
    public void InverseUndoesForwardAndItsLogDeterminant(TestDevice device, Case shape)
    {
        Data data = new(shape);
        Results got = Run(device.Backend, data);
        Tolerance.Close("z2", got["undone"], data.Z2.Wide(), 64 * Tolerance.Ulp, shape.Z2.P, shape.Z2.C);
        double[] before = data.LogDet.Wide(), scale = CoupleReference.LogDet(shape.Affine, data.Hidden);
        for (int n = 0; n < before.Length; n++)
            Tolerance.Close($"logdet[{n}]", got["undoneLogdet"][n], before[n], Relative, Math.Abs(scale[n]));
    }

    [TestCaseSource(nameof(Cases))]
    public void InverseMatchesReference(TestDevice device, Case shape)
    {
        Data data = new(shape);
        Results got = Run(device.Backend, data);
        Tolerance.Close("z2", got["inverse"], CoupleReference.Inverse(shape.Affine, data.Input, data.Hidden).Data,
            Relative, shape.Z2.P, shape.Z2.C);
        double[] expected = CoupleReference.LogDet(shape.Affine, data.Hidden);
        for (int n = 0; n < expected.Length; n++) expected[n] = data.LogDet[n] - expected[n];
        Tolerance.Close("logdet", got["inverseLogdet"], expected, Relative);
    }

    [TestCaseSource(nameof(Cases))]
    public void BackwardGivesTheGradients(TestDevice device, Case shape)
    {
        Data data = new(shape);
        Results got = Run(device.Backend, data);
        double Loss(double[] z2, double[] h)
        {
            Nhwc network = data.Hidden with { Data = h };
            Nhwc output = CoupleReference.Forward(shape.Affine, data.Input with { Data = z2 }, network);
            return output.Data.Zip(data.Dz2, static (v, g) => v * g).Sum()
                + GLogDet * CoupleReference.LogDet(shape.Affine, network).Sum();
        }
        GradientCheck.Check("z2", v => Loss(v, data.H.Wide()), data.Z2.Wide(), got["dz2"], Relative);
        GradientCheck.Check("h", v => Loss(data.Z2.Wide(), v), data.H.Wide(), got["dh"], Relative);
    }

    [TestCaseSource(nameof(Cases))]
    public void DevicesAgree(TestDevice device, Case shape) => Agreement.Check(device, backend =>
    {
        Results results = Run(backend, new Data(shape));
        // A difference of two equal numbers: its rounding error has no common scale with it.
        results.Remove("undoneLogdet");
        return results;
    }, Relative);

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void LogDeterminantIsThatOfTheFullJacobian(TestDevice device)
    {
        Data data = new(new Case(CouplingKind.Affine, new PixelShape(1, 2, 3, 3), Layout.SecondHalf));
        double expected = NumericJacobian.LogDeterminant(
            v => CoupleReference.Forward(true, data.Input with { Data = v }, data.Hidden).Data, data.Z2.Wide());
        Tolerance.Close("logdet", Run(device.Backend, data)["logdet"][0] - (double)data.LogDet[0], expected, Relative,
            1);
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void LogDeterminantMayBeLeftOut(TestDevice device)
    {
        Case shape = new(CouplingKind.Affine, new PixelShape(2, 1, 3, 3), Layout.SecondHalf);
        Data data = new(shape);
        using Guarded memory = new(device.Backend);
        View z2 = memory.InOut("z2", data.Z2, 6, 3, shape.Layout), h = memory.Input("h", data.H, 6, 6);
        device.Backend.Couple.Forward(shape.Kind, shape.Z2.Pixels, z2, h, View.None);
        Tolerance.SameBits("z2", memory.Read(z2), Run(device.Backend, data)["z2"]);
        device.Backend.Couple.Inverse(shape.Kind, shape.Z2.Pixels, z2, h, View.None);
        Tolerance.SameBits("z2", memory.Read(z2), Run(device.Backend, data)["undone"]);
        memory.Check();
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void ExtremeScalesStayFinite(TestDevice device)
    {
        float[] extremes = [50, -50, 1e4f, -1e4f, 88, -88, 104, -104, 0, -2];
        Case shape = new(CouplingKind.Affine, new PixelShape(1, 1, extremes.Length, 1), Layout.Dense);
        Data data = new(shape);
        for (int i = 0; i < extremes.Length; i++) data.H[2 * i + 1] = extremes[i];
        using Guarded memory = new(device.Backend);
        View z2 = memory.InOut("z2", data.Z2, extremes.Length, 1), h = memory.Input("h", data.H, extremes.Length, 2);
        View logdet = memory.InOut("logdet", [0], 1, 1);
        View dz2 = memory.InOut("dz2", data.Dz2, extremes.Length, 1), dh = memory.Output("dh", extremes.Length, 2);
        device.Backend.Couple.Forward(shape.Kind, shape.Z2.Pixels, z2, h, logdet);
        device.Backend.Couple.Backward(shape.Kind, shape.Z2.Pixels, z2, h, dz2, dh, GLogDet);
        memory.Check();
        Tolerance.Close("z2", memory.Read(z2), CoupleReference.Forward(true, data.Input, data.Hidden).Data, Relative);
        Tolerance.Close("logdet", memory.Read(logdet), CoupleReference.LogDet(true, data.Hidden), Relative);
        (Nhwc expectedDz2, Nhwc expectedDh) = CoupleReference.Backward(
            true, CoupleReference.Forward(true, data.Input, data.Hidden), data.Hidden,
                data.Input with { Data = data.Dz2.Wide() }, GLogDet);
        Tolerance.Close("dz2", memory.Read(dz2), expectedDz2.Data, Relative);
        Tolerance.Close("dh", memory.Read(dh), expectedDh.Data, Relative, extremes.Length, 2);
    }

    private static Results Run(IBackend backend, Data data)
    {
        (CouplingKind kind, PixelShape s, Layout layout) = data.Case;
        using Guarded memory = new(backend);
        View z2 = memory.InOut("z2", data.Z2, s.P, s.C, layout),
            h = memory.Input("h", data.H, s.P, data.Case.HiddenChannels);
        View logdet = memory.InOut("logdet", data.LogDet, 1, s.N);
        View dz2 = memory.InOut("dz2", data.Dz2, s.P, s.C, layout),
            dh = memory.Output("dh", s.P, data.Case.HiddenChannels);
        Results results = [];
        backend.Couple.Forward(kind, s.Pixels, z2, h, logdet);
        results["z2"] = memory.Read(z2);
        results["logdet"] = memory.Read(logdet);
        backend.Couple.Backward(kind, s.Pixels, z2, h, dz2, dh, GLogDet);
        results["dz2"] = memory.Read(dz2);
        results["dh"] = memory.Read(dh);
        Tolerance.SameBits("z2 after backward", memory.Read(z2), results["z2"]);
        backend.Couple.Inverse(kind, s.Pixels, z2, h, logdet);
        results["undone"] = memory.Read(z2);
        results["undoneLogdet"] = memory.Read(logdet);
        View latent = memory.InOut("latent", data.Z2, s.P, s.C, layout),
            inverseLogdet = memory.InOut("inverse logdet", data.LogDet, 1, s.N);
        backend.Couple.Inverse(kind, s.Pixels, latent, h, inverseLogdet);
        results["inverse"] = memory.Read(latent);
        results["inverseLogdet"] = memory.Read(inverseLogdet);
        memory.Check();
        return results;
    }

    private sealed class Data
    {
        public Data(Case shape)
        {
            Draw draw = new(shape.Z2.P + 31 * shape.Z2.C);
            Case = shape;
            Z2 = draw.Normal(shape.Z2.P * shape.Z2.C);
            H = draw.Normal(shape.Z2.P * shape.HiddenChannels);
            Dz2 = draw.Normal(shape.Z2.P * shape.Z2.C);
            LogDet = draw.Normal(shape.Z2.N, 10);
        }

        public Case Case { get; }
        public float[] Z2 { get; }
        public float[] H { get; }
        public float[] Dz2 { get; }
        public float[] LogDet { get; }
        public Nhwc Input => new(Z2.Wide(), Case.Z2.N, Case.Z2.H, Case.Z2.W, Case.Z2.C);
        public Nhwc Hidden => new(H.Wide(), Case.Z2.N, Case.Z2.H, Case.Z2.W, Case.HiddenChannels);
    }
}
