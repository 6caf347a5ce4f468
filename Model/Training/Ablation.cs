using GlowGpu.Engine;
using GlowGpu.Model.Data;

namespace GlowGpu.Model.Training;

/// <summary>One of the six kinds of model of figure 3 of Kingma &amp; Dhariwal 2018.</summary>
public sealed record AblationVariant(string Permutation, string Coupling)
{
    /// <summary>All six.</summary>
    public static IReadOnlyList<AblationVariant> All { get; } =
    [
        .. from coupling in new[] { "additive", "affine" }
           from permutation in new[] { "reverse", "shuffle", "invconv" }
           select new AblationVariant(permutation, coupling),
    ];

    /// <summary>For people, and as a folder's name.</summary>
    public string Name => $"{Permutation}-{Coupling}";
}

/// <summary>A variant trained with one seed.</summary>
public sealed record AblationRun(AblationVariant Variant, ulong Seed, long Parameters, RunMetrics Metrics);

/// <summary>
/// Trains the six kinds of model from the same seed, on the same images in the same order, each in a run folder of
/// its own (<c>invconv-affine-seed0</c>): runs that are finished are kept, one that was stopped is continued.
/// </summary>
public sealed class Ablation(GlowConfig config, TrainOptions options, IImageSource train, IImageSource? validation,
    string folder)
{
    /// <summary>The run folder of a variant.</summary>
    public string FolderOf(AblationVariant variant, ulong seed) => Path.Combine(folder, string.Create(
        System.Globalization.CultureInfo.InvariantCulture, $"{variant.Name}-seed{seed}"));

    /// <summary>
    /// Trains one variant to the number of steps, or finds it trained; null when <paramref name="stop"/> came first.
    /// </summary>
    /// <exception cref="GlowException">The folder holds a run of other settings or of more steps, or the training
    /// failed.</exception>
    public AblationRun? Run(AblationVariant variant, ulong seed, Device device, ITrainObserver observer,
        CancellationToken stop)
    {
        string path = FolderOf(variant, seed);
        GlowConfig shape = config with { Permutation = variant.Permutation, Coupling = variant.Coupling };
        bool begun = File.Exists(Path.Combine(path, "config.json"));
        RunFolder run = RunFolder.Create(path, begun);
        // What an earlier variant needed fits this one badly.
        device.Arena.Trim();
        using Glow model = new(shape, device, seed);
        TrainOptions own = options with { Seed = seed };
        // What fits memory now need not be what fitted when the run began.
        if (begun && run.ReadConfig() is { } before) own = own with { Memory = before.Training.Memory };
        using (Trainer trainer = new(model, train, validation, own, run, observer, begun))
        {
            if (trainer.Run(stop).End != TrainEnd.Finished) return null;
        }
        return new AblationRun(variant, seed, model.Parameters.Count, RunMetrics.Read(run));
    }
}
