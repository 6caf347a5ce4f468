using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Kernels.Gpu;
using GlowGpu.Model;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Ptx;
using GlowGpu.Tests.Reference;
using NUnit.Framework;

namespace GlowGpu.Tests.Model;

/// <summary>
/// Whole models whose coupling networks multiply on tensor cores, against the golden values: as near to them as the
/// factors' rounding allows. On the PTX machine, and on a CUDA device where there is one.
/// </summary>
[TestFixture]
public sealed class PrecisionTests
{
    // As of the golden tests in float32. Both directions evaluate the same rounded network, so most values come back
    // as exactly as there; but where z1 comes back with another last bit it may round to the factor next to it.
    private const double Latent = 2e-5, ShareAsInSingle = 0.9;

    private static ProbedDevice? Cuda { get; } = DeviceProbe.Cuda().FirstOrDefault(static d => d.Obstacle is null
        && d.HasTensorCores);

    private static IEnumerable<TestCaseData> Cases =>
        from precision in (Precision[])[Precision.Tf32, Precision.Bf16]
        from name in FixtureFile.Names
        from device in Cuda is null ? (string[])["ptx"] : ["ptx", "cuda"]
        select new TestCaseData(device, precision, name).SetCategory(device == "ptx" ? "PtxMachine" : "Cuda");

    [TestCaseSource(nameof(Cases))]
    public void DecodesWhatItEncoded(string kind, Precision precision, string name)
    {
        using Opened device = new(kind, precision);
        Assert.That(device.Test.Backend.Precision, Is.EqualTo(precision));
        FixtureFile fixture = FixtureFile.Open(name);
        using ModelUnderTest model = ModelUnderTest.Golden(device.Test, fixture);
        float[] x = NoisyX(fixture);
        (Latents latents, BatchResult result) = model.Glow.Encode(x, fixture.Count, fixture.Labels);
        float[] decoded = model.Glow.Decode(latents, fixture.Labels);
        Tolerance.Close("decoded", decoded, x.Wide(), device.Rounding);
        Assert.That(decoded.Zip(x).Count(static p => Math.Abs(p.First - p.Second) <= Latent) / (double)x.Length,
            Is.GreaterThan(ShareAsInSingle), "share of values as exact as in float32");
        Tolerance.Close("log_likelihood", result.LogLikelihoods, fixture.Doubles("f64.log_likelihood"),
            device.Rounding);
    }

    [TestCaseSource(nameof(Cases))]
    public void GradientsPointWhereTheGoldenOnesDo(string kind, Precision precision, string name)
    {
        using Opened device = new(kind, precision);
        FixtureFile fixture = FixtureFile.Open(name);
        double[]? stored = null;
        foreach (MemoryMode memory in Enum.GetValues<MemoryMode>())
        {
            using ModelUnderTest model = ModelUnderTest.Golden(device.Test, fixture);
            BatchResult result = model.Glow.LossAndGradients(NoisyX(fixture), fixture.Count, fixture.Labels, memory,
                fixture.ClassWeight);
            Tolerance.Close("loss", result.Loss, fixture.Doubles("f64.loss")[0], device.Rounding);
            (string Name, float[] Values)[] gradients = [.. model.Gradients().Select(static g => (g.Key, g.Value))];
            double[] got = [.. gradients.SelectMany(static g => g.Values.Wide())];
            double[] golden = [.. gradients.SelectMany(g => fixture.Doubles("grad." + g.Name))];
            // A unit within rounding of zero may switch, so single entries are not bounded; all of them together are.
            Assert.That(Distance(got, golden), Is.LessThan(8 * device.Rounding), "gradients");
            if (stored is not null) Assert.That(Distance(got, stored), Is.LessThan(8 * device.Rounding),
                "stored and reversible");
            stored ??= got;
        }
    }

    private static double Distance(double[] a, double[] b) =>
        Math.Sqrt(a.Zip(b).Sum(static p => (p.First - p.Second) * (p.First - p.Second)) / b.Sum(static v => v * v));

    private static float[] NoisyX(FixtureFile fixture) =>
        DequantizeReference.Forward(fixture.Doubles("images"), fixture.Config.NBits, fixture.Doubles("noise")).Narrow();

    /// <summary>A device in a precision.</summary>
    private sealed class Opened : IDisposable
    {
        public Opened(string kind, Precision precision)
        {
            Rounding = precision == Precision.Bf16 ? 1.0 / (1 << 8) : 1.0 / (1 << 11);
            Test = kind == "ptx"
                ? new(kind, DeviceKind.Machine, "PtxMachine", () => PtxGpu.Open(precision))
                : new(kind, DeviceKind.Gpu, "Cuda", () => Cuda!.Open(precision));
        }

        public TestDevice Test { get; }

        /// <summary>Relative rounding of one factor.</summary>
        public double Rounding { get; }

        public void Dispose() => Test.Close();
    }
}
