using System.CommandLine;
using GlowGpu.App.Commands;
using GlowGpu.Model;
using NUnit.Framework;

namespace GlowGpu.Tests.App;

/// <summary>What <c>glow train</c> plans from presets and explicit options.</summary>
public sealed class PresetTests
{
    [Test]
    public void No_arguments_mean_the_tiny_preset_on_the_demo_set()
    {
        TrainPlan plan = Plan("");
        Assert.That(plan, Is.EqualTo(Presets.Get("tiny") with { Model = plan.Model }));
        Assert.That(plan.Model.ToJson(), Is.EqualTo(Presets.Get("tiny").Model.ToJson()));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(plan.Data, Is.EqualTo("demo"));
            Assert.That(plan.Training.Minutes, Is.InRange(2, 4));
            Assert.That(plan.Training.Steps, Is.Null);
            Assert.That(plan.Training.Epochs, Is.Null);
        }
    }

    [Test]
    public void Other_data_means_the_published_run()
    {
        TrainPlan plan = Plan("--data pictures");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(plan.Data, Is.EqualTo("pictures"));
            Assert.That((plan.Model.Levels, plan.Model.Depth, plan.Model.Width, plan.Model.NBits),
                Is.EqualTo((3, 32, 512, 8)));
            GlowConfig glow = (GlowConfig)plan.Model;
            Assert.That((glow.Coupling, glow.Permutation, glow.LearnTop), Is.EqualTo(("affine", "invconv", true)));
            Assert.That((plan.Training.Batch, plan.Training.Optimizer, plan.Training.LearningRate,
                plan.Training.WarmupEpochs),
                Is.EqualTo((64, "adamax", 1e-3, 10.0)));
            Assert.That(plan.Training.Minutes, Is.Null);
        }
    }

    [TestCase("cifar10", 32, 3, 32, "affine", 8)]
    [TestCase("imagenet32 --data d", 32, 3, 48, "affine", 8)]
    [TestCase("imagenet64 --data d", 64, 4, 48, "affine", 8)]
    [TestCase("lsun --data d", 64, 3, 48, "affine", 8)]
    [TestCase("celebahq256 --data d", 256, 6, 32, "additive", 5)]
    public void Published_shapes(string preset, int size, int levels, int depth, string coupling, int bits)
    {
        TrainPlan plan = Plan("--preset " + preset);
        Assert.That((plan.Model.Height, plan.Model.Levels, plan.Model.Depth, ((GlowConfig)plan.Model).Coupling,
            plan.Model.NBits, plan.Model.Width),
            Is.EqualTo((size, levels, depth, coupling, bits, 512)));
        Assert.That(() => plan.Model.Validate(), Throws.Nothing);
    }

    [Test]
    public void Explicit_options_override_the_preset()
    {
        TrainPlan plan = Plan("--preset tiny --depth 7 --bits 5 --lr 0.25 --no-shuffle --no-learn-top --dequantize "
            + "center --beta2 0.5 "
            + "--classes auto --validation 0 --limit 10 --image-size 16 --memory reversible --augment shift,flip "
            + "--seed 18446744073709551615");
        TrainPlan tiny = Presets.Get("tiny");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(plan.Model,
                Is.EqualTo((GlowConfig)tiny.Model with
                {
                    Depth = 7,
                    NBits = 5,
                    LearnTop = false,
                    ImageSize = plan.Model.ImageSize
                }));
            Assert.That(plan.Training, Is.EqualTo(tiny.Training with
            {
                LearningRate = 0.25,
                Shuffle = false,
                Dequantize = GlowGpu.Model.Dequantization.Center,
                Beta2 = 0.5,
                Augment = "shift,flip",
                Seed = ulong.MaxValue,
            }));
            Assert.That((plan.Classes, plan.Validation, plan.Limit, plan.ImageSize, plan.Memory),
                Is.EqualTo(("auto", 0.0, 10, 16, "reversible")));
        }
    }

    [TestCase("--steps 5")]
    [TestCase("--epochs 0.5")]
    public void A_given_limit_replaces_the_presets(string limit) => Assert.That(Plan(limit).Training.Minutes, Is.Null);

    [Test]
    public void Every_option_reaches_its_own_place_in_the_plan()
    {
        // Two options on one place, or one on none, would show as a value that does not change or changes twice.
        string[] values =
        [
            "--data x", "--data-dir x", "--image-size 6", "--limit 3", "--validation 0.3", "--augment flip",
            "--no-shuffle", "--dequantize center",
            "--model-family nice", "--blocks 3", "--hidden 2", "--prior gaussian", "--levels 5", "--depth 9",
            "--width 11", "--coupling additive", "--permutation shuffle", "--invconv plu", "--bits 3", "--classes 4",
            "--no-learn-top", "--no-edge-bias", "--batch 13", "--optimizer adam", "--lr 0.5", "--warmup-epochs 3",
            "--beta2 0.3", "--polyak-epochs 4",
            "--clip-norm 6", "--class-weight 0.2", "--class-ramp 9", "--memory stored", "--seed 8", "--epochs 21",
            "--steps 22", "--minutes 23", "--save-every 24",
            "--sample-every 25", "--validate-every 26", "--temperature 0.4",
        ];
        TrainPlanner planner = new();
        Assert.That(values.Select(static v => v.Split(' ')[0]),
            Is.EquivalentTo(planner.Arguments.Select(static a => a.Option.Name)));
        Command command = new("train");
        foreach (PlanOption argument in planner.Arguments) command.Add(argument.Option);
        foreach (string value in values)
        {
            PlanOption option = planner.Arguments.Single(a => a.Option.Name == value.Split(' ')[0]);
            TrainPlan standard = new TrainPlan().OfFamily(option.Family ?? "glow");
            ParseResult parse = command.Parse(value.Split(' '));
            string[] differing = [.. planner.Arguments.Where(a => a.Apply(parse, standard) != standard)
                .Select(static a => a.Option.Name)];
            Assert.That(differing, Is.EqualTo(new[] { value.Split(' ')[0] }));
            TrainPlan changed = option.Apply(parse, standard);
            Assert.That(option.Contradiction(parse, standard), Is.Not.Null, value);
            Assert.That(option.Contradiction(parse, changed), Is.Null, value);
        }
    }

    [TestCase("photos/holiday", "holiday")]
    [TestCase("photos/holiday/", "holiday")]
    [TestCase("sets/faces.npz", "faces")]
    [TestCase("cifar10", "cifar10")]
    [TestCase("..", "run")]
    public void Run_folders_are_named_after_the_data(string data, string expected) =>
        Assert.That(TrainPlan.NameOf(data), Is.EqualTo(expected));

    private static TrainPlan Plan(string line)
    {
        TrainPlanner planner = new();
        Command command = new("train") { planner.Output, planner.Preset, planner.Init, planner.Resume };
        foreach (PlanOption argument in planner.Arguments) command.Add(argument.Option);
        ParseResult parse = command.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.That(parse.Errors, Is.Empty);
        return planner.New(parse);
    }
}
