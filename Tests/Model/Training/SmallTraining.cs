using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Model;
using GlowGpu.Model.Sampling;

namespace GlowGpu.Tests.Model.Training;

/// <summary>A model small enough for the emulator, and an optimizer, on a backend of the test's choice.</summary>
internal sealed class SmallTraining : IDisposable
{
    private readonly Device device;
    private readonly Random random = new(3);
    private ulong counter;

    /// <summary>Three classes on 4 × 4 pixels, every family of parameters.</summary>
    public static GlowConfig Config { get; } = new()
    {
        ImageSize = [4, 4],
        Channels = 1,
        Levels = 2,
        Depth = 1,
        Width = 4,
        Classes = 3,
    };

    public SmallTraining(IBackend backend, bool graphs = true, FlowConfig? config = null, int batch = 2)
    {
        device = new Device(backend) { UsesGraphs = graphs };
        Model = (config ?? Config).Create(device, 7);
        Optimizer = new Adamax(backend, Model.Parameters, 0.9, 0.99, 1e-8, averageDecay: 0.9);
        BatchSize = batch;
        Model.Initialize(Images(), Noise.Center);
    }

    public FlowModel Model { get; }

    public Adamax Optimizer { get; }

    public Device Device => device;

    public int BatchSize { get; set; }

    public double ClassWeight { get; set; } = 0.01;

    public MemoryMode Memory { get; set; } = MemoryMode.Stored;

    private string Poisoned => Model.Parameters.All.First(static p => !p.IsStatistic && p.Name.EndsWith("bias",
        StringComparison.Ordinal)).Name;

    /// <summary>One step on images, noise, rate and clip factor of its own.</summary>
    public TrainingResult Step()
    {
        Batch batch = Images();
        counter += 100;
        return Model.Train(batch, new Noise(Dequantization.Uniform, 99, counter), Memory, ClassWeight, Optimizer,
            1e-3 * (1 + counter / 100.0), clipNorm: 5);
    }

    /// <summary>Every parameter, moment and average after some steps, and the numbers of each step.</summary>
    public float[] Run(int steps)
    {
        List<float> all = [];
        for (int i = 0; i < steps; i++)
        {
            TrainingResult result = Step();
            all.AddRange([(float)result.Batch.Loss, (float)result.Batch.ClassErrors, (float)result.GradientNorm]);
            all.AddRange(result.Batch.LogLikelihoods.Select(static v => (float)v));
        }
        return [.. all, .. State()];
    }

    /// <summary>Every parameter, moment and average.</summary>
    public float[] State() => [.. Model.Parameters.Values.ToArray(),
        .. Optimizer.State.SelectMany(static s => s.View.ToArray())];

    /// <summary>Continuous pixels of some latents.</summary>
    public float[] Decode(double temperature, ulong seed) =>
        Model.Decode(Sampler.Draw(Model.Config, BatchSize, temperature, seed),
            Sampler.Labels(Model.Config, BatchSize, null));

    /// <summary>Makes the loss not finite; the values before.</summary>
    public float[] Poison()
    {
        View bias = Model.Parameters.Value(Poisoned);
        float[] kept = bias.ToArray();
        bias.Write([.. kept.Select(static _ => float.NaN)]);
        Model.Parameters.Touch();
        return kept;
    }

    /// <summary>Undoes <see cref="Poison"/>.</summary>
    public void Heal(float[] kept)
    {
        Model.Parameters.Value(Poisoned).Write(kept);
        Model.Parameters.Touch();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Optimizer.Dispose();
        Model.Dispose();
        // The backend belongs to the test.
        device.Arena.Dispose();
    }

    private Batch Images()
    {
        float[] bytes = [.. Enumerable.Range(0, BatchSize * Model.Config.Dimensions)
            .Select(_ => (float)random.Next(256))];
        float[]? labels = Model.Config.Classes == 0 ? null
            : [.. Enumerable.Range(0, BatchSize).Select(_ => (float)random.Next(Model.Config.Classes))];
        return new Batch(BatchSize, bytes, labels);
    }
}
