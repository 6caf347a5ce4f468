using GlowGpu.Bench.Gpu;
using GlowGpu.Bench.Ops;
using GlowGpu.Bench.Peers;
using GlowGpu.Bench.Report;
using GlowGpu.Bench.Roofline;
using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Kernels.Gpu;
using GlowGpu.Tests.Ptx;
using NUnit.Framework;

namespace GlowGpu.Tests.Bench;

/// <summary>What the report of a GPU computes from what was measured, and the checks of values it relies on.</summary>
[TestFixture]
internal sealed class GpuReportTests
{
    private static readonly DeviceCeilings Ceilings = new(64, 1024, [new("fp32", "ours", 10), new("fp32", "cuBLASLt",
        20), new("bf16", "cuBLASLt", 400)], [new("our kernel", 1000), new("the driver's copy", 2000)]);

    [Test]
    public void FloorIsTheSlowerOfComputingAndMovingAtTheBestCeilings()
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Ceilings.Floor(new Cost(20e9, 1e6), "fp32"), Is.EqualTo(1).Within(1e-12),
                "20 GFLOP at 20 TFLOP/s");
            Assert.That(Ceilings.Floor(new Cost(20e9, 4e9), "fp32"), Is.EqualTo(2).Within(1e-12), "4 GB at 2 TB/s");
            Assert.That(Ceilings.Floor(new Cost(0, 4e9), "tf32"), Is.EqualTo(2).Within(1e-12));
            Assert.That(Ceilings.Floor(new Cost(20e9, 1), "tf32"), Is.NaN, "no product was measured in that precision");
        }
    }

    [Test]
    public void CostsAreThoseOfTheirFormulas()
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Cost.Product(2, 3, 4), Is.EqualTo(new Cost(48, 4 * (8 + 12 + 6))));
            Assert.That(new ProductShape("p", 2, 3, 4).Cost("bf16"), Is.EqualTo(new Cost(48, 2 * (8 + 12 + 6))));
            Assert.That(Cost.Copy(10), Is.EqualTo(new Cost(0, 20)));
            Assert.That(Cost.Couple(CouplingKind.Additive, 10, 3), Is.EqualTo(new Cost(0, 360)));
            Assert.That(Cost.Couple(CouplingKind.Affine, 10, 3), Is.EqualTo(new Cost(0, 480)));
            Assert.That(Cost.CoupleBackward(CouplingKind.Additive, 10, 3), Is.EqualTo(new Cost(0, 240)));
        }
    }

    [Test]
    public void ProductsOfANetworkDoItsFlops()
    {
        CouplingNetShape net = new(6, 32, 12, EdgeBias: true);
        IReadOnlyList<ProductShape> products = ProductShape.Of(net, 100);
        double forward = products.Take(3).Sum(static p => p.Cost("fp32").Flops),
            backward = products.Skip(3).Sum(static p => p.Cost("fp32").Flops);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(forward, Is.EqualTo(Cost.CouplingNet(net, new Pixels(1, 10, 10), kept: true).Flops));
            Assert.That(backward, Is.EqualTo(Cost.CouplingNetBackward(net, new Pixels(1, 10, 10)).Flops));
        }
    }

    [Test]
    public void ATableHasRatiosAndReasons()
    {
        OperationRow row = OperationRow.Of("shape", "net", "fp32", new Timing([4, 2, 3]), new Cost(30e9, 1e6),
            Ceilings, 1e-7,
            [new PeerResult("cuDNN", 6, 5, 3, 1e-6, null), new PeerResult("slow", null, null, 0, null,
                "no algorithm")], true);
        OperationRow alone = OperationRow.Of("shape", "copying", "fp32", new Timing([1]), new Cost(0, 1e9),
            Ceilings, 0, [], true);
        string[] lines = OperationTable.ToMarkdown([row, alone], "no cuDNN").Split('\n');
        using (Assert.EnterMultipleScope())
        {
            Assert.That(lines, Has.Member("| net | fp32 | 3.00 | 2.00 | 3 | 10.0 | 0.3333 | 1.50 | 50 % | 1e-7 | "
                + "cuDNN | 6.00 | 2.00 | 1e-6 |"));
            Assert.That(lines, Has.Member("| net | fp32 |  |  |  |  |  |  |  |  | slow | – | – | – |"));
            Assert.That(lines,
                Has.Member(
                "| copying | fp32 | 1.00 | 1.00 | 1 |  | 1,000 | 0.5 | 50 % | 0e+0 | no cuDNN | – | – | – |"));
        }
    }

    [TestCase("--device", "gpu: --device needs a value")]
    [TestCase("--fast",
        "gpu: '--fast' is not an option; there are --device, --quick, --parts, --precision and --out FOLDER")]
    [TestCase("--device cpu", "gpu: --device is 'cpu'; it must be cuda or opencl")]
    [TestCase("--precision fp8", "gpu: 'fp8' is not a precision; there are fp32, tf32, bf16")]
    [TestCase("--parts steps,x", "gpu: 'x' is not a part; there are operations, products, steps, pytorch, memory")]
    public void WrongOptionsAreSentences(string arguments, string sentence) =>
        Assert.That(Assert.Throws<GlowException>(() => GpuOptions.Parse(arguments.Split(' ')))!.Message,
            Is.EqualTo(sentence));

    [TestCase(1f, 0x3F80)]
    [TestCase(1.00390625f, 0x3F80, TestName = "A tie goes to even, down")]
    [TestCase(1.01171875f, 0x3F82, TestName = "A tie goes to even, up")]
    [TestCase(1.00390637f, 0x3F81, TestName = "More than a tie goes up")]
    [TestCase(-3e38f, 0xFF62)]
    [TestCase(float.NaN, 0x7FC0)]
    public void Bf16RoundsToNearestEven(float value, int bits)
    {
        ushort[] rounded = new ushort[1];
        Bf16.Round([value], rounded);
        Assert.That(rounded[0], Is.EqualTo((ushort)bits));
    }

    [Test]
    public void AWrongResultIsRefused()
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(RelativeError.Of([3, 4.5f], [3, 4]), Is.EqualTo(0.1).Within(1e-7));
            Assert.That(() => RelativeError.Accept("x", "fp32", 0.1), Throws.TypeOf<GlowException>());
            Assert.That(() => RelativeError.Accept("x", "bf16", double.NaN), Throws.TypeOf<GlowException>());
            Assert.That(RelativeError.Accept("x", "bf16", 0.01), Is.EqualTo(0.01));
        }
    }

    private static IEnumerable<TestCaseData> Products =>
        from precision in Enum.GetValues<Precision>()
        from transposed in (string[])["", "a", "b"]
        select new TestCaseData(precision, transposed == "a", transposed == "b")
            .SetCategory(precision == Precision.Fp32 ? "Emulator" : "PtxMachine");

    [TestCaseSource(nameof(Products))]
    public void OurProductsAreRight(Precision precision, bool transposeA, bool transposeB)
    {
        using GpuBackend backend = precision == Precision.Fp32 ? DeviceProbe.Emulated(4).Open()
            : PtxGpu.Open(precision);
        ProductShape shape = new("test", 5, 7, 9, transposeA, transposeB);
        using ProductOperands operands = new(backend, shape, bf16: false);
        Assert.That(operands.Error(), Is.EqualTo(1).Within(1e-6), "nothing is there yet");
        OurProduct product = OurProduct.Of(backend, shape, operands);
        product.Queue();
        product.Finish();
        // Rounding of both factors, to 24, 11 and 8 bits.
        double rounding = precision switch { Precision.Fp32 => 1e-6, Precision.Tf32 => 1e-3, _ => 8e-3 };
        Assert.That(operands.Error(), Is.LessThan(rounding));
    }

    [Test]
    public void FiltersAreLaidOutAsCudnnReadsThem()
    {
        // A 3×3 convolution over [2,3,4,5] by the definition of NHWC and KRSC with channels padded to 8, against the
        // host's operation.
        using Device host = DeviceFactory.Open("cpu", 1);
        Pixels pixels = new(2, 3, 4);
        const int In = 5, Out = 3, Padded = 8;
        ConvolutionReference right = ConvolutionReference.Of(host, new ZeroConvShape(In, Out, EdgeBias: true), pixels);
        ConvolutionLayer layer = right.Layers[0];
        float[] x = FilterLayout.Widen(right.Input, In, Padded), krsc = FilterLayout.ToKrsc(layer.Weight, 9, In,
            Out, Padded, Padded);
        float[] y = new float[pixels.Count * Padded];
        for (int p = 0; p < pixels.Count; p++)
            for (int k = 0; k < Out; k++)
            {
                double sum = layer.Bias[k];
                for (int tap = 0; tap < 9; tap++)
                {
                    int row = p / pixels.W % pixels.H + tap / 3 - 1, col = p % pixels.W + tap % 3 - 1;
                    if (row < 0 || row >= pixels.H || col < 0 || col >= pixels.W) continue;
                    int q = (p / (pixels.H * pixels.W) * pixels.H + row) * pixels.W + col;
                    for (int c = 0; c < Padded; c++) sum += (double)x[q * Padded + c]
                        * krsc[(k * 9 + tap) * Padded + c];
                }
                y[p * Padded + k] = (float)sum;
            }
        using (Assert.EnterMultipleScope())
        {
            Assert.That(RelativeError.Of(FilterLayout.Narrow(y, Padded, Out), right.Output), Is.LessThan(1e-6));
            Assert.That(FilterLayout.FromKrsc(krsc, 9, In, Out, Padded), Is.EqualTo(layer.Weight));
        }
    }

    [Test]
    public void EveryShapeOfTheReportIsThePublishedOne()
    {
        Assert.That(OpShape.Gpu.Select(static s => (s.Batch, s.Config.Width)).Distinct(),
            Is.EquivalentTo(new[] { (64, 512), (256, 512), (4, 512) }));
        Assert.That(OpShape.Gpu.Count(static s => s.Leads), Is.EqualTo(2), "one for each model");
    }
}
