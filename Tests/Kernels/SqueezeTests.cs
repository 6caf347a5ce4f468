using GlowGpu.Kernels;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Reference;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels;

[TestFixture]
public sealed class SqueezeTests
{
    /// <summary>x, dense or the first half of a split's input.</summary>
    public sealed record Case(PixelShape X, Layout Layout) : ITestShape
    {
        public bool Tiny => X.Tiny;

        public override string ToString() => $"{X} {Layout}";
    }

    private static IEnumerable<Case> Shapes =>
        from shape in new PixelShape[] { new(1, 2, 2, 1), new(1, 2, 4, 3), new(2, 4, 2, 3), new(3, 4, 6, 12),
            new(1, 10, 14, 15), new(2, 2, 98, 6), new(1, 32, 32, 3) }
        from layout in new[] { Layout.Dense, Layout.FirstHalf }
        select new Case(shape, layout);

    private static IEnumerable<TestCaseData> Cases => Devices.With(Shapes);

    [TestCaseSource(nameof(Cases))]
    public void ForwardMovesEveryValueToItsPlace(TestDevice device, Case shape)
    {
        (float[] x, float[] y, _) = Run(device.Backend, shape);
        PixelShape s = shape.X;
        Tolerance.SameBits("y", y, SqueezeReference.Forward(new Nhwc(x.Wide(), s.N, s.H, s.W, s.C)).Data.Narrow(),
            s.P / 4, 4 * s.C);
    }

    [TestCaseSource(nameof(Cases))]
    public void InverseMovesItBack(TestDevice device, Case shape)
    {
        (float[] x, _, float[] again) = Run(device.Backend, shape);
        Tolerance.SameBits("x", again, x, shape.X.P, shape.X.C);
    }

    [Test]
    public void ChannelOrderIsFourTimesCPlusTwoDyPlusDx()
    {
        Nhwc y = SqueezeReference.Forward(new Nhwc([0, 10, 1, 11, 2, 12, 3, 13], 1, 2, 2, 2));
        Assert.That(y.Data, Is.EqualTo(new double[] { 0, 1, 2, 3, 10, 11, 12, 13 }));
    }

    private static (float[] X, float[] Y, float[] Again) Run(IBackend backend, Case shape)
    {
        PixelShape s = shape.X;
        float[] values = new Draw(s.P).Normal(s.P * s.C);
        using Guarded memory = new(backend);
        View x = memory.Input("x", values, s.P, s.C, shape.Layout), y = memory.Output("y", s.P / 4, 4 * s.C);
        View again = memory.Output("again", s.P, s.C, shape.Layout);
        backend.Squeeze.Forward(s.Pixels, x, y);
        backend.Squeeze.Inverse(s.Pixels, y, again);
        memory.Check();
        return (values, memory.Read(y), memory.Read(again));
    }
}
