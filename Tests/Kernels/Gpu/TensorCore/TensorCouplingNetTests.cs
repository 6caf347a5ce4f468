using GlowGpu.Kernels;
using GlowGpu.Kernels.Gpu;
using GlowGpu.Kernels.Gpu.TensorCore;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Ptx;
using GlowGpu.Tests.Reference;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Gpu.TensorCore;

/// <summary>
/// The coupling network on tensor cores, as the PTX machine executes it, against the float64 reference.
/// </summary>
[TestFixture(Precision.Bf16)]
[TestFixture(Precision.Tf32)]
[Category("PtxMachine")]
internal sealed class TensorCouplingNetTests(Precision precision)
{
    // Activations are of size one, and of this size behind a layer that is held: this many deviations from zero none
    // of them crosses it.
    private const float Held = 8;

    private GpuBackend backend = null!;

    private static IEnumerable<NetworkShape> Shapes =>
        NetworkShape.Common.Where(static s => s.P * s.Width * (9L * s.In + s.Width + 9 * s.Out) <= 6_000_000);

    [OneTimeSetUp]
    public void Open() => backend = PtxGpu.Open(precision);

    [OneTimeTearDown]
    public void Close() => backend.Dispose();

    [TestCaseSource(nameof(Shapes))]
    public void FollowsTheReferenceWithinTheRoundingOfFactors(NetworkShape shape)
    {
        CouplingNetData data = new(shape);
        Results got = Run(fuses: false, data);
        double[] expected = CouplingNetReference.Forward(data.Images, data.Wide(), shape.EdgeBias).Data;
        Tolerance.Close("h", got["h"], expected, Relative, shape.N, shape.H, shape.W, shape.Out);
    }

    [TestCaseSource(nameof(Shapes))]
    public void BackwardFollowsTheReferenceWhereNoUnitSwitches(NetworkShape shape)
    {
        // A unit whose activation is rounded across zero would switch its gradient on or off, which no bound on
        // rounding covers.
        CouplingNetData data = new(shape);
        for (int j = 0; j < shape.Width; j++)
        {
            int sign = j % 2 == 0 ? 1 : -1;
            data["bias1"][j] = sign * Held;
            data["bias2"][j] = sign * Held * Held;
        }
        Results got = Run(fuses: false, data);
        Nhwc dh = data.Images with { Data = data.Dh.Wide(), C = shape.Out };
        (Nhwc dz1, CouplingNetWeights gradients) = CouplingNetReference.Backward(data.Images, data.Wide(),
            shape.EdgeBias, dh);
        double[] added = [.. data.Dz1.Wide().Zip(dz1.Data, static (before, d) => before + d)];
        Tolerance.Close("dz1", got["dz1"], added, Backward, shape.N, shape.H, shape.W, shape.In);
        foreach ((string name, double[] value) in CouplingNetData.Named(gradients))
            Tolerance.Close($"gradient of {name}", got[name], value, Backward);
    }

    [TestCaseSource(nameof(Shapes))]
    public void FusedAndOneByOneGiveTheSameBits(NetworkShape shape)
    {
        CouplingNetData data = new(shape);
        Results fused = Run(fuses: true, data), single = Run(fuses: false, data);
        foreach ((string name, float[] values) in single) Tolerance.SameBits(name, fused[name], values);
    }

    [Test]
    public void AFreshNetworkReturnsExactZeros()
    {
        CouplingNetData data = new(new NetworkShape(1, 3, 4, 3, 8, 6, true, Layout.FirstHalf));
        foreach (string zero in new[] { "w3", "bias3", "logs3" }) Array.Clear(data[zero]);
        Assert.That(Run(fuses: true, data)["h"], Is.All.Zero);
    }

    [Test]
    public void ImagesOfABatchDoNotMix()
    {
        NetworkShape two = new(2, 6, 7, 3, 24, 6, true, Layout.FirstHalf), one = two with { N = 1 };
        CouplingNetData batch = new(two);
        float[] h = Run(fuses: true, batch)["h"];
        Assert.That(Run(fuses: true, batch.Image())["h"], Is.EqualTo(h[..(one.P * one.Out)]));
    }

    // Three products in a row, each with both factors rounded; the errors of many terms mostly cancel.
    private double Relative => 8 * Rounding.Unit(precision);

    // Up to seven rounded factors on the way (weights, activations, gradients of the taps and of two layers), and the
    // worst of up to 262,144 sums with cancellation lies five deviations out.
    private double Backward => 16 * Rounding.Unit(precision);

    private Results Run(bool fuses, CouplingNetData data)
    {
        if (backend.CouplingNet is GpuTensorCouplingNet<BFloat16, BFloat16Outer, WarpTile64> bf16) bf16.Fuses = fuses;
        else ((GpuTensorCouplingNet<TensorFloat32, TensorFloat32Outer, WarpTile32>)backend.CouplingNet).Fuses = fuses;
        return CouplingNetRun.Run(backend, data);
    }
}
