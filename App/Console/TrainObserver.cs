using GlowGpu.Model.Training;

namespace GlowGpu.App.Console;

/// <summary>Passes what a trainer reports on to a view, and remembers what the summary needs.</summary>
internal sealed class TrainObserver : ITrainObserver
{
    private TrainState? state;
    private ITrainView? view;

    /// <summary>The latest sample grid, or null.</summary>
    public string? Samples { get; private set; }

    /// <summary>The numbers so far.</summary>
    public TrainState State => state ?? throw new InvalidOperationException("train display: not begun yet");

    /// <summary>Sets view and header, which are known only once the trainer exists.</summary>
    public void Begin(ITrainView onto, TrainState from)
    {
        view = onto;
        state = from;
    }

    /// <inheritdoc/>
    public void OnStep(StepMetrics step)
    {
        State.Add(step);
        view?.Update(State, important: step.Skipped);
    }

    /// <inheritdoc/>
    public void OnValidation(ValidationMetrics validation)
    {
        State.Add(validation);
        view?.Line(Lines.Validation(State, validation));
        view?.Update(State, important: false);
    }

    /// <inheritdoc/>
    public void OnSamples(string path)
    {
        Samples = path;
        view?.Line($"samples in {path}");
    }

    /// <inheritdoc/>
    public void OnSaved(string path) { }

    /// <inheritdoc/>
    public void OnMessage(string message) => view?.Line(message);
}
