using GlowGpu.Model.Training;

namespace GlowGpu.Tests.Model.Training;

/// <summary>Remembers what a trainer says, and lets a test act after a step.</summary>
internal sealed class Recorder : ITrainObserver
{
    public List<StepMetrics> Steps { get; } = [];

    public List<ValidationMetrics> Validations { get; } = [];

    public List<string> Samples { get; } = [];

    public List<string> Messages { get; } = [];

    public int Saves { get; private set; }

    public Action<StepMetrics>? AfterStep { get; init; }

    public Action<ValidationMetrics>? AfterValidation { get; init; }

    public Action? AfterSave { get; init; }

    public void OnStep(StepMetrics step)
    {
        Steps.Add(step);
        AfterStep?.Invoke(step);
    }

    public void OnValidation(ValidationMetrics validation)
    {
        Validations.Add(validation);
        AfterValidation?.Invoke(validation);
    }

    public void OnSamples(string path) => Samples.Add(path);

    public void OnSaved(string path)
    {
        Saves++;
        AfterSave?.Invoke();
    }

    public void OnMessage(string message) => Messages.Add(message);
}
