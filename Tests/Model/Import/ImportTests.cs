using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Training;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Import;

/// <summary>Imported models compute what the programs they come from computed.</summary>
public sealed class ImportTests
{
    // Weights are rounded to float32 once more where matrices are folded or factored again.
    private const double Likelihood = 2e-6;
    private const double Latent = 2e-5;

    private static readonly Dictionary<string, string> Nothing = [];

    private static readonly (string Name, GlowConfig Config)[] Shapes =
    [
        ("rosinality-affine-lu",
            new GlowConfig { ImageSize = [8, 8], Levels = 2, Depth = 2, Width = 4, Invconv = "plu" }),
        ("rosinality-additive-dense-grey",
            new GlowConfig { ImageSize = [8, 8], Channels = 1, Levels = 2, Depth = 1, Width = 6,
            Coupling = "additive", NBits = 5 }),
        ("rosinality-additive-lu-grey",
            new GlowConfig { ImageSize = [8, 8], Channels = 1, Levels = 2, Depth = 2, Width = 8,
            Coupling = "additive", Invconv = "plu" }),
        ("rosinality-affine-dense-grey",
            new GlowConfig { ImageSize = [16, 16], Channels = 1, Levels = 2, Depth = 2, Width = 8, NBits = 5 }),
        ("rosinality-one-level-grey",
            new GlowConfig { ImageSize = [8, 8], Channels = 1, Levels = 1, Depth = 2, Width = 8, Invconv = "plu" }),
        ("chaiyujin-affine-dense",
            new GlowConfig { ImageSize = [8, 8], Levels = 2, Depth = 2, Width = 6, LearnTop = false,
            EdgeBias = false }),
        ("chaiyujin-affine-lu-top-grey",
            new GlowConfig { ImageSize = [8, 8], Channels = 1, Levels = 2, Depth = 2, Width = 8, Invconv = "plu",
            EdgeBias = false }),
        ("chaiyujin-additive-lu",
            new GlowConfig { ImageSize = [8, 8], Levels = 2, Depth = 1, Width = 8, Coupling = "additive",
            Invconv = "plu", LearnTop = false, EdgeBias = false }),
        ("chaiyujin-additive-dense-classes-grey",
            new GlowConfig { ImageSize = [8, 8], Channels = 1, Levels = 2, Depth = 2, Width = 6,
            Coupling = "additive", Classes = 3, EdgeBias = false }),
        ("chaiyujin-affine-reverse-grey",
            new GlowConfig { ImageSize = [8, 8], Channels = 1, Levels = 1, Depth = 3, Width = 8,
            Permutation = "reverse", EdgeBias = false }),
    ];

    private TemporaryFolder folder = null!;
    private Device device = null!;

    [SetUp]
    public void Begin()
    {
        folder = new TemporaryFolder();
        device = DeviceFactory.Open("cpu", 1);
    }

    [TearDown]
    public void End()
    {
        device.Dispose();
        folder.Dispose();
    }

    [Test]
    public void Every_fixture_has_a_shape() =>
        Assert.That(Shapes.Select(static s => s.Name), Is.EquivalentTo(ImportFixture.All));

    [TestCaseSource(typeof(ImportFixture), nameof(ImportFixture.All))]
    public void The_shape_is_deduced(string name) =>
        Assert.That(ImportFixture.Open(name).Import().Config.ToJson(),
            Is.EqualTo(Shapes.Single(s => s.Name == name).Config.ToJson()));

    [TestCaseSource(typeof(ImportFixture), nameof(ImportFixture.All))]
    public void Log_likelihoods_latents_and_images_are_those_of_the_program(string name)
    {
        ImportFixture fixture = ImportFixture.Open(name);
        fixture.Import().Save(folder.File("m.safetensors"), Nothing);
        using FlowModel model = ModelFile.Load(folder.File("m.safetensors"), device);
        Assert.That(model.Initialized, Is.True);
        Check(fixture, model, Likelihood, Latent);
    }

    [Test]
    public void Class_scores_are_those_of_the_program()
    {
        ImportFixture fixture = ImportFixture.Open("chaiyujin-additive-dense-classes-grey");
        fixture.Import().Save(folder.File("m.safetensors"), Nothing);
        using FlowModel model = ModelFile.Load(folder.File("m.safetensors"), device);
        double[] logits = fixture.Golden.Doubles("logits"), labels = fixture.Golden.Doubles("labels");
        double bits = 0;
        for (int n = 0; n < 2; n++)
        {
            double[] row = logits[(3 * n)..(3 * n + 3)];
            bits += (Math.Log(row.Sum(Math.Exp)) - row[(int)labels[n]]) / Math.Log(2) / 2;
        }
        Batch batch = new(2, fixture.Golden.Floats("images"), fixture.Golden.Floats("labels"));
        Tolerance.Close("class bits", model.Evaluate(batch, Noise.Center, 1).ClassBits, bits, 1e-5);
    }

    [Test]
    public void Double_precision_and_flags_of_other_types_are_taken()
    {
        ImportFixture fixture = ImportFixture.Open("rosinality-one-level-grey");
        const string Loc = "blocks.0.flows.0.actnorm.loc", Flag = "blocks.0.flows.0.actnorm.initialized";
        fixture.Rewrite(folder.File("s.safetensors"), Loc, w => w.Add(Loc, fixture.State.Shape(Loc),
            fixture.State.Doubles(Loc)));
        CheckFile(fixture, folder.File("s.safetensors"));
        fixture.Rewrite(folder.File("t.safetensors"), Flag, w => w.Add(Flag, [1], new int[] { 1 }));
        CheckFile(fixture, folder.File("t.safetensors"));
    }

    [Test]
    public void An_untrained_model_stays_one()
    {
        ImportFixture fixture = ImportFixture.Open("rosinality-one-level-grey");
        SafeTensorsWriter writer = new();
        foreach (string name in fixture.State.Under(""))
        {
            if (fixture.State.IsInteger(name)) writer.Add(name, [], new byte[] { 0 });
            else writer.Add(name, fixture.State.Shape(name), fixture.State.Floats(name));
        }
        writer.Save(folder.File("s.safetensors"));
        fixture.Import(folder.File("s.safetensors")).Save(folder.File("m.safetensors"), Nothing);
        using FlowModel model = ModelFile.Load(folder.File("m.safetensors"), device);
        Assert.That(model.Initialized, Is.False);
    }

    [Test]
    public void Imported_models_train()
    {
        ImportFixture fixture = ImportFixture.Open("rosinality-affine-lu");
        fixture.Import().Save(folder.File("m.safetensors"), Nothing);
        using FlowModel model = ModelFile.Load(folder.File("m.safetensors"), device);
        using Adam adam = new(device.Backend, model.Parameters, 0.9, 0.999, 1e-8, null);
        Batch batch = new(2, fixture.Golden.Floats("images"), null);
        double first = model.LossAndGradients(batch, Noise.Center, MemoryMode.Stored, 0).Loss;
        for (int i = 0; i < 5; i++)
        {
            adam.Step(1e-3, 1);
            model.LossAndGradients(batch, Noise.Center, MemoryMode.Stored, 0);
        }
        Assert.That(model.Evaluate(batch, Noise.Center).BitsPerDim, Is.LessThan(first));
    }

    /// <summary>Compares a model with everything that the fixture's program computed.</summary>
    internal static void Check(ImportFixture fixture, FlowModel model, double likelihood, double latent)
    {
        float[]? labels = fixture.Golden.Has("labels") ? fixture.Golden.Floats("labels") : null;
        (Latents latents, BatchResult result) = model.Encode(new Batch(2, fixture.Golden.Floats("images"), labels),
            Noise.Center);
        Tolerance.Close("log_likelihood", result.LogLikelihoods, fixture.LogLikelihoods(), likelihood);
        int levels = model.Config.Levels;
        for (int l = 0; l < levels; l++)
            Tolerance.Close($"eps{l}", latents.Eps[l], fixture.Golden.Doubles($"eps{l}"), latent,
                fixture.Golden.Shape($"eps{l}"));
        float[][] eps = [.. Enumerable.Range(0, levels).Select(l => fixture.Golden.Floats($"decode.eps{l}"))];
        float[] x = model.Decode(new Latents(2, eps), labels);
        Tolerance.Close("decode.x", x, fixture.Decoded(), latent, fixture.Golden.Shape("images"));
    }

    private void CheckFile(ImportFixture fixture, string path)
    {
        fixture.Import(path).Save(folder.File("m.safetensors"), Nothing);
        using FlowModel model = ModelFile.Load(folder.File("m.safetensors"), device);
        Check(fixture, model, Likelihood, Latent);
    }
}
