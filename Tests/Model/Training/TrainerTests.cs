using System.Text.Json.Nodes;
using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Training;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Training;

/// <summary>What a run computes and writes.</summary>
public sealed class TrainerTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void Begin() => folder = new TemporaryFolder();

    [TearDown]
    public void End() => folder.Dispose();

    private string Run => folder.File("run");

    private static float[] Weights(string path)
    {
        using SafeTensorsReader reader = SafeTensorsReader.Open(path);
        return [.. reader.Tensors.Where(static t => t.Type == TensorType.F32)
            .SelectMany(t => reader.ReadFloats(t.Name))];
    }

    [Test]
    public void Losses_are_those_of_the_published_optimizers(
        [Values("adam", "adamax")] string optimizer,
        [Values("affine-dense", "additive-reverse-noedge", "affine-plu", "affine-shuffle-5bit", "conditional",
            "grey-3levels", "wide-rectangle")] string fixture)
    {
        FixtureFile golden = FixtureFile.Open(fixture);
        GlowConfig config = golden.Config;
        MemoryImages images = new([.. golden.Integers("images").Select(static v => (byte)v)],
            golden.Count, config.Height,
            config.ImageWidth, config.Channels, golden.Labels?.Select(static l => (int)l).ToArray(), config.Classes);
        SafeTensorsWriter export = new();
        export.Metadata["config"] = config.ToJson();
        foreach (string name in golden.Under("param."))
        {
            if (golden.IsInteger("param." + name)) export.Add(name, golden.Shape("param." + name),
                golden.Integers("param." + name));
            else export.Add(name, golden.Shape("param." + name), golden.Floats("param." + name));
        }
        export.Save(folder.File("init.safetensors"));

        using Device device = TinyRun.Open();
        using FlowModel model = ModelFile.Load(folder.File("init.safetensors"), device);
        Recorder recorder = new();
        TinyRun.Start(model, Run, recorder, images: images, validate: false, options: new TrainOptions
        {
            Batch = golden.Count,
            Optimizer = optimizer,
            Beta2 = 0.999,
            WarmupEpochs = 0,
            Steps = 5,
            Shuffle = false,
            Dequantize = Dequantization.Center,
            ClassWeight = golden.ClassWeight,
        });
        double[] expected = golden.Doubles($"f64.{optimizer}.center.losses");
        Assert.Multiple(() =>
        {
            for (int i = 0; i < 5; i++) Assert.That(recorder.Steps[i].Loss, Is.EqualTo(expected[i]).Within(2e-4),
                $"step {i + 1}");
            BatchResult after = model.Evaluate(new Batch(golden.Count, golden.Floats("images"), golden.Labels),
                Noise.Center, golden.ClassWeight);
            Assert.That(after.Loss, Is.EqualTo(expected[5]).Within(2e-4), "after the last step");
        });
    }

    [Test]
    public void A_row_has_the_documented_fields()
    {
        Recorder recorder = new();
        TinyRun.Start(Run, recorder);
        JsonObject[] rows = [.. File.ReadLines(Path.Combine(Run, "metrics.jsonl"))
            .Select(static l => JsonNode.Parse(l)!.AsObject())];
        JsonObject step = rows.First(static r => (long)r["step"]! == 3);
        Assert.Multiple(() =>
        {
            Assert.That(step.Select(static p => p.Key),
                Is.EqualTo(new[] { "step", "epoch", "loss", "bits_per_dim", "grad_norm", "lr", "step_ms",
                "images_per_second" }));
            Assert.That((double)step["loss"]!, Is.EqualTo(recorder.Steps[2].Loss));
            Assert.That((double)step["epoch"]!, Is.EqualTo(3 / 5.0), "22 images make 5 batches of 4");
            Assert.That((double)step["step_ms"]!, Is.GreaterThan(0));
            JsonObject validation = rows.First(static r => r.ContainsKey("validation_bits_per_dim"));
            Assert.That((double)validation["validation_bits_per_dim"]!,
                Is.EqualTo(recorder.Validations[0].ValidationBitsPerDim));
            Assert.That((string)validation["data"]!, Is.EqualTo("stripes/validation"));
            Assert.That((string)validation["data_hash"]!, Is.EqualTo("000000000002"));
        });
    }

    [Test]
    public void Training_learns()
    {
        Recorder recorder = new();
        TinyRun.Start(Run, recorder,
            options: TinyRun.Options with
            {
                Steps = 120,
                LearningRate = 1e-2,
                SampleEvery = 1000,
                ValidateEvery = 120
            });
        double before = recorder.Steps.Take(10).Average(static s => s.BitsPerDim);
        double after = recorder.Steps.TakeLast(10).Average(static s => s.BitsPerDim);
        Assert.That(after, Is.LessThan(before - 0.3), $"bits/dim went from {before:f3} to {after:f3}");
    }

    [Test]
    public void The_rate_warms_up_and_stays()
    {
        Recorder recorder = new();
        TinyRun.Start(Run, recorder,
            options: TinyRun.Options with { Steps = 4, WarmupEpochs = 0.5, LearningRate = 1 / 512.0 });
        Assert.That(recorder.Steps.Select(static s => s.Lr * 512),
            Is.EqualTo(new[] { 1 / 2.5, 2 / 2.5, 1, 1 }).Within(1e-15));
    }

    // 5 steps an epoch: over 4 epochs 1 − 1/20; over one 1 − 1/5, which is too short for a first moment of 0.9.
    [TestCase(4, 0.95)]
    [TestCase(1, 0.9)]
    [TestCase(0, 0.999)]
    public void Beta2_follows_the_span_of_the_average_but_stays_above_beta1(double epochs, double beta2)
    {
        TrainOptions options = TinyRun.Options with { PolyakEpochs = epochs, Steps = 6 };
        TinyRun.Start(Run, options: options);
        TinyRun.Start(folder.File("set"), options: options with { Beta2 = beta2 });
        TinyRun.Start(folder.File("else"), options: options with { Beta2 = beta2 - 0.01 });
        float[] weights = Weights(Path.Combine(Run, "model.safetensors"));
        Assert.That(Weights(Path.Combine(folder.File("set"), "model.safetensors")), Is.EqualTo(weights));
        Assert.That(Weights(Path.Combine(folder.File("else"), "model.safetensors")), Is.Not.EqualTo(weights));
    }

    [Test]
    public void Validation_samples_and_saves_leave_no_trace_in_the_training()
    {
        TinyRun.Start(Run, options: TinyRun.Options with { ValidateEvery = 1, SampleEvery = 1, SaveEvery = 1 });
        TinyRun.Start(folder.File("quiet"), validate: false,
            options: TinyRun.Options with { SampleEvery = 1000, SaveEvery = 1000 });
        Assert.That(TinyRun.Rows(Run).Where(static r => !r.Contains("validation")),
            Is.EqualTo(TinyRun.Rows(folder.File("quiet"))));
        Assert.That(File.ReadAllBytes(Path.Combine(Run, "model.safetensors")),
            Is.EqualTo(File.ReadAllBytes(Path.Combine(folder.File("quiet"), "model.safetensors"))));
    }

    [Test]
    public void The_best_weights_are_the_unbiased_average()
    {
        TrainOutcome outcome = TinyRun.Start(Run, validate: false);
        using SafeTensorsReader best = SafeTensorsReader.Open(Path.Combine(Run, "best.safetensors"));
        using SafeTensorsReader state = SafeTensorsReader.Open(Path.Combine(Run, "state.safetensors"));
        const string name = "levels.0.steps.0.coupling.conv1.weight";
        double zero = 1;
        for (long t = 1; t <= outcome.Step; t++) zero *= Math.Min((float)(1 - 1 / 5.0), (1f + t) / (10f + t));
        double correction = 1 - zero;
        float[] expected = [.. state.ReadFloats($"average.{name}").Select(v => (float)(v * (1 / correction)))];
        Assert.That(best.ReadFloats(name), Is.EqualTo(expected));
        Assert.That(best.Metadata["weights"], Is.EqualTo("polyak average"));
    }

    [Test]
    public void Without_an_average_the_best_weights_are_those_of_the_best_validation()
    {
        List<float[]> weights = [];
        using Device device = TinyRun.Open();
        using Glow model = new(TinyRun.Config, device, TinyRun.Options.Seed);
        Recorder recorder = new()
        {
            AfterSave = () => weights.Add(Weights(Path.Combine(Run, "model.safetensors"))),
            // From here on the weights are worse than they were, and the few steps left do not make up for it.
            AfterStep = step => { if (step.Step == 10) Spoil(model.Parameters); },
        };
        TinyRun.Start(model, Run, recorder,
            options: TinyRun.Options with { PolyakEpochs = 0, ValidateEvery = 1, SaveEvery = 1 });
        int best = recorder.Validations.FindLastIndex(static v => v.Best);
        Assert.That(recorder.Validations[best].ValidationBitsPerDim,
            Is.EqualTo(recorder.Validations.Min(static v => v.ValidationBitsPerDim)));
        Assert.That(best, Is.InRange(0, 8));
        // The first save is that of step 0, before any validation.
        Assert.That(Weights(Path.Combine(Run, "best.safetensors")), Is.EqualTo(weights[best + 1]));
        Assert.That(Weights(Path.Combine(Run, "model.safetensors")), Is.EqualTo(weights[14]));
    }

    private static void Spoil(ParameterSet parameters)
    {
        const string name = "levels.0.steps.0.actnorm.logs";
        parameters.Value(name).Write([.. parameters.Value(name).ToArray().Select(static v => v + 0.5f)]);
        parameters.Touch();
    }

    [Test]
    public void Clipping_scales_the_gradient_to_its_largest_norm()
    {
        // Adam does not care about the gradient's scale, except where the scale changes from one step to the next.
        TrainOptions options = TinyRun.Options with { Steps = 6 };
        Recorder free = new();
        TinyRun.Start(Run, free, options: options with { ClipNorm = 0 });
        double least = free.Steps.Min(static s => s.GradNorm), most = free.Steps.Max(static s => s.GradNorm);
        TinyRun.Start(folder.File("loose"), options: options with { ClipNorm = most * 1.01 });
        TinyRun.Start(folder.File("tight"), options: options with { ClipNorm = (least + most) / 2 });
        float[] weights = Weights(Path.Combine(Run, "model.safetensors"));
        Assert.That(Weights(Path.Combine(folder.File("loose"), "model.safetensors")), Is.EqualTo(weights));
        Assert.That(Weights(Path.Combine(folder.File("tight"), "model.safetensors")), Is.Not.EqualTo(weights));
    }

    [Test]
    public void A_fresh_model_is_initialised_from_the_first_batch_and_a_loaded_one_is_not()
    {
        TinyRun.Start(Run, options: TinyRun.Options with { Steps = 0 });
        using (Device device = TinyRun.Open())
        using (Glow model = new(TinyRun.Config, device, TinyRun.Options.Seed))
        {
            using SafeTensorsReader start = SafeTensorsReader.Open(Path.Combine(Run, "model.safetensors"));
            Assert.That(start.ReadFloats("levels.0.steps.0.actnorm.bias"), Has.Some.Not.Zero);
            Assert.That(start.Metadata["initialized"], Is.EqualTo("true"));
            Assert.That(start.ReadFloats("levels.0.steps.0.coupling.conv1.weight"),
                Is.EqualTo(model.Parameters.Value("levels.0.steps.0.coupling.conv1.weight").ToArray()));
            model.Initialized = true;
            TinyRun.Start(model, folder.File("loaded"), options: TinyRun.Options with { Steps = 0 });
        }
        using SafeTensorsReader kept = SafeTensorsReader.Open(Path.Combine(folder.File("loaded"), "model.safetensors"));
        Assert.That(kept.ReadFloats("levels.0.steps.0.actnorm.bias"), Is.All.Zero);
    }

    [Test]
    public void A_conditional_run_reports_class_errors()
    {
        MemoryImages labelled = new("labelled", 12, 8, 8, 1, seed: 3, classes: 3);
        Recorder recorder = new();
        TinyRun.Start(Run, recorder, config: TinyRun.Config with { Classes = 3 }, images: labelled, validate: false,
            options: TinyRun.Options with { Steps = 2, ClassWeight = 0.01 });
        Assert.That(recorder.Steps.Select(static s => s.ClassErrors), Is.All.InRange(0.0, 1.0));
        Assert.That(File.ReadLines(Path.Combine(Run, "metrics.jsonl")).First(), Does.Contain("\"class_errors\":"));
    }
}
