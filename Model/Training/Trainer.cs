using System.Diagnostics;
using GlowGpu.Engine;
using GlowGpu.Model.Data;

namespace GlowGpu.Model.Training;

/// <summary>Why a run ended.</summary>
public enum TrainEnd { Finished, Interrupted, TimeUp }

/// <summary>How a run ended; <c>ValidationBitsPerDim</c> is the best so far.</summary>
public sealed record TrainOutcome(TrainEnd End, long Step, double Epoch, double LastBitsPerDim,
    double? ValidationBitsPerDim);

/// <summary>
/// Trains a model in a run folder. Everything it computes is a function of model, data, options and seed: a run that
/// was interrupted or killed and resumed writes the same weights and the same metrics (times aside) as one that was
/// not.
/// </summary>
/// <remarks>
/// After a step come, each when due, its row in the metrics, validation, samples and the checkpoint, in this order:
/// whatever the checkpoint stands for is on disk before it, and what a kill left behind after it is done again.
/// </remarks>
public sealed class Trainer : IDisposable
{
    private const int MostSkippedInRow = 3;

    private readonly FlowModel model;
    private readonly IImageSource train;
    private readonly IImageSource? validation;
    private readonly TrainOptions options;
    private readonly RunFolder run;
    private readonly ITrainObserver observer;
    private readonly StepRunner steps;
    private readonly Validator validator;
    private readonly MetricsFile metrics;
    private readonly Stack<IDisposable> opened = [];
    private TrainingState state = new();
    private TrainingState? saved;
    private TrainingState? attempted;
    private long sampledStep;
    private double lastBitsPerDim = double.NaN;

    /// <summary>
    /// A new run, or with <paramref name="resume"/> the continuation of the one in <paramref name="run"/>.
    /// </summary>
    /// <param name="model">the model to train; a resumed run overwrites its weights</param>
    /// <param name="train">training set</param>
    /// <param name="validation">validation set, or null</param>
    /// <param name="options">how to train</param>
    /// <param name="run">where everything is written</param>
    /// <param name="observer">hears of every step</param>
    /// <param name="resume">continue the run in the folder</param>
    /// <exception cref="GlowException">Images, options or the run in the folder do not fit; the sentence says
    /// what.</exception>
    public Trainer(FlowModel model, IImageSource train, IImageSource? validation, TrainOptions options, RunFolder run,
        ITrainObserver observer, bool resume)
    {
        (this.model, this.train, this.validation, this.run, this.observer) = (model, train, validation, run, observer);
        this.options = options.Validate();
        DataFit.Check(model.Config, train);
        if (validation is not null) DataFit.Check(model.Config, validation);
        try
        {
            opened.Push(run.Lock());
            model.Device.GraphRefused = observer.OnMessage;
            RunConfig config = new()
            {
                Model = model.Config,
                Training = options,
                Data = DataDescription.Of(train)!,
                Validation = DataDescription.Of(validation),
                Precision = model.Device.Precision,
                FromCheckpoint = model.Initialized,
            };
            CheckpointPair? pair = resume ? Recover(ref config) : null;
            StartStep = pair?.Step ?? 0;
            opened.Push(steps = new StepRunner(model, train, options, StartStep));
            if (StartStep > TotalSteps)
                throw new GlowException($"{run.Path}: is at step {StartStep} already, past the {TotalSteps} asked "
                    + "for; steps and epochs count from the start of the run");
            if (pair is not null)
            {
                ModelFile.LoadInto(model, pair.ModelPath);
                attempted = saved = state = TrainingState.Load(pair.StatePath, model, steps.Optimizer);
            }
            sampledStep = StartStep;
            validator = new Validator(model, steps.Optimizer, train, validation, options, run);
            run.WriteConfig(config);
            opened.Push(metrics = new MetricsFile(run.MetricsPath, pair?.Step ?? -1, config.Validation));
            if (pair is not null) lastBitsPerDim = RunMetrics.Read(run).Steps.LastOrDefault(s => s.Step <= StartStep,
                (0, double.NaN)).BitsPerDim;
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Steps per epoch.</summary>
    public long StepsPerEpoch => steps.StepsPerEpoch;

    /// <summary>Step that the run starts after (0 for a new one).</summary>
    public long StartStep { get; }

    /// <summary>Total steps planned, or null when only time or a signal ends the run.</summary>
    public long? TotalSteps => (options.Steps, StepsOf(options.Epochs)) switch
    {
        (long a, long b) => Math.Min(a, b),
        var (a, b) => a ?? b,
    };

    private double Epoch => state.Step / (double)StepsPerEpoch;

    private bool Complete => state.Step >= TotalSteps;

    /// <summary>
    /// Runs until epochs, steps or minutes are used up or <paramref name="stop"/> is signalled (then: finish the
    /// step, save, return).
    /// </summary>
    /// <exception cref="GlowException">
    /// Loss or gradient was not finite three times in a row, an image could not be read, or a file not be written;
    /// the last good checkpoint is kept.
    /// </exception>
    public TrainOutcome Run(CancellationToken stop)
    {
        long begin = Stopwatch.GetTimestamp();
        if (saved is null) Begin();
        else AfterStep(last: false, stop);
        bool timeUp = false;
        while (!Complete && !stop.IsCancellationRequested
            && !(timeUp = Stopwatch.GetElapsedTime(begin).TotalMinutes >= options.Minutes))
        {
            Step();
            AfterStep(last: Complete, stop);
        }
        AfterStep(last: Complete || timeUp, stop);
        TrainEnd end = stop.IsCancellationRequested ? TrainEnd.Interrupted : timeUp ? TrainEnd.TimeUp
            : TrainEnd.Finished;
        return new TrainOutcome(end, state.Step, Epoch, lastBitsPerDim, state.BestBitsPerDim);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        while (opened.TryPop(out IDisposable? next)) next.Dispose();
    }

    private CheckpointPair? Recover(ref RunConfig config)
    {
        RunConfig stored = run.ReadConfig()
            ?? throw new GlowException(
            $"{run.ConfigPath}: is missing; without the options it was started with a run cannot be continued");
        stored.CheckResume(config, run.Path);
        CheckpointPair? pair = run.Checkpoint.Recover();
        if (pair is null)
        {
            if (stored.FromCheckpoint && !config.FromCheckpoint)
                throw new GlowException($"{run.Path}: began from another model's weights and was stopped before its "
                    + "first checkpoint; start it again with the same --init");
            observer.OnMessage($"{run.Path} was stopped before its first checkpoint; starting from step 0");
        }
        else
        {
            observer.OnMessage($"continuing {run.Path} after step {pair.Step}");
        }
        config = config with { FromCheckpoint = stored.FromCheckpoint };
        return pair;
    }

    private void Begin()
    {
        (Batch batch, Noise noise) = steps.Peek(state);
        if (!model.Initialized) model.Initialize(batch, noise);
        Save();
    }

    private void Step()
    {
        StepMetrics step = steps.Run(ref state);
        if (!step.Skipped) lastBitsPerDim = step.BitsPerDim;
        metrics.Write(step);
        observer.OnStep(step);
        if (state.SkippedInRow < MostSkippedInRow) return;
        string kept = saved is null ? "no checkpoint was written"
            : $"the checkpoint of step {saved.Step} is kept, and a new run can start from it with --init "
            + $"{run.Checkpoint.ModelPath} and a lower --lr";
        throw new GlowException(
            $"training: loss or gradient was not finite in the steps {state.Step - MostSkippedInRow + 1} to "
                + $"{state.Step}; {steps.Culprit()}; {kept}");
    }

    // Doing it again changes nothing: what is due and done already is left out.
    private void AfterStep(bool last, CancellationToken stop)
    {
        bool validated = false;
        if (validation is not null && state.ValidatedStep != state.Step && (last || ValidationDue)
            && !stop.IsCancellationRequested)
        {
            validated = Validate(stop);
        }
        if (sampledStep != state.Step && (last || state.Step % options.SampleEvery == 0)) WriteSamples();
        bool saveDue = last || validated || stop.IsCancellationRequested || state.Step % options.SaveEvery == 0;
        if (saveDue && attempted != state) Save();
    }

    private bool ValidationDue => state.Step > 0 && state.Step % (options.ValidateEvery > 0 ? options.ValidateEvery
        : StepsPerEpoch) == 0;

    // Cut short it counts as not done; the resumed run does it first thing.
    private bool Validate(CancellationToken stop)
    {
        try
        {
            ValidationMetrics result = validator.Validate(state.Step, Epoch, state.BestBitsPerDim, stop);
            state = state with { ValidatedStep = state.Step };
            if (result.Best) state = state with { BestBitsPerDim = result.ValidationBitsPerDim };
            metrics.Write(result);
            observer.OnValidation(result);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
        catch (ArithmeticException e)
        {
            state = state with { ValidatedStep = state.Step };
            observer.OnMessage($"step {state.Step}: not validated ({e.Message})");
            return true;
        }
    }

    private void WriteSamples()
    {
        sampledStep = state.Step;
        try
        {
            if (validator.WriteSamples(state.Step) is { } path) observer.OnSamples(path);
        }
        catch (ArithmeticException e)
        {
            observer.OnMessage($"step {state.Step}: no samples ({e.Message})");
        }
    }

    private void Save()
    {
        attempted = state;
        if (!steps.WeightsAreGood())
        {
            observer.OnMessage($"step {state.Step}: not saved, because its weights give a loss that is not finite");
            return;
        }
        metrics.Flush();
        Dictionary<string, string> metadata = new() { ["data"] = train.Name, ["data_hash"] = train.Hash };
        run.Checkpoint.Save(ModelFile.Writer(model, metadata), state.Writer(model, steps.Optimizer, Epoch), state.Step);
        saved = state;
        if (validation is null) validator.SaveLast(state.Step);
        observer.OnSaved(run.Checkpoint.ModelPath);
    }

    private long? StepsOf(double? epochs) => epochs is double e ? (long)Math.Ceiling(e * StepsPerEpoch) : null;
}
