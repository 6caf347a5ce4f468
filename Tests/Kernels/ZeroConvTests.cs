using GlowGpu.Kernels;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Reference;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels;

[TestFixture]
public sealed class ZeroConvTests
{
    private static IReadOnlyList<NetworkShape> Shapes => NetworkShape.Common;

    private static IEnumerable<TestCaseData> Cases => Devices.With(Shapes);

    private static IEnumerable<TestCaseData> SmallCases =>
        Devices.With(Shapes.Where(static s => s.P * s.In * s.Out <= 8000));

    [TestCaseSource(nameof(Cases))]
    public void ForwardMatchesReference(TestDevice device, NetworkShape shape)
    {
        Data data = new(shape);
        double[] expected = Forward(data, data.X.Wide(), data.W.Wide(), data.Bias.Wide(), data.Logs.Wide()).Data;
        Tolerance.Close("h", Run(device.Backend, data)["h"], expected, device.Network(shape.Relative), shape.N,
            shape.H, shape.W, shape.Out);
    }

    [TestCaseSource(nameof(Cases))]
    public void BackwardMatchesReference(TestDevice device, NetworkShape shape)
    {
        Data data = new(shape);
        Results got = Run(device.Backend, data);
        Nhwc dh = data.Images with { Data = data.Dh.Wide(), C = shape.Out };
        (Nhwc dx, double[] dw, double[] dbias, double[] dlogs) = ZeroConvReference.Backward(
            data.Images, data.W.Wide(), data.Bias.Wide(), data.Logs.Wide(), shape.EdgeBias, dh);
        double relative = device.Network(shape.Relative);
        double[] added = [.. data.Dx.Wide().Zip(dx.Data, static (before, d) => before + d)];
        Tolerance.Close("dx", got["dx"], added, relative, shape.N, shape.H, shape.W, shape.In);
        Tolerance.Close("dw", got["dw"], dw, relative, 3, 3, shape.ZeroConv.In1, shape.Out);
        Tolerance.Close("dbias", got["dbias"], dbias, relative);
        Tolerance.Close("dlogs", got["dlogs"], dlogs, relative);
    }

    [TestCaseSource(nameof(SmallCases))]
    public void GradientsBelongToTheForward(TestDevice device, NetworkShape shape)
    {
        Data data = new(shape);
        Results got = Run(device.Backend, data);
        double relative = device.Network(shape.Relative);
        double[] x = data.X.Wide(), w = data.W.Wide(), bias = data.Bias.Wide(), logs = data.Logs.Wide();
        double Loss(Nhwc h) => h.Data.Zip(data.Dh, static (v, g) => v * g).Sum();
        float[] dx = [.. got["dx"].Zip(data.Dx, static (after, before) => after - before)];
        GradientCheck.Check("x", v => Loss(Forward(data, v, w, bias, logs)), x, dx, 4 * relative);
        GradientCheck.Check("w", v => Loss(Forward(data, x, v, bias, logs)), w, got["dw"], relative);
        GradientCheck.Check("bias", v => Loss(Forward(data, x, w, v, logs)), bias, got["dbias"], relative);
        GradientCheck.Check("logs", v => Loss(Forward(data, x, w, bias, v)), logs, got["dlogs"], relative);
    }

    [TestCaseSource(nameof(Cases))]
    public void DevicesAgree(TestDevice device, NetworkShape shape) =>
        Agreement.Check(device, backend => Run(backend, new Data(shape)), shape.Relative, isNetwork: true);

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void FreshConvolutionReturnsExactZeros(TestDevice device)
    {
        Data data = new(new NetworkShape(1, 3, 4, 3, 4, 6, true, Layout.FirstHalf));
        Array.Clear(data.W);
        Array.Clear(data.Bias);
        Array.Clear(data.Logs);
        Assert.That(Run(device.Backend, data)["h"], Is.All.Zero);
    }

    private static Nhwc Forward(Data data, double[] x, double[] w, double[] bias, double[] logs) =>
        ZeroConvReference.Forward(data.Images with { Data = x }, w, bias, logs, data.Shape.EdgeBias);

    private static Results Run(IBackend backend, Data data)
    {
        NetworkShape shape = data.Shape;
        ZeroConvShape s = shape.ZeroConv;
        IZeroConv conv = backend.ZeroConv;
        using Guarded memory = new(backend);
        ZeroConvParameters parameters = new(memory.Input("w", data.W), memory.Input("bias", data.Bias),
            memory.Input("logs", data.Logs));
        ZeroConvParameters gradients = new(
            memory.Output("dw", 1, data.W.Length), memory.Output("dbias", 1, shape.Out),
                memory.Output("dlogs", 1, shape.Out));
        View packed = memory.InOut("packed", new float[conv.PackedLength(s)], 1, checked((int)conv.PackedLength(s)));
        View x = memory.Input("x", data.X, shape.P, shape.In, shape.Layout),
            dh = memory.Input("dh", data.Dh, shape.P, shape.Out);
        View h = memory.Output("h", shape.P, shape.Out), dx = memory.InOut("dx", data.Dx, shape.P,
            shape.In, shape.Layout);
        conv.Pack(s, parameters, packed);
        conv.Forward(s, shape.Pixels, x, packed, h);
        conv.Backward(s, shape.Pixels, x, h, packed, parameters, dh, dx, gradients);
        memory.Check();
        return new Results
        {
            ["h"] = memory.Read(h),
            ["dx"] = memory.Read(dx),
            ["dw"] = memory.Read(gradients.W),
            ["dbias"] = memory.Read(gradients.Bias),
            ["dlogs"] = memory.Read(gradients.Logs),
        };
    }

    private sealed class Data
    {
        public Data(NetworkShape shape)
        {
            Draw draw = new(shape.P + 31 * shape.In);
            ZeroConvShape s = shape.ZeroConv;
            Shape = shape;
            W = draw.Normal(9 * s.In1 * s.Out, 1 / Math.Sqrt(9 * s.In1));
            Bias = draw.Normal(s.Out, 0.3);
            Logs = draw.Normal(s.Out, 0.1);
            X = draw.Normal(shape.P * s.In);
            Dh = draw.Normal(shape.P * s.Out);
            Dx = draw.Normal(shape.P * s.In);
        }

        public NetworkShape Shape { get; }
        public float[] W { get; }
        public float[] Bias { get; }
        public float[] Logs { get; }
        public float[] X { get; }
        public float[] Dh { get; }
        public float[] Dx { get; }
        public Nhwc Images => new(X.Wide(), Shape.N, Shape.H, Shape.W, Shape.In);
    }
}
