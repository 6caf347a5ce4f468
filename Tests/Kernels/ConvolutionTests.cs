using GlowGpu.Kernels;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Reference;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels;

[TestFixture]
public sealed class ConvolutionTests
{
    /// <summary>A convolution of images; the network's width plays no part.</summary>
    public sealed record Case(int Size, bool Relu, NetworkShape Net) : ITestShape
    {
        public bool Tiny => Net.Tiny;

        public bool Large => (long)Net.P * Net.In * Size * Size > 1_000_000;

        public ConvolutionShape Shape => new(Size, Net.In, Net.Out, Relu);

        public override string ToString() => $"{Size}×{Size}{(Relu ? " relu" : "")} {Net}";
    }

    private static IEnumerable<Case> Shapes =>
    [
        .. from net in NetworkShape.Common from size in new[] { 1, 3 } select new Case(size,
        (net.Out + size) % 4 == 1, net),
        // Fully connected layers, and a batch that backward takes in several pieces of several images.
        new(1, true, new NetworkShape(70, 1, 1, 130, 1, 67, false, Layout.FirstHalf)),
        new(3, true, new NetworkShape(5, 16, 33, 128, 1, 6, false, Layout.Dense)),
    ];

    private static IEnumerable<TestCaseData> Cases => Devices.With(Shapes);

    private static IEnumerable<TestCaseData> SmallCases =>
        Devices.With(Shapes.Where(static s => s.Net.P * s.Net.In * s.Net.Out <= 8000));

    [TestCaseSource(nameof(Cases))]
    public void ForwardAndBackwardMatchTheReference(TestDevice device, Case shape)
    {
        Data data = new(shape);
        Results got = Run(device.Backend, data);
        NetworkShape net = shape.Net;
        double relative = device.Network(net.Relative);
        Tolerance.Close("y", got["y"], Forward(data, data.X.Wide(), data.W.Wide(), data.Bias.Wide()).Data, relative,
            net.N, net.H, net.W, net.Out);
        // The reference is given the ReLU that this device took, so that a value that rounds to the other side of 0
        // is no error.
        Nhwc dy = data.Images with
        {
            Data = [.. data.Dy.Select((d, i) => shape.Relu && !(got["y"][i] > 0) ? 0
            : (double)d)],
            C = net.Out
        };
        (Nhwc dx, double[] dw, double[] dbias) = PlainConvolutionReference.Backward(
            shape.Size, data.Images, data.W.Wide(), data.Bias.Wide(), relu: false, dy);
        double[] added = [.. data.Dx.Wide().Zip(dx.Data, static (before, d) => before + d)];
        Tolerance.Close("dx", got["dx"], added, relative, net.N, net.H, net.W, net.In);
        Tolerance.Close("dw", got["dw"], dw, relative, shape.Size, shape.Size, net.In, net.Out);
        Tolerance.Close("dbias", got["dbias"], dbias, relative);
    }

    [TestCaseSource(nameof(SmallCases))]
    public void GradientsBelongToTheForward(TestDevice device, Case shape)
    {
        Data data = new(shape);
        Results got = Run(device.Backend, data);
        double relative = device.Network(shape.Net.Relative);
        double[] x = data.X.Wide(), w = data.W.Wide(), bias = data.Bias.Wide();
        Smoothness smoothness = shape.Relu ? Smoothness.Kinked : Smoothness.Smooth;
        double Loss(Nhwc y) => y.Data.Zip(data.Dy, static (v, g) => v * g).Sum();
        float[] dx = [.. got["dx"].Zip(data.Dx, static (after, before) => after - before)];
        GradientCheck.Check("x", v => Loss(Forward(data, v, w, bias)), x, dx, 4 * relative, smoothness);
        GradientCheck.Check("w", v => Loss(Forward(data, x, v, bias)), w, got["dw"], relative, smoothness);
        GradientCheck.Check("bias", v => Loss(Forward(data, x, w, v)), bias, got["dbias"], relative, smoothness);
    }

    [TestCaseSource(nameof(Cases))]
    public void DevicesAgree(TestDevice device, Case shape) =>
        Agreement.Check(device, backend => Run(backend, new Data(shape)), shape.Net.Relative, isNetwork: true);

    private static Nhwc Forward(Data data, double[] x, double[] w, double[] bias) =>
        PlainConvolutionReference.Forward(data.Case.Size, data.Images with { Data = x }, w, bias, data.Case.Relu);

    private static Results Run(IBackend backend, Data data)
    {
        NetworkShape net = data.Case.Net;
        ConvolutionShape s = data.Case.Shape;
        IConvolution conv = backend.Convolution;
        using Guarded memory = new(backend);
        ConvolutionParameters parameters = new(memory.Input("w", data.W), memory.Input("bias", data.Bias));
        ConvolutionParameters gradients = new(memory.Output("dw", 1, data.W.Length),
            memory.Output("dbias", 1, net.Out));
        View packed = memory.InOut("packed", new float[conv.PackedLength(s)], 1, checked((int)conv.PackedLength(s)));
        View x = memory.Input("x", data.X, net.P, net.In, net.Layout), dy = memory.Input("dy", data.Dy, net.P, net.Out);
        View y = memory.Output("y", net.P, net.Out), dx = memory.InOut("dx", data.Dx, net.P, net.In, net.Layout);
        conv.Pack(s, parameters, packed);
        conv.Forward(s, net.Pixels, x, packed, y);
        conv.Backward(s, net.Pixels, x, y, packed, dy, dx, gradients);
        memory.Check();
        return new Results
        {
            ["y"] = memory.Read(y),
            ["dx"] = memory.Read(dx),
            ["dw"] = memory.Read(gradients.W),
            ["dbias"] = memory.Read(gradients.Bias),
        };
    }

    private sealed class Data
    {
        public Data(Case shape)
        {
            NetworkShape net = shape.Net;
            Draw draw = new(net.P + 31 * net.In + shape.Size);
            Case = shape;
            W = draw.Normal(shape.Shape.Rows * net.Out, 1 / Math.Sqrt(shape.Shape.Rows));
            Bias = draw.Normal(net.Out, 0.3);
            X = draw.Normal(net.P * net.In);
            Dy = draw.Normal(net.P * net.Out);
            Dx = draw.Normal(net.P * net.In);
        }

        public Case Case { get; }
        public float[] W { get; }
        public float[] Bias { get; }
        public float[] X { get; }
        public float[] Dy { get; }
        public float[] Dx { get; }
        public Nhwc Images => new(X.Wide(), Case.Net.N, Case.Net.H, Case.Net.W, Case.Net.In);
    }
}
