using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Reference;
using NUnit.Framework;

namespace GlowGpu.Tests.Model;

/// <summary>The model against golden values of an independent implementation in double.</summary>
[TestFixture]
public sealed class GoldenTests
{
    // Log-likelihoods are sums of some hundred terms of size one and larger; gradients go through twice as many layers.
    private const double Forward = 2e-6;
    private const double Latent = 2e-5;
    private const double Gradient = 5e-5;

    /// <summary>A golden configuration.</summary>
    public sealed record Case(string Name) : ITestShape
    {
        // One without and one with everything a model can have, as small as they come.
        public bool Tiny => Name is "additive-reverse-noedge" or "conditional";

        public FixtureFile Open() => FixtureFile.Open(Name);

        public override string ToString() => Name;
    }

    private static IEnumerable<Case> Configurations => FixtureFile.Names.Select(static n => new Case(n));

    private static IEnumerable<TestCaseData> Cases => Devices.With(Configurations);

    private static IEnumerable<TestCaseData> Trajectories =>
        Cases.Where(static c => ((TestDevice)c.Arguments[0]!).Kind is DeviceKind.Host or DeviceKind.Gpu
            or DeviceKind.Processor);

    private static IEnumerable<TestCaseData> MemoryCases =>
        from data in Cases
        from memory in Enum.GetValues<MemoryMode>()
        select new TestCaseData(data.Arguments[0], data.Arguments[1],
            memory).SetCategory(((TestDevice)data.Arguments[0]!).Category);

    [TestCaseSource(nameof(Cases))]
    public void NamesAndShapesAreThoseOfTheContract(TestDevice device, Case configuration)
    {
        FixtureFile fixture = configuration.Open();
        using ModelUnderTest model = ModelUnderTest.Golden(device, fixture);
        string[] expected = [.. fixture.Under("param.").Order(StringComparer.Ordinal)];
        string[] got = [.. model.Glow.Parameters.All.Select(static p => p.Name).Concat(model.Glow.Constants.Keys)
            .Order(StringComparer.Ordinal)];
        Assert.That(got, Is.EqualTo(expected));
        foreach (Parameter parameter in model.Glow.Parameters.All)
            Assert.That(parameter.Shape, Is.EqualTo(fixture.Shape("param." + parameter.Name)), parameter.Name);
    }

    [TestCaseSource(nameof(Cases))]
    public void LogLikelihoodsAndLatentsOfNoisyImages(TestDevice device, Case configuration)
    {
        FixtureFile fixture = configuration.Open();
        using ModelUnderTest model = ModelUnderTest.Golden(device, fixture);
        CheckEncoding(device, fixture, "", model.Glow.Encode(NoisyX(fixture), fixture.Count, fixture.Labels));
    }

    [TestCaseSource(nameof(Cases))]
    public void LogLikelihoodsAndLatentsOfBytes(TestDevice device, Case configuration)
    {
        FixtureFile fixture = configuration.Open();
        using ModelUnderTest model = ModelUnderTest.Golden(device, fixture);
        CheckEncoding(device, fixture, "center.", model.Glow.Encode(Bytes(fixture), Noise.Center));
        BatchResult evaluated = model.Glow.Evaluate(Bytes(fixture), Noise.Center);
        Tolerance.Close("evaluated", evaluated.LogLikelihoods, fixture.Doubles("f64.center.log_likelihood"),
            device.Network(Forward));
    }

    [TestCaseSource(nameof(Cases))]
    public void DecodesToTheGoldenImages(TestDevice device, Case configuration)
    {
        FixtureFile fixture = configuration.Open();
        using ModelUnderTest model = ModelUnderTest.Golden(device, fixture);
        float[][] eps = [.. Enumerable.Range(0, fixture.Config.Levels).Select(l => fixture.Floats($"decode.eps{l}"))];
        float[] x = model.Glow.Decode(new Latents(fixture.Shape("decode.x")[0], eps), fixture.Labels);
        Tolerance.Close("decode.x", x, fixture.Doubles("decode.x"), device.Network(Latent), fixture.Shape("decode.x"));
    }

    [TestCaseSource(nameof(MemoryCases))]
    public void LossAndEveryGradient(TestDevice device, Case configuration, MemoryMode memory)
    {
        FixtureFile fixture = configuration.Open();
        using ModelUnderTest model = ModelUnderTest.Golden(device, fixture);
        BatchResult result = model.Glow.LossAndGradients(NoisyX(fixture), fixture.Count, fixture.Labels, memory,
            fixture.ClassWeight);
        Tolerance.Close("loss", result.Loss, fixture.Doubles("f64.loss")[0], device.Network(Forward));
        Tolerance.Close("log_likelihood", result.LogLikelihoods, fixture.Doubles("f64.log_likelihood"),
            device.Network(Forward));
        Tolerance.Close("loss by its terms", result.BitsPerDim + fixture.ClassWeight * result.ClassBits,
            result.Loss, 1e-12);
        foreach ((string name, float[] gradient) in model.Gradients())
            Tolerance.Close($"grad.{name}", gradient, fixture.Doubles("grad." + name), device.Network(Gradient),
                fixture.Shape("grad." + name));
    }

    [TestCaseSource(nameof(Trajectories))]
    public void AdamFollowsTheGoldenLosses(TestDevice device, Case configuration) => Follow(device,
        configuration.Open(), "adam");

    [TestCaseSource(nameof(Trajectories))]
    public void AdamaxFollowsTheGoldenLosses(TestDevice device, Case configuration) => Follow(device,
        configuration.Open(), "adamax");

    private static void Follow(TestDevice device, FixtureFile fixture, string algorithm)
    {
        foreach (MemoryMode memory in Enum.GetValues<MemoryMode>())
        {
            using ModelUnderTest noisy = ModelUnderTest.Golden(device, fixture);
            float[] x = NoisyX(fixture);
            double[] losses = Train(noisy.Glow, algorithm,
                () => noisy.Glow.LossAndGradients(x, fixture.Count, fixture.Labels, memory, fixture.ClassWeight));
            Tolerance.Close($"{algorithm} losses", losses, fixture.Doubles($"f64.{algorithm}.losses"),
                device.Network(Gradient));
            string first = fixture.Under($"{algorithm}.after.").Single();
            Tolerance.Close($"{algorithm}.after.{first}", noisy.Glow.Parameters.Value(first).ToArray(),
                fixture.Doubles($"{algorithm}.after.{first}"), device.Network(Gradient));

            using ModelUnderTest center = ModelUnderTest.Golden(device, fixture);
            Batch batch = Bytes(fixture);
            losses = Train(center.Glow, algorithm,
                () => center.Glow.LossAndGradients(batch, Noise.Center, memory, fixture.ClassWeight));
            Tolerance.Close($"{algorithm} center losses", losses, fixture.Doubles($"f64.{algorithm}.center.losses"),
                device.Network(Gradient));
        }
    }

    // The loss before each of five steps and after the last.
    private static double[] Train(Glow model, string algorithm, Func<BatchResult> step)
    {
        using Optimizer optimizer = algorithm == "adam"
            ? new Adam(model.Device.Backend, model.Parameters, 0.9, 0.999, 1e-8, null)
            : new Adamax(model.Device.Backend, model.Parameters, 0.9, 0.999, 1e-8, null);
        List<double> losses = [];
        for (int i = 0; i < 5; i++)
        {
            losses.Add(step().Loss);
            optimizer.Step(1e-3, 1);
        }
        losses.Add(step().Loss);
        return [.. losses];
    }

    private static void CheckEncoding(TestDevice device, FixtureFile fixture, string prefix,
        (Latents Latents, BatchResult Result) got)
    {
        double relative = device.Network(Forward);
        Tolerance.Close("log_likelihood", got.Result.LogLikelihoods, fixture.Doubles($"f64.{prefix}log_likelihood"),
            relative);
        Tolerance.Close("bits_per_dim", got.Result.BitsPerDim, fixture.Doubles($"f64.{prefix}bits_per_dim").Average(),
            relative);
        Assert.That(got.Latents.Count, Is.EqualTo(fixture.Count));
        Assert.That(got.Latents.Eps, Has.Length.EqualTo(fixture.Config.Levels));
        for (int l = 0; l < fixture.Config.Levels; l++)
            Tolerance.Close($"{prefix}eps{l}", got.Latents.Eps[l], fixture.Doubles($"{prefix}eps{l}"),
                device.Network(Latent), fixture.Shape($"{prefix}eps{l}"));
    }

    private static Batch Bytes(FixtureFile fixture) => new(fixture.Count, fixture.Floats("images"), fixture.Labels);

    private static float[] NoisyX(FixtureFile fixture) =>
        DequantizeReference.Forward(fixture.Doubles("images"), fixture.Config.NBits, fixture.Doubles("noise")).Narrow();
}
