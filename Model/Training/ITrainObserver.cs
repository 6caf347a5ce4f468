namespace GlowGpu.Model.Training;

/// <summary>
/// One step, as written to <c>metrics.jsonl</c>. <c>Loss</c> is bits/dim plus the weighted class term.
/// </summary>
public sealed record StepMetrics(
    long Step, double Epoch, double Loss, double BitsPerDim, double GradNorm, double Lr, double StepMs,
        double ImagesPerSecond)
{
    /// <summary>Fraction of wrong class predictions, when the model is conditional.</summary>
    public double? ClassErrors { get; init; }

    /// <summary>True when the update was skipped because loss or gradient was not finite.</summary>
    public bool Skipped { get; init; }
}

/// <summary>One validation, as written to <c>metrics.jsonl</c>.</summary>
public sealed record ValidationMetrics(long Step, double Epoch, double ValidationBitsPerDim, int Images, bool Best)
{
    /// <summary>Fraction of wrong class predictions, when the model is conditional.</summary>
    public double? ClassErrors { get; init; }
}

/// <summary>Hears what a trainer does; called on the training thread.</summary>
public interface ITrainObserver
{
    /// <summary>After each step.</summary>
    void OnStep(StepMetrics step);

    /// <summary>After each validation.</summary>
    void OnValidation(ValidationMetrics validation);

    /// <summary>After a sample grid was written.</summary>
    void OnSamples(string path);

    /// <summary>After a checkpoint was written.</summary>
    void OnSaved(string path);

    /// <summary>Anything else worth a line.</summary>
    void OnMessage(string message);
}
