using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Model;
using GlowGpu.Model.Layers;
using GlowGpu.Model.Training;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Engine;
using GlowGpu.Tests.Reference;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Families;

/// <summary>RealNVP and NICE against references in double, and what every model promises beside its numbers.</summary>
[TestFixture]
public sealed class FamilyTests
{
    private const double Forward = 4e-6, Latent = 4e-5, Gradient = 4e-4;

    /// <summary>A small model of a family and a batch.</summary>
    public sealed record Case(FlowConfig Config, int Count) : ITestShape
    {
        public bool Tiny => Config.Dimensions * Config.Depth * Count <= 120;

        public float[] Images(int seed = 3) => new Draw(seed).Uniform(Count * Config.Dimensions, -0.5, 0.5);

        public Batch Bytes(int seed = 3) => new(Count, new Draw(seed).Integers(Count * Config.Dimensions, 256), null);

        public override string ToString() => $"{Config.Family} "
            + $"[{Count},{Config.Height},{Config.ImageWidth},{Config.Channels}] L={Config.Levels} K={Config.Depth}";
    }

    private static IEnumerable<Case> Shapes =>
    [
        new(new RealNvpConfig { ImageSize = [2, 4], Channels = 1, Levels = 2, Depth = 1, Width = 3, Blocks = 1 }, 4),
        new(new RealNvpConfig { ImageSize = [4, 4], Channels = 3, Levels = 2, Depth = 2, Width = 5, Blocks = 1 }, 3),
        new(new RealNvpConfig { ImageSize = [8, 4], Channels = 1, Levels = 3, Depth = 3, Width = 4, Blocks = 2 }, 8),
        new(new RealNvpConfig { ImageSize = [3, 5], Channels = 2, Levels = 1, Depth = 2, Width = 6,
            Blocks = 0, NBits = 5 }, 3),
        new(new NiceConfig { ImageSize = [2, 3], Channels = 1, Depth = 3, Width = 5, Hidden = 1 }, 3),
        new(new NiceConfig { ImageSize = [4, 4], Channels = 3, Depth = 4, Width = 9, Hidden = 3, NBits = 5 }, 5),
        new(new NiceConfig { ImageSize = [4, 2], Channels = 3, Depth = 1, Width = 7, Hidden = 2, Prior = "gaussian" },
            2),
    ];

    private static IEnumerable<TestCaseData> Cases => Devices.With(Shapes);

    [TestCaseSource(nameof(Cases))]
    public void EncodesAndDecodesAsTheReference(TestDevice device, Case shape)
    {
        using FamilyUnderTest model = new(device, shape.Config);
        float[] x = shape.Images();
        (Latents latents, BatchResult result) = model.Model.Encode(x, shape.Count, null);
        (double[] expected, Nhwc[] eps) = model.Encode(x.Wide(), shape.Count, training: false);
        Tolerance.Close("log_likelihood", result.LogLikelihoods, expected, device.Network(Forward));
        for (int l = 0; l < eps.Length; l++)
        {
            (int h, int w, int c) = shape.Config.LatentShape(l);
            Assert.That((eps[l].H, eps[l].W, eps[l].C), Is.EqualTo((h, w, c)), $"eps{l}");
            Tolerance.Close($"eps{l}", latents.Eps[l], eps[l].Data, device.Network(Latent), shape.Count, h, w, c);
        }
        float[] again = model.Model.Decode(latents, null);
        Tolerance.Close("round trip", again, x.Wide(), device.Network(Latent));
        float[][] drawn = [.. latents.Eps.Select((e, l) => new Draw(7 + l).Normal(e.Length, 0.8))];
        float[] decoded = model.Model.Decode(new Latents(shape.Count, drawn), null);
        Tolerance.Close("decoded", decoded, model.Decode([.. drawn.Select(static e => e.Wide())], shape.Count),
            device.Network(Latent));
    }

    [TestCaseSource(nameof(Cases))]
    public void LogDeterminantIsThatOfTheWholeJacobian(TestDevice device, Case shape)
    {
        using FamilyUnderTest model = new(device, shape.Config);
        double[] x = shape.Images()[..shape.Config.Dimensions].Wide();
        double[] Map(double[] v) => [.. model.Encode(v, 1, training: false).Eps.SelectMany(static e => e.Data)];
        double expected = NumericJacobian.LogDeterminant(Map, x) - shape.Config.Dimensions * Math.Log(shape.Config.Bins)
            + Map(x).Sum(z => ScaledPriorReference.LogDensity(shape.Config.LatentDensity, z));
        double got = model.Model.Encode(x.Narrow(), 1, null).Result.LogLikelihoods[0];
        Tolerance.Close("log_likelihood", got, expected, device.Network(1e-5));
    }

    [TestCaseSource(nameof(Cases))]
    public void GradientsBelongToTheLossOfATrainingStep(TestDevice device, Case shape)
    {
        using FamilyUnderTest model = new(device, shape.Config);
        float[] x = shape.Images();
        BatchResult result = model.Model.LossAndGradients(x, shape.Count, null, MemoryMode.Stored, 0);
        Dictionary<string, double[]> parameters = model.Parameters();
        Tolerance.Close("loss", result.Loss, model.Loss(x.Wide(), shape.Count, parameters), device.Network(Forward));
        foreach (Parameter p in model.Model.Parameters.All)
        {
            float[] gradient = model.Model.Parameters.Gradient(p.Name).ToArray();
            if (p.IsStatistic)
            {
                Assert.That(gradient, Is.All.Zero, p.Name);
                continue;
            }
            // A bias in front of a batch normalisation cancels: its gradient is rounding about 0.
            if (gradient.All(static g => Math.Abs(g) < 1e-5)) continue;
            GradientCheck.Check(p.Name,
                v => model.Loss(x.Wide(), shape.Count, new Dictionary<string, double[]>(parameters) { [p.Name] = v }),
                parameters[p.Name], gradient, device.Network(Gradient), Smoothness.Kinked);
        }
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Usable))]
    public void RunningStatisticsFollowTheBatchesOfAcceptedSteps(TestDevice device)
    {
        Case shape = Shapes.ElementAt(1);
        using FamilyUnderTest model = new(device, shape.Config, draw: null);
        Batch batch = shape.Bytes();
        model.Model.Initialize(batch, Noise.Center);
        // Initialised from this batch, the running statistics are the batch's.
        double trained = model.Model.LossAndGradients(batch, Noise.Center, MemoryMode.Stored, 0).Loss;
        Tolerance.Close("loss", model.Model.Evaluate(batch, Noise.Center).Loss, trained, device.Network(1e-5));

        string[] statistics = [.. model.Model.Parameters.All.Where(static p => p.IsStatistic)
            .Select(static p => p.Name)];
        Assert.That(statistics,
            Has.Length.EqualTo(2 * shape.Config.Layout().Count(static p => p.Name.EndsWith(RunningStatistics.Mean,
            StringComparison.Ordinal))));
        Dictionary<string, double[]> before = model.Parameters();
        model.Model.LossAndGradients(shape.Bytes(seed: 9), Noise.Center, MemoryMode.Stored, 0);
        Dictionary<string, double[]> measured = model.Parameters();
        foreach (string name in statistics) Assert.That(measured[name], Is.EqualTo(before[name]),
            "not before the step is accepted");
        model.Model.AcceptStatistics();
        Dictionary<string, double[]> after = model.Parameters();
        // Those of the flow itself read what was normalised before, and differ in the first level only.
        foreach (string name in statistics.Where(static n => n.Contains(".network.", StringComparison.Ordinal)))
            Assert.That(after[name], Is.Not.EqualTo(before[name]), name);
        const string first = "levels.0.checkerboard.0.norm.running_mean";
        // A fresh coupling is the identity, so the first normalisation of the flow sees the images themselves.
        double[] half = new double[shape.Count * shape.Config.Dimensions];
        Array.Fill(half, 0.5);
        double[] images = DequantizeReference.Forward(shape.Bytes(seed: 9).Bytes.Wide(), 8, half);
        (double[] mean, _) = BatchNormReference.Measure(new Nhwc(images, shape.Count, 4, 4, 3));
        Tolerance.Close(first, after[first], [.. before[first].Zip(mean, static (r, m) => 0.9 * r + 0.1 * m)], 1e-5);
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Usable))]
    public void FreshModelsAreTheIdentityUpToScales(TestDevice device)
    {
        foreach (Case shape in Shapes)
        {
            using FamilyUnderTest model = new(device, shape.Config, draw: null);
            Batch batch = shape.Bytes();
            model.Model.Initialize(batch, Noise.Center);
            (Latents latents, _) = model.Model.Encode(batch, Noise.Center);
            double[] all = [.. latents.Eps.SelectMany(static e => e).Select(static v => (double)v)];
            double expected = shape.Config.LatentDensity == PriorKind.Logistic ? Math.PI / Math.Sqrt(3) : 1;
            // NICE shrinks towards the spread of all values, so its own is near that of the prior only.
            Tolerance.Close($"{shape}: spread", Tolerance.Rms(all), expected, shape.Config is NiceConfig ? 0.4 : 1e-2);
        }
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Usable))]
    public void NothingIsAllocatedFromTheSecondStepOn(TestDevice device)
    {
        foreach (Case shape in Shapes)
        {
            using FamilyUnderTest model = new(device, shape.Config, draw: null);
            Batch batch = shape.Bytes();
            model.Model.Initialize(batch, Noise.Center);
            Assert.That(model.Arena.Rented, Is.Zero, "initialize");
            model.Model.LossAndGradients(batch, Noise.Center, MemoryMode.Stored, 0);
            int allocations = model.Arena.Allocations;
            for (int step = 0; step < 3; step++) model.Model.LossAndGradients(batch, Noise.Center, MemoryMode.Stored,
                0);
            Assert.That(model.Arena.Allocations, Is.EqualTo(allocations), shape.ToString());
            Assert.That(model.Arena.Rented, Is.Zero, "everything rented was returned");
            (Latents latents, _) = model.Model.Encode(batch, Noise.Center);
            Assert.That(model.Arena.Rented, Is.Zero, "encode");
            model.Model.Decode(latents, null);
            Assert.That(model.Arena.Rented, Is.Zero, "decode");
            Assert.That(model.Model.FirstNonFiniteLayer(batch, Noise.Center), Is.Null);
            Assert.That(model.Arena.Rented, Is.Zero, "first non-finite layer");
        }
    }

    [TestCase(1, "levels.0.checkerboard.1.factor", "levels.0.checkerboard.1")]
    [TestCase(1, "levels.0.channel.0.norm.running_mean", "levels.0.channel.0.norm")]
    [TestCase(5, "levels.0.couplings.2.layers.1.bias", "levels.0.couplings.2")]
    [TestCase(5, "levels.0.scale.logs", "prior")]
    public void FirstLayerThatIsNotFiniteIsNamed(int index, string parameter, string layer)
    {
        Case shape = Shapes.ElementAt(index);
        using FamilyUnderTest model = new(Devices.Host, shape.Config);
        double[] values = model.Parameters()[parameter];
        values[0] = double.NaN;
        model.Write(parameter, values);
        Assert.That(model.Model.FirstNonFiniteLayer(shape.Bytes(), Noise.Center), Is.EqualTo(layer));
    }

    [Test]
    public void SavedAndLoadedEveryBitIsTheSame()
    {
        using TemporaryFolder folder = new();
        foreach (Case shape in Shapes)
        {
            using FamilyUnderTest model = new(Devices.Host, shape.Config);
            string path = folder.File($"{shape.Config.Family}.safetensors");
            ModelFile.Save(model.Model, path, 3);
            Assert.That(ModelFile.ReadConfig(path).ToJson(), Is.EqualTo(shape.Config.ToJson()));
            using Device device = new(new GlowGpu.Kernels.Host.HostBackend(1));
            using FlowModel loaded = ModelFile.Load(path, device);
            Assert.That(loaded.GetType(), Is.EqualTo(model.Model.GetType()));
            Assert.That(loaded.Parameters.Values.ToArray(), Is.EqualTo(model.Model.Parameters.Values.ToArray()));
            Assert.That(loaded.Evaluate(shape.Bytes(), Noise.Center).LogLikelihoods,
                Is.EqualTo(model.Model.Evaluate(shape.Bytes(), Noise.Center).LogLikelihoods));
        }
    }

    [Test]
    public void TrainableValuesAreCountedWithoutStatistics()
    {
        foreach (Case shape in Shapes)
        {
            using FamilyUnderTest model = new(Devices.Host, shape.Config);
            long expected = model.Model.Parameters.All.Where(static p => !p.Name.Contains("running_",
                StringComparison.Ordinal)).Sum(static p => (long)p.Count);
            Assert.That(model.Model.Parameters.Count, Is.EqualTo(expected));
            Assert.That(ModelCost.Parameters(shape.Config), Is.EqualTo(expected));
        }
    }

    [Test]
    public void ReversibleMemoryIsRefused()
    {
        Case shape = Shapes.First();
        using FamilyUnderTest model = new(Devices.Host, shape.Config);
        Assert.That(() => model.Model.LossAndGradients(shape.Bytes(), Noise.Center, MemoryMode.Reversible, 0),
            Throws.TypeOf<GlowException>().With.Message.EqualTo(
                "memory is reversible, but the layers of a realnvp model are not rebuilt from their outputs; it "
                    + "must be stored"));
    }
}
