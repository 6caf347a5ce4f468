using GlowGpu.Kernels;
using GlowGpu.Model;

namespace GlowGpu.Bench.Ops;

/// <summary>One level of a model and a batch: what an operation is measured at.</summary>
/// <param name="Model">for people</param>
/// <param name="Config">the model</param>
/// <param name="Level">counted from 0 at the image</param>
/// <param name="Batch">images</param>
/// <param name="Leads">the first shape of its model, where what does not depend on level and batch is measured</param>
public sealed record OpShape(string Model, GlowConfig Config, int Level, int Batch, bool Leads = false)
{
    private static readonly GlowConfig Published = new();
    private static readonly GlowConfig Small = new() { Depth = 8, Width = 128 };
    private static readonly GlowConfig CelebA = new()
    {
        ImageSize = [256, 256],
        Levels = 6,
        Coupling = "additive",
        NBits = 5
    };
    private static readonly GlowConfig Tiny = new() { ImageSize = [16, 16], Levels = 2, Depth = 2, Width = 32 };

    /// <summary>
    /// For the host: the published CIFAR-10 model (L=3, K=32, width 512) at batch 8 and 64, and a small one (width
    /// 128) at batch 16.
    /// </summary>
    public static IReadOnlyList<OpShape> All { get; } =
    [
        .. Levels("CIFAR-10, width 512", Published, 8, leads: true), .. Levels("CIFAR-10, width 512", Published, 64),
        .. Levels("width 128", Small, 16, leads: true),
    ];

    /// <summary>
    /// For a GPU: the published CIFAR-10 model at batch 64 and 256, and that of CelebA-HQ (256×256, L=6, width 512)
    /// at batch 4.
    /// </summary>
    public static IReadOnlyList<OpShape> Gpu { get; } =
    [
        .. Levels("CIFAR-10, width 512", Published, 64, leads: true), .. Levels("CIFAR-10, width 512", Published, 256),
        .. Levels("CelebA-HQ 256×256, width 512", CelebA, 4, leads: true),
    ];

    /// <summary>For development: both couplings at sizes that a CPU behind OpenCL computes in no time.</summary>
    public static IReadOnlyList<OpShape> Quick { get; } =
    [
        .. Levels("tiny, width 32", Tiny, 4, leads: true),
        .. Levels("tiny additive, width 32", Tiny with { Coupling = "additive" }, 4),
    ];

    /// <summary>Images, height and width of the level's pixels.</summary>
    public Pixels Pixels => new(Batch, Config.Height >> (Level + 1), Config.ImageWidth >> (Level + 1));

    /// <summary>C of the level.</summary>
    public int Channels => Config.LevelChannels(Level);

    /// <summary>Channels of either half.</summary>
    public int Half => Channels / 2;

    /// <inheritdoc/>
    public override string ToString() =>
        $"{Model}, batch {Batch}, level {Level} ({Pixels.Count} pixels, {Channels} channels)";

    private static IEnumerable<OpShape> Levels(string model, GlowConfig config, int batch, bool leads = false) =>
        Enumerable.Range(0, config.Levels).Select(l => new OpShape(model, config, l, batch, leads && l == 0));
}
