using System.Text.Json.Serialization;
using GlowGpu.Bench.Roofline;
using GlowGpu.Kernels;
using GlowGpu.Model;

namespace GlowGpu.Bench.Steps;

/// <summary>A whole step: training on a batch, or sampling one.</summary>
/// <param name="Name">for people</param>
/// <param name="Training">training, else sampling</param>
/// <param name="Size">height and width of the images (three channels)</param>
/// <param name="Levels">L</param>
/// <param name="Depth">K</param>
/// <param name="Width">hidden channels</param>
/// <param name="Coupling"><c>affine</c> or <c>additive</c></param>
/// <param name="Batch">images</param>
/// <param name="Long">so long that it runs fewer times</param>
public sealed record StepCase(
    string Name, bool Training, int Size, int Levels, int Depth, int Width, string Coupling,
        int Batch, bool Long = false)
{
    /// <summary>A small model, training.</summary>
    public static StepCase TrainA { get; } = new("training A", true, 32, 3, 8, 128, "affine", 16);

    /// <summary>The published CIFAR-10 model, training.</summary>
    public static StepCase TrainB { get; } = new("training B", true, 32, 3, 32, 512, "affine", 8);

    /// <summary>Every case of the report.</summary>
    public static IReadOnlyList<StepCase> All { get; } =
    [
        TrainA,
        TrainB,
        TrainA with { Name = "sampling A", Training = false },
        TrainB with { Name = "sampling B", Training = false },
        TrainB with { Name = "sampling B", Training = false, Batch = 16 },
        new("sampling 64×64", false, 64, 4, 16, 512, "affine", 1),
        new("sampling 256×256", false, 256, 6, 32, 512, "additive", 1, Long: true),
    ];

    /// <summary>
    /// On a GPU: the published CIFAR-10 model at batch 64 and 256, training and sampling, and one sample of the
    /// published CelebA-HQ model.
    /// </summary>
    public static IReadOnlyList<StepCase> Gpu { get; } =
    [
        TrainB with { Name = "training CIFAR-10", Batch = 64 },
        TrainB with { Name = "training CIFAR-10", Batch = 256 },
        TrainB with { Name = "sampling CIFAR-10", Training = false, Batch = 64 },
        TrainB with { Name = "sampling CIFAR-10", Training = false, Batch = 256 },
        new("one sample CelebA-HQ", false, 256, 6, 32, 512, "additive", 1, Long: true),
    ];

    /// <summary>For development.</summary>
    public static IReadOnlyList<StepCase> Quick { get; } =
    [
        new("training tiny", true, 16, 2, 2, 32, "affine", 4),
        new("sampling tiny", false, 16, 2, 2, 32, "affine", 4),
    ];

    /// <summary>The model.</summary>
    [JsonIgnore]
    public GlowConfig Config => new()
    {
        ImageSize = [Size, Size],
        Levels = Levels,
        Depth = Depth,
        Width = Width,
        Coupling = Coupling,
    };

    /// <summary>Flops of the step, convolutions tap by tap.</summary>
    [JsonIgnore]
    public double Flops => Training ? Cost.TrainingFlops(Config, Batch) : Cost.ModelFlops(Config, Batch);

    /// <summary>One image of a level as its flow steps see it.</summary>
    public Pixels Image(int level)
    {
        (int height, int width, _) = Config.LevelShape(level);
        return new Pixels(1, height, width);
    }

    /// <summary>Those left by minimal filtering (<see cref="Cost.FilteredFlops"/>).</summary>
    [JsonIgnore]
    public double FilteredFlops => (Training ? 3 : 1) * Cost.FilteredModelFlops(Config, Batch);

    /// <inheritdoc/>
    public override string ToString() =>
        $"{Name} ({Size}×{Size}×3, L={Levels}, K={Depth}, width {Width}, {Coupling}, batch {Batch})";
}
