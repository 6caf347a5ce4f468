using System.Diagnostics;
using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Model.Data;

namespace GlowGpu.Model.Training;

/// <summary>One training step after the other: batch, loss and gradients, check, update.</summary>
internal sealed class StepRunner : IDisposable
{
    private readonly FlowModel model;
    private readonly TrainOptions options;
    private readonly BatchLoader loader;
    private readonly Schedule schedule;
    private readonly ulong noiseKey;
    private Batch? peeked;

    /// <summary>Steps from batch <paramref name="firstBatch"/> of the data order on.</summary>
    public StepRunner(FlowModel model, IImageSource train, TrainOptions options, long firstBatch)
    {
        this.model = model;
        this.options = options;
        noiseKey = CounterRandom.DeriveKey(options.Seed, "dequantize");
        IBackend backend = model.Device.Backend;
        loader = new BatchLoader(train, options.Batch, options.Shuffle, options.Augment, options.Seed, firstBatch);
        StepsPerEpoch = loader.BatchesPerEpoch;
        schedule = new Schedule(options.LearningRate, StepsPerEpoch * options.WarmupEpochs);

        // Capped where a float32 still tells the decay from 1.
        double? average = options.PolyakEpochs > 0
            ? Math.Clamp(1 - 1 / (StepsPerEpoch * options.PolyakEpochs), 0, 1 - 1e-7)
            : null;
        // Never below beta1: a second moment that forgets faster than the first lets the update of a parameter whose
        // gradient fades grow as (beta1/beta2)^t. The formula would give that in sets of a few batches.
        double beta2 = options.Beta2 ?? Math.Max(average ?? 0.999, options.Beta1);
        Optimizer = options.Optimizer == "adam"
            ? new Adam(backend, model.Parameters, options.Beta1, beta2, options.Epsilon, average)
            : new Adamax(backend, model.Parameters, options.Beta1, beta2, options.Epsilon, average);
    }

    /// <summary>Steps per epoch.</summary>
    public long StepsPerEpoch { get; }

    /// <summary>Moments and average.</summary>
    public IOptimizer Optimizer { get; }

    /// <summary>The batch of the last step, or the one just peeked at; valid until the step after the next.</summary>
    public (Batch Batch, Noise Noise)? Last { get; private set; }

    /// <summary>The batch that the next step will use.</summary>
    public (Batch Batch, Noise Noise) Peek(TrainingState state)
    {
        peeked ??= loader.Next();
        Last = (peeked, new Noise(options.Dequantize, noiseKey, state.NoiseCounter));
        return Last.Value;
    }

    /// <summary>
    /// Does the step after <paramref name="state"/> and moves it on. Without a finite loss and gradient nothing is
    /// updated.
    /// </summary>
    public StepMetrics Run(ref TrainingState state)
    {
        long begin = Stopwatch.GetTimestamp();
        (Batch batch, Noise noise) = Peek(state);
        peeked = null;
        long step = state.Step + 1;
        double rate = schedule.At(step);
        TrainingResult result = model.Train(batch, noise, options.Memory, ClassWeightAt(step), Optimizer, rate,
            options.ClipNorm);
        state = state with
        {
            Step = step,
            Updates = Optimizer.Updates,
            NoiseCounter = state.NoiseCounter
                + CounterRandom.UniformBlocks((long)batch.Count * model.Config.Dimensions),
            SkippedInRow = result.Updated ? 0 : state.SkippedInRow + 1,
        };
        double milliseconds = Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
        return new StepMetrics(step, step / (double)StepsPerEpoch, result.Batch.Loss, result.Batch.BitsPerDim,
            result.GradientNorm, rate, milliseconds, batch.Count * 1000 / milliseconds)
        {
            ClassErrors = model.Config.Classes > 0 ? result.Batch.ClassErrors : null,
            Skipped = !result.Updated,
        };
    }

    /// <summary>
    /// Whether the weights give a finite loss on the last batch: what a step's own loss says only of the weights
    /// before it.
    /// </summary>
    public bool WeightsAreGood()
    {
        if (Last is not (Batch batch, Noise noise)) return true;
        try
        {
            return double.IsFinite(model.Evaluate(batch, noise, options.ClassWeight).Loss);
        }
        catch (ArithmeticException)
        {
            return false;
        }
    }

    /// <summary>What is to blame when the last step was not finite, as a clause.</summary>
    public string Culprit()
    {
        (Batch batch, Noise noise) = Last!.Value;
        try
        {
            return model.FirstNonFiniteLayer(batch, noise) is { } layer
                ? $"the first layer whose output is not finite is {layer}"
                : model.Parameters.All.Any(static p => p.IsStatistic)
                    ? "every layer's output is finite with the running statistics, but the loss or gradient with "
                    + "those of the batch is not"
                    : "every layer's output is finite, but the gradient is not";
        }
        catch (ArithmeticException e)
        {
            // A channel mixing matrix that cannot be inverted is found before any layer runs; the message begins with
            // its step.
            return $"the first layer whose output is not finite is {e.Message.Split(';')[0]}";
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Optimizer.Dispose();
        loader.Dispose();
    }

    /// <summary>
    /// Weight of the class term at a step, counted from 1. It rises from 0: before the latents mean anything the
    /// class term's gradient is noise that the likelihood cannot hold against.
    /// </summary>
    internal double ClassWeightAt(long step) => options.ClassWeight * Math.Min(1,
        step / (double)Math.Max(1, options.ClassRamp ?? StepsPerEpoch));
}
