using System.Text.Json.Nodes;
using GlowGpu.Engine;
using GlowGpu.Kernels.Host;
using GlowGpu.Model;
using GlowGpu.Model.Data;
using GlowGpu.Model.Training;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Training;

/// <summary>A run small enough for hundreds of steps a second, in a folder of the test's own.</summary>
internal static class TinyRun
{
    /// <summary>8 × 8 grey images, two levels; every kind of tensor that a checkpoint can hold.</summary>
    public static GlowConfig Config { get; } = new()
    {
        ImageSize = [8, 8],
        Channels = 1,
        Levels = 2,
        Depth = 1,
        Width = 4,
        Invconv = "plu",
    };

    /// <summary>Everything random is on: shuffling, shifts, uniform noise, average, clipping.</summary>
    public static TrainOptions Options { get; } = new()
    {
        Batch = 4,
        LearningRate = 3e-3,
        WarmupEpochs = 0.5,
        PolyakEpochs = 1,
        ClipNorm = 20,
        Steps = 14,
        SaveEvery = 3,
        SampleEvery = 7,
        ValidateEvery = 4,
        Augment = "shift",
        Seed = 5,
    };

    public static IImageSource Images { get; } = new MemoryImages("stripes/train", 22, 8, 8, 1, seed: 1);

    public static IImageSource HeldOut { get; } = new MemoryImages("stripes/validation", 6, 8, 8, 1, seed: 2);

    public static Device Open() => new(new HostBackend(1));

    /// <summary>Trains a fresh model, or the one in the folder, with a validation set unless told otherwise.</summary>
    public static TrainOutcome Start(string folder, Recorder? recorder = null, bool resume = false,
        TrainOptions? options = null,
        GlowConfig? config = null, IImageSource? images = null, bool validate = true, CancellationToken stop = default)
    {
        using Device device = Open();
        using Glow model = new(config ?? Config, device, (options ?? Options).Seed);
        return Start(model, folder, recorder, resume, options, images, validate, stop);
    }

    /// <summary>The same with a model that the test made.</summary>
    public static TrainOutcome Start(FlowModel model, string folder, Recorder? recorder = null, bool resume = false,
        TrainOptions? options = null, IImageSource? images = null, bool validate = true,
            CancellationToken stop = default)
    {
        using Trainer trainer = new(model, images ?? Images, validate ? HeldOut : null, options ?? Options,
            RunFolder.Create(folder, resume), recorder ?? new Recorder(), resume);
        return trainer.Run(stop);
    }

    /// <summary>Rows of <c>metrics.jsonl</c> without the measured times.</summary>
    public static string[] Rows(string folder) => [.. File.ReadLines(Path.Combine(folder, "metrics.jsonl"))
        .Select(static line =>
    {
        JsonObject row = JsonNode.Parse(line)!.AsObject();
        row.Remove("step_ms");
        row.Remove("images_per_second");
        return row.ToJsonString();
    })];

    /// <summary>Asserts that two runs left the same weights, state, samples and metrics, bit for bit.</summary>
    public static void AssertSame(string expected, string actual)
    {
        Assert.Multiple(() =>
        {
            Assert.That(Rows(actual), Is.EqualTo(Rows(expected)));
            foreach (string file in Files(expected))
                Assert.That(File.ReadAllBytes(Path.Combine(actual, file)).AsSpan()
                    .SequenceEqual(File.ReadAllBytes(Path.Combine(expected, file))), file);
        });
    }

    private static IEnumerable<string> Files(string folder) =>
    [
        "model.safetensors", "state.safetensors", "best.safetensors",
        .. Directory.GetFiles(Path.Combine(folder, "samples")).Select(f => Path.GetRelativePath(folder, f)),
    ];
}
