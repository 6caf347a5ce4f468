using GlowGpu.Kernels;
using GlowGpu.Model;

namespace GlowGpu.Bench.Ops;

/// <summary>One level of a model with affine coupling and a batch: what an operation is measured at.</summary>
public sealed record OpShape(string Model, GlowConfig Config, int Level, int Batch)
{
    private static readonly GlowConfig Published = new();
    private static readonly GlowConfig Small = new() { Depth = 8, Width = 128 };

    /// <summary>The published CIFAR-10 model (L=3, K=32, width 512) at batch 8 and 64, and a small one (width 128) at batch 16.</summary>
    public static IReadOnlyList<OpShape> All { get; } =
    [
        .. Levels("CIFAR-10, width 512", Published, 8), .. Levels("CIFAR-10, width 512", Published, 64),
        .. Levels("width 128", Small, 16),
    ];

    /// <summary>Images, height and width of the level's pixels.</summary>
    public Pixels Pixels => new(Batch, Config.Height >> (Level + 1), Config.ImageWidth >> (Level + 1));

    /// <summary>C of the level.</summary>
    public int Channels => Config.LevelChannels(Level);

    /// <summary>Channels of either half.</summary>
    public int Half => Channels / 2;

    /// <inheritdoc/>
    public override string ToString() => $"{Model}, batch {Batch}, level {Level} ({Pixels.Count} pixels, {Channels} channels)";

    private static IEnumerable<OpShape> Levels(string model, GlowConfig config, int batch) =>
        Enumerable.Range(0, config.Levels).Select(l => new OpShape(model, config, l, batch));
}
