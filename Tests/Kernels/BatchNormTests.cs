using GlowGpu.Kernels;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Reference;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels;

[TestFixture]
public sealed class BatchNormTests
{
    private const double Relative = 64 * Tolerance.Ulp;
    private const float GLogDet = -0.375f, Momentum = 0.25f;

    /// <summary>x with the shape's pixels and channels, with or without gain, bias and ReLU.</summary>
    public sealed record Case(bool Affine, PixelShape X) : ITestShape
    {
        public bool Tiny => X.Tiny;

        public override string ToString() => $"{(Affine ? "network" : "flow")} {X}";
    }

    private static IEnumerable<Case> Shapes =>
        from affine in new[] { false, true }
        from shape in PixelShape.Common.Append(new PixelShape(2, 3, 5, 600))
        where shape.P > 1
        select new Case(affine, shape);

    private static IEnumerable<TestCaseData> Cases => Devices.With(Shapes);

    private static IEnumerable<TestCaseData> SmallCases =>
        Devices.With(Shapes.Where(static s => s.X.P * s.X.C <= 2000));

    [TestCaseSource(nameof(Cases))]
    public void ForwardMatchesTheReference(TestDevice device, Case shape)
    {
        Data data = new(shape);
        Results got = Run(device.Backend, data);
        (double[] mean, double[] variance) = BatchNormReference.Measure(data.Images);
        Tolerance.Close("mean", got["mean"], mean, Relative);
        Tolerance.Close("variance", got["variance"], variance, Relative);
        Nhwc n = BatchNormReference.Normalize(data.Images, mean, variance);
        double[] y = shape.Affine ? BatchNormReference.Network(data.Images, mean, variance, data.Gain.Wide(),
            data.Bias.Wide()).Data : n.Data;
        Tolerance.Close("y", got["y"], y, Relative, shape.X.P, shape.X.C);
        Tolerance.Close("again", got["again"], data.X.Wide(), Relative, shape.X.P, shape.X.C);
        double logDet = BatchNormReference.LogDet(data.Images, variance);
        for (int i = 0; i < shape.X.N; i++)
            Tolerance.Close($"logdet[{i}]", got["logdet"][i], data.LogDet[i] + logDet, Relative,
                Math.Abs(data.LogDet[i]) + Math.Abs(logDet));
        double[] running = [.. data.Running.Select((r, c) => (1 - Momentum) * (double)r + Momentum * mean[c])];
        Tolerance.Close("running", got["running"], running, Relative);
    }

    [TestCaseSource(nameof(Cases))]
    public void BackwardMatchesTheReference(TestDevice device, Case shape)
    {
        Data data = new(shape);
        Results got = Run(device.Backend, data);
        (double[] mean, double[] variance) = BatchNormReference.Measure(data.Images);
        (Nhwc dx, double[] dgain, double[] dbias) = BatchNormReference.Backward(data.Images, mean, variance,
            shape.Affine ? data.Gain.Wide() : null, shape.Affine ? data.Bias.Wide() : null,
            data.Images with { Data = data.Dy.Wide() }, GLogDet);
        double[] added = [.. data.Dx.Wide().Zip(dx.Data, static (before, d) => before + d)];
        Tolerance.Close("dx", got["dx"], added, Relative, shape.X.P, shape.X.C);
        if (!shape.Affine) return;
        Tolerance.Close("dgain", got["dgain"], dgain, Relative * Math.Sqrt(shape.X.P));
        Tolerance.Close("dbias", got["dbias"], dbias, Relative * Math.Sqrt(shape.X.P));
    }

    [TestCaseSource(nameof(SmallCases))]
    public void GradientsGoThroughTheBatchStatistics(TestDevice device, Case shape)
    {
        Data data = new(shape);
        Results got = Run(device.Backend, data);
        double[] x = data.X.Wide(), gain = data.Gain.Wide(), bias = data.Bias.Wide();
        double Loss(double[] values, double[] scale, double[] shift)
        {
            Nhwc images = data.Images with { Data = values };
            (double[] mean, double[] variance) = BatchNormReference.Measure(images);
            Nhwc y = shape.Affine
                ? BatchNormReference.Network(images, mean, variance, scale, shift)
                : BatchNormReference.Normalize(images, mean, variance);
            return y.Data.Zip(data.Dy, static (v, g) => v * g).Sum()
                + GLogDet * shape.X.N * BatchNormReference.LogDet(images, variance);
        }
        Smoothness smoothness = shape.Affine ? Smoothness.Kinked : Smoothness.Smooth;
        double relative = Relative * Math.Sqrt(shape.X.P);
        float[] dx = [.. got["dx"].Zip(data.Dx, static (after, before) => after - before)];
        GradientCheck.Check("x", v => Loss(v, gain, bias), x, dx, 16 * relative, smoothness);
        if (!shape.Affine) return;
        GradientCheck.Check("gain", v => Loss(x, v, bias), gain, got["dgain"], relative, smoothness);
        GradientCheck.Check("bias", v => Loss(x, gain, v), bias, got["dbias"], relative, smoothness);
    }

    [TestCaseSource(nameof(Cases))]
    public void DevicesAgree(TestDevice device, Case shape) =>
        Agreement.Check(device, backend => Run(backend, new Data(shape)), 4 * Relative * Math.Sqrt(shape.X.P));

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void LogDeterminantIsThatOfTheJacobian(TestDevice device)
    {
        // With statistics held fixed, as evaluation has them.
        Data data = new(new Case(false, new PixelShape(1, 3, 4, 3)));
        Results got = Run(device.Backend, data);
        double[] mean = got["mean"].Wide(), variance = got["variance"].Wide();
        double expected = NumericJacobian.LogDeterminant(
            v => BatchNormReference.Normalize(data.Images with { Data = v }, mean, variance).Data, data.X.Wide());
        Tolerance.Close("logdet", got["logdet"][0] - (double)data.LogDet[0], expected, 1e-5, 1);
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void ChannelThatNeverChangesStaysFinite(TestDevice device)
    {
        Data data = new(new Case(false, new PixelShape(2, 2, 3, 6)));
        for (int p = 0; p < data.X.Length / 6; p++) data.X[6 * p + 2] = 0.75f;
        foreach ((string name, float[] values) in Run(device.Backend, data))
            Assert.That(values, Is.All.Matches<float>(float.IsFinite), name);
    }

    private static Results Run(IBackend backend, Data data)
    {
        PixelShape s = data.Case.X;
        bool affine = data.Case.Affine;
        IBatchNorm norm = backend.BatchNorm;
        using Guarded memory = new(backend);
        View x = memory.Input("x", data.X, s.P, s.C), dy = memory.Input("dy", data.Dy, s.P, s.C);
        View mean = memory.Output("mean", 1, s.C), variance = memory.Output("variance", 1, s.C);
        View y = memory.Output("y", s.P, s.C), n = memory.Output("n", s.P, s.C),
            again = memory.Output("again", s.P, s.C);
        View logdet = memory.InOut("logdet", data.LogDet, 1, s.N), dx = memory.InOut("dx", data.Dx, s.P, s.C);
        View running = memory.InOut("running", data.Running, 1, s.C);
        BatchNormAffine parameters = affine ? new(memory.Input("gain", data.Gain), memory.Input("bias", data.Bias))
            : default;
        BatchNormAffine gradients = affine ? new(memory.Output("dgain", 1, s.C), memory.Output("dbias", 1, s.C))
            : default;
        norm.Measure(x, mean, variance);
        norm.Apply(x, mean, variance, parameters, y);
        norm.Apply(x, mean, variance, default, n);
        norm.Invert(n, mean, variance, again);
        norm.AddLogDet(s.Pixels, variance, 1, logdet);
        norm.Backward(x, mean, variance, parameters, dy, GLogDet, dx, gradients);
        norm.Blend(mean, running, Momentum, memory.Input("no", [float.NaN]));
        Tolerance.SameBits("running statistics of a step that is skipped", memory.Read(running), data.Running);
        norm.Blend(mean, running, Momentum, memory.Input("yes", [0.5f]));
        memory.Check();
        Results results = new()
        {
            ["mean"] = memory.Read(mean),
            ["variance"] = memory.Read(variance),
            ["y"] = memory.Read(y),
            ["again"] = memory.Read(again),
            ["logdet"] = memory.Read(logdet),
            ["dx"] = memory.Read(dx),
            ["running"] = memory.Read(running),
        };
        if (!affine) return results;
        results["dgain"] = memory.Read(gradients.Gain);
        results["dbias"] = memory.Read(gradients.Bias);
        return results;
    }

    private sealed class Data
    {
        public Data(Case shape)
        {
            PixelShape s = shape.X;
            Draw draw = new(s.P + 31 * s.C);
            Case = shape;
            X = draw.Normal(s.P * s.C, 1.5, 0.4);
            Dy = draw.Normal(s.P * s.C);
            Dx = draw.Normal(s.P * s.C);
            Gain = draw.Normal(s.C, 0.3, 1);
            Bias = draw.Normal(s.C, 0.3);
            LogDet = draw.Normal(s.N, 10);
            Running = draw.Normal(s.C);
        }

        public Case Case { get; }
        public float[] X { get; }
        public float[] Dy { get; }
        public float[] Dx { get; }
        public float[] Gain { get; }
        public float[] Bias { get; }
        public float[] LogDet { get; }
        public float[] Running { get; }
        public Nhwc Images => new(X.Wide(), Case.X.N, Case.X.H, Case.X.W, Case.X.C);
    }
}
