using GlowGpu.Model.Data;

namespace GlowGpu.Model.Training;

/// <summary>Why a run ended.</summary>
public enum TrainEnd { Finished, Interrupted, TimeUp }

/// <summary>How a run ended.</summary>
public sealed record TrainOutcome(TrainEnd End, long Step, double Epoch, double LastBitsPerDim, double? ValidationBitsPerDim);

/// <summary>Trains a model in a run folder.</summary>
public sealed class Trainer : IDisposable
{
    /// <summary>A new run, or with <paramref name="resume"/> the continuation of the one in <paramref name="run"/>.</summary>
    public Trainer(Glow model, IImageSource train, IImageSource? validation, TrainOptions options, RunFolder run,
        ITrainObserver observer, bool resume) => throw new NotImplementedException();

    /// <summary>Steps per epoch.</summary>
    public long StepsPerEpoch => throw new NotImplementedException();

    /// <summary>Step that the run starts after (0 for a new one).</summary>
    public long StartStep => throw new NotImplementedException();

    /// <summary>Total steps planned, or null when only time or a signal ends the run.</summary>
    public long? TotalSteps => throw new NotImplementedException();

    /// <summary>Runs until epochs, steps or minutes are used up or <paramref name="stop"/> is signalled (then: finish the step, save, return).</summary>
    public TrainOutcome Run(CancellationToken stop) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void Dispose() { }
}
