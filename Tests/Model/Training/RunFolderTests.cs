using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Model;
using GlowGpu.Model.Training;
using GlowGpu.Tests.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Training;

/// <summary>Which folders a run may use, and what a resumed run may change.</summary>
public sealed class RunFolderTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void Begin() => folder = new TemporaryFolder();

    [TearDown]
    public void End() => folder.Dispose();

    private string Run => folder.File("run");

    private static TrainOptions Short => TinyRun.Options with { Steps = 1 };

    private void AssertRefused(string sentence, Action start) =>
        Assert.That(() => start(), Throws.TypeOf<GlowException>().With.Message.EqualTo(sentence));

    [Test]
    public void A_folder_with_a_run_is_refused_unless_resuming()
    {
        TinyRun.Start(Run, options: Short);
        byte[] before = File.ReadAllBytes(Path.Combine(Run, "state.safetensors"));
        AssertRefused($"{Run}: already holds a run; add --resume to continue it or choose another folder",
            () => TinyRun.Start(Run, options: Short));
        Assert.That(File.ReadAllBytes(Path.Combine(Run, "state.safetensors")), Is.EqualTo(before));
    }

    [Test]
    public void A_folder_without_a_run_cannot_be_resumed()
    {
        AssertRefused($"{Run}: holds no run to continue; leave out --resume to start one",
            () => RunFolder.Create(Run, resume: true));
        Assert.That(Directory.Exists(Run), Is.False);
    }

    [Test]
    public void A_file_is_no_run_folder()
    {
        File.WriteAllText(Run, "");
        AssertRefused($"{Run}: is a file; a run needs a folder", () => RunFolder.Create(Run, resume: false));
    }

    [Test]
    public void A_folder_that_is_in_use_is_refused_and_free_again_afterwards()
    {
        RunFolder run = RunFolder.Create(Run, resume: false);
        using (run.Lock())
        {
            GlowException e = Assert.Throws<GlowException>(() => run.Lock())!;
            Assert.That(e.Message,
                Does.StartWith($"{Run}: another process is training in this folder, or it cannot be written ("));
        }
        run.Lock().Dispose();
        Assert.That(Directory.GetFileSystemEntries(Run), Is.Empty);
    }

    [Test]
    public void The_config_is_kept_exactly()
    {
        TrainOptions options = Short with
        {
            Beta2 = 0.123456789012345,
            Seed = ulong.MaxValue,
            Minutes = 2,
            Memory = MemoryMode.Reversible
        };
        TinyRun.Start(Run, options: options);
        RunConfig config = RunFolder.Create(Run, resume: true).ReadConfig()!;
        Assert.Multiple(() =>
        {
            Assert.That(config.Training, Is.EqualTo(options));
            Assert.That(config.Model.ToJson(), Is.EqualTo(TinyRun.Config.ToJson()));
            Assert.That(config.Data, Is.EqualTo(new DataDescription("stripes/train", "000000000001", 22)));
            Assert.That(config.Validation, Is.EqualTo(new DataDescription("stripes/validation", "000000000002", 6)));
            Assert.That(File.ReadAllText(Path.Combine(Run, "config.json")),
                Does.Contain("\"memory\": \"reversible\"").And.Contain("\"learning_rate\": 0.003"));
        });
    }

    [Test]
    public void Precision_is_kept_and_cannot_change()
    {
        TinyRun.Start(Run, options: Short);
        RunFolder run = RunFolder.Create(Run, resume: true);
        RunConfig config = run.ReadConfig()!;
        Assert.That(config.Precision, Is.EqualTo(Precision.Fp32));
        run.WriteConfig(config with { Precision = Precision.Bf16 });
        Assert.That(run.ReadConfig()!.Precision, Is.EqualTo(Precision.Bf16));
        AssertRefused($"{Run}: this run was started with precision \"bf16\", not \"fp32\"; resume it with the same "
            + "value or start another run in a new folder",
            () => TinyRun.Start(Run, resume: true, options: Short));
    }

    [Test]
    public void Options_that_change_what_is_computed_cannot_change()
    {
        TinyRun.Start(Run, options: Short);
        (string Key, string Old, string New, TrainOptions Options)[] cases =
        [
            ("batch", "4", "5", Short with { Batch = 5 }),
            ("learning_rate", "0.003", "0.01", Short with { LearningRate = 0.01 }),
            ("optimizer", "\"adamax\"", "\"adam\"", Short with { Optimizer = "adam" }),
            ("beta2", "unset", "0.5", Short with { Beta2 = 0.5 }),
            ("memory", "\"stored\"", "\"reversible\"", Short with { Memory = MemoryMode.Reversible }),
            ("dequantize", "\"uniform\"", "\"center\"", Short with { Dequantize = Dequantization.Center }),
            ("shuffle", "true", "false", Short with { Shuffle = false }),
            ("seed", "5", "6", Short with { Seed = 6 }),
        ];
        Assert.Multiple(() =>
        {
            foreach ((string key, string old, string other, TrainOptions options) in cases)
            {
                AssertRefused($"{Run}: this run was started with {key} {old}, not {other}; resume it with the same "
                    + "value or start another run in a new folder",
                    () => TinyRun.Start(Run, resume: true, options: options));
            }
            AssertRefused($"{Run}: this run was started with depth 1, not 2; resume it with the same value or start "
                + "another run in a new folder",
                () => TinyRun.Start(Run, resume: true, options: Short, config: TinyRun.Config with { Depth = 2 }));
        });
    }

    [Test]
    public void What_is_written_and_when_it_ends_may_change()
    {
        TinyRun.Start(Run, options: Short);
        TrainOptions other = Short with
        {
            Steps = 2,
            Epochs = 9,
            Minutes = 9,
            SaveEvery = 9,
            SampleEvery = 9,
            ValidateEvery = 9,
            Temperature = 1
        };
        Assert.That(TinyRun.Start(Run, resume: true, options: other).Step, Is.EqualTo(2));
        Assert.That(RunFolder.Create(Run, resume: true).ReadConfig()!.Training, Is.EqualTo(other));
    }

    [Test]
    public void Other_images_are_refused()
    {
        TinyRun.Start(Run, options: Short);
        AssertRefused($"{Run}: this run's training set is stripes/train (hash 000000000001, 22 images), not other "
            + "(hash 000000000004, 22 images); "
            + "resume it with the same images or start another run in a new folder",
            () => TinyRun.Start(Run, resume: true, options: Short, images: new MemoryImages("other", 22, 8, 8,
                1, seed: 4)));
        AssertRefused(
            $"{Run}: this run's validation set is stripes/validation (hash 000000000002, 6 images), not none; "
            + "resume it with the same images or start another run in a new folder",
            () => TinyRun.Start(Run, resume: true, options: Short, validate: false));
    }

    [Test]
    public void Images_that_do_not_fit_the_model_are_refused()
    {
        AssertRefused("wide: its images are 8×16×1; the model takes 8×8×1",
            () => TinyRun.Start(Run, options: Short, images: new MemoryImages("wide", 9, 8, 16, 1, seed: 4)));
        AssertRefused("stripes/train: has no labels; the model is conditional on 3 classes",
            () => TinyRun.Start(Run, options: Short, config: TinyRun.Config with { Classes = 3 }));
        AssertRefused("many: has 4 classes; the model knows 3", () => TinyRun.Start(Run, options: Short,
            config: TinyRun.Config with { Classes = 3 }, images: new MemoryImages("many", 9, 8, 8, 1, seed: 4,
                classes: 4)));
    }

    [Test]
    public void A_run_without_its_config_is_refused()
    {
        TinyRun.Start(Run, options: Short);
        string config = Path.Combine(Run, "config.json");
        File.WriteAllText(config, "{");
        Assert.That(() => TinyRun.Start(Run, resume: true, options: Short),
            Throws.TypeOf<GlowException>().With.Message.StartsWith($"{config}: is not the config of a run ("));
        File.Delete(config);
        AssertRefused($"{config}: is missing; without the options it was started with a run cannot be continued",
            () => TinyRun.Start(Run, resume: true, options: Short));
    }

    [Test]
    public void A_run_from_another_model_that_was_stopped_before_its_first_checkpoint_needs_that_model_again()
    {
        using Device device = TinyRun.Open();
        using Glow model = new(TinyRun.Config, device, 1) { Initialized = true };
        TinyRun.Start(model, Run, options: Short);
        foreach (string file in Directory.GetFiles(Run, "*.safetensors")) File.Delete(file);
        AssertRefused($"{Run}: began from another model's weights and was stopped before its first checkpoint; "
            + "start it again with the same --init",
            () => TinyRun.Start(Run, resume: true, options: Short));
        TinyRun.Start(model, Run, resume: true, options: Short);
    }

    public static IEnumerable<TestCaseData> WrongOptions() =>
    [
        new(TinyRun.Options with { Batch = 0 }, "options: batch is 0; it must be at least 1"),
        new(TinyRun.Options with { LearningRate = 0 }, "options: learning_rate is 0; it must be above 0"),
        new(TinyRun.Options with { LearningRate = double.NaN }, "options: learning_rate is NaN; it must be above 0"),
        new(TinyRun.Options with { Optimizer = "sgd" }, "options: optimizer is 'sgd'; it must be adam or adamax"),
        new(TinyRun.Options with { Beta1 = 1 }, "options: beta1 is 1; it must be at least 0 and below 1"),
        new(TinyRun.Options with { Beta2 = 1 - 1e-12 },
            "options: beta2 is 0.999999999999; it must be at least 0 and below 1"),
        new(TinyRun.Options with { Epsilon = 0 }, "options: epsilon is 0; it must be above 0"),
        new(TinyRun.Options with { WarmupEpochs = -1 }, "options: warmup_epochs is -1; it must be at least 0"),
        new(TinyRun.Options with { PolyakEpochs = -1 }, "options: polyak_epochs is -1; it must be at least 0"),
        new(TinyRun.Options with { SaveEvery = 0 }, "options: save_every is 0; it must be at least 1"),
        new(TinyRun.Options with { Steps = -1 }, "options: steps is -1; it must be at least 0"),
        new(TinyRun.Options with { Augment = "rotate" },
            "options: augment is 'rotate'; it must be none, shift, flip or shift,flip"),
    ];

    [TestCaseSource(nameof(WrongOptions))]
    public void A_value_out_of_range_is_one_sentence(TrainOptions options, string sentence)
    {
        AssertRefused(sentence, () => TinyRun.Start(Run, options: options));
        Assert.That(File.Exists(Path.Combine(Run, "config.json")), Is.False);
    }
}
