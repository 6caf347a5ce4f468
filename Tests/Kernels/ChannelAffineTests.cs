using GlowGpu.Kernels;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Reference;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels;

[TestFixture]
public sealed class ChannelAffineTests
{
    // Wide channel vectors occur on the deep levels of large images.
    private static IEnumerable<PixelShape> Shapes => [.. PixelShape.Common, new(1, 3, 3, 48), new(1, 2, 5, 192),
        new(1, 1, 7, 384)];

    private static IEnumerable<TestCaseData> Cases => Devices.With(Shapes);

    [TestCaseSource(nameof(Cases))]
    public void AppliesTheMapToEveryPixel(TestDevice device, PixelShape shape)
    {
        Data data = new(shape);
        Results got = Run(device.Backend, data);
        Tolerance.Close("y", got["y"], Apply(data, data.X.Wide(), data.W.Wide(), data.B.Wide()), Sum(shape.C),
            shape.P, shape.C);
    }

    [TestCaseSource(nameof(Cases))]
    public void BackwardGivesTheGradients(TestDevice device, PixelShape shape)
    {
        Data data = new(shape);
        Results got = Run(device.Backend, data);
        double[] x = data.X.Wide(), w = data.W.Wide(), b = data.B.Wide(), dy = data.Dy.Wide();
        double Loss(double[] y) => y.Zip(dy, static (v, g) => v * g).Sum();
        GradientCheck.Check("x", v => Loss(Apply(data, v, w, b)), x, got["dx"], Sum(shape.C));
        GradientCheck.Check("w", v => Loss(Apply(data, x, v, b)), w, got["dw"], Sum(shape.P));
        GradientCheck.Check("b", v => Loss(Apply(data, x, w, v)), b, got["db"], Sum(shape.P));
    }

    [TestCaseSource(nameof(Cases))]
    public void DevicesAgree(TestDevice device, PixelShape shape) =>
        Agreement.Check(device, backend => Run(backend, new Data(shape)), Sum(Math.Max(shape.P, shape.C)));

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void PermutationMapsMoveChannelsExactly(TestDevice device)
    {
        PixelShape shape = new(1, 2, 3, 6);
        Data data = new(shape) { B = new float[6] };
        int[] order = new Draw(4).Permutation(6);
        data.W = ChannelMixReference.Permutation(order).Narrow();
        float[] y = Run(device.Backend, data)["y"];
        float[] expected = new float[y.Length];
        for (int i = 0; i < y.Length; i++) expected[i] = data.X[i / 6 * 6 + order[i % 6]];
        Tolerance.SameBits("y", y, expected, 6, 6);
    }

    private static double Sum(int terms) => 16 * Tolerance.Ulp * Math.Sqrt(terms);

    private static double[] Apply(Data data, double[] x, double[] w, double[] b) =>
        ConvolutionReference.Convolve1x1(new Nhwc(x, data.Shape.N, data.Shape.H, data.Shape.W, data.Shape.C), w,
            data.Shape.C)
            .Map((v, c) => v + b[c]).Data;

    private static Results Run(IBackend backend, Data data)
    {
        int p = data.Shape.P, c = data.Shape.C;
        using Guarded memory = new(backend);
        View x = memory.Input("x", data.X, p, c), w = memory.Input("w", data.W, c, c), b = memory.Input("b", data.B);
        View y = memory.Output("y", p, c), dy = memory.Input("dy", data.Dy, p, c);
        View dx = memory.Output("dx", p, c), dw = memory.Output("dw", c, c), db = memory.Output("db", 1, c);
        backend.ChannelAffine.Apply(x, w, b, y);
        backend.ChannelAffine.Backward(dy, x, w, dx, dw, db);
        memory.Check();
        return new Results
        {
            ["y"] = memory.Read(y),
            ["dx"] = memory.Read(dx),
            ["dw"] = memory.Read(dw),
            ["db"] = memory.Read(db)
        };
    }

    private sealed class Data
    {
        public Data(PixelShape shape)
        {
            Draw draw = new(shape.P + shape.C);
            Shape = shape;
            X = draw.Normal(shape.P * shape.C);
            W = draw.Mixing(shape.C);
            B = draw.Normal(shape.C);
            Dy = draw.Normal(shape.P * shape.C);
        }

        public PixelShape Shape { get; }
        public float[] X { get; }
        public float[] W { get; set; }
        public float[] B { get; init; }
        public float[] Dy { get; }
    }
}
