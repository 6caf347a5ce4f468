using GlowGpu.App.Console;
using GlowGpu.Model;
using GlowGpu.Model.Training;

namespace GlowGpu.App.Commands;

/// <summary>
/// Named starting points of <c>glow train</c>; options given explicitly override them. All but <c>tiny</c> are
/// published runs: shapes, bits and learning rate from the commands in openai/glow's README, everything else that
/// code's defaults (Adamax at 1e-3, ten epochs of warm-up, width 512, learned top).
/// </summary>
internal static class Presets
{
    /// <summary>All names.</summary>
    public static string[] Names { get; } = ["tiny", "cifar10", "imagenet32", "imagenet64", "lsun", "celebahq256"];

    /// <summary>What the help says of them.</summary>
    public const string Help =
        "tiny: a few minutes on a CPU. cifar10, imagenet32, imagenet64, lsun (64×64) and celebahq256 (5 bits): the "
            + "published runs.";

    // The published batches were spread over 8 to 40 GPUs, 512 images in all at 32×32: one GPU's share of 64 is used
    // there. At 64×64 and above the published totals (128, 128, 40) are kept, since a share of 16 or of a single
    // image makes a poor gradient.
    private static readonly TrainPlan Published = new();

    /// <summary>
    /// The plan of a preset for a family of models; null: Glow, which the presets are made for. Others have their own
    /// sizes.
    /// </summary>
    public static TrainPlan Get(string name, string? family) => (name, family) switch
    {
        (_, null or "glow") => Get(name),
        ("tiny", "realnvp") =>
            Get(name) with { Model = new RealNvpConfig { Depth = 2, Width = 32, Blocks = 1, NBits = 5 } },
        ("tiny", "nice") => Get(name) with { Model = new NiceConfig { Width = 256, Hidden = 2, NBits = 5 } },
        _ => Get(name).OfFamily(family),
    };

    /// <summary>The plan of a preset.</summary>
    public static TrainPlan Get(string name) => name switch
    {
        "tiny" => new TrainPlan
        {
            Data = "demo",
            Model = new GlowConfig { Levels = 3, Depth = 8, Width = 64, NBits = 5 },
            // Many small steps: in a few minutes the number of updates counts for more than the images in each.
            Training = new TrainOptions
            {
                Batch = 16,
                Optimizer = "adam",
                LearningRate = 1e-3,
                Beta2 = 0.999,
                WarmupEpochs = 0.2,
                ClipNorm = 100,
                Minutes = 3.6,
                SaveEvery = 500,
                SampleEvery = 500,
            },
        },
        "cifar10" => Published with { Data = "cifar10" },
        "imagenet32" => Published with { Model = Shape(32, 3, 48), ImageSize = 32 },
        "imagenet64" => Published with { Model = Shape(64, 4, 48), ImageSize = 64, Training = Batch(128) },
        "lsun" => Published with { Model = Shape(64, 3, 48), ImageSize = 64, Training = Batch(128) },
        "celebahq256" => Published with
        {
            Model = Shape(256, 6, 32) with { Coupling = "additive", NBits = 5 },
            ImageSize = 256,
            Training = Batch(40),
        },
        _ => throw new UsageException($"--preset is '{name}'; it must be {Readable.OneOf(Names)}"),
    };

    private static GlowConfig Shape(int size, int levels, int depth) =>
        new() { ImageSize = [size, size], Levels = levels, Depth = depth };

    private static TrainOptions Batch(int images) => new() { Batch = images };
}
