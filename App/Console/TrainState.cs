using System.Diagnostics;
using GlowGpu.Model.Training;

namespace GlowGpu.App.Console;

/// <summary>What a run is, for its display.</summary>
/// <param name="Run">run folder</param>
/// <param name="Title">model and device in a few words</param>
/// <param name="Train">name and hash of the training set</param>
/// <param name="Validation">name and hash of the validation set, or null</param>
/// <param name="TotalSteps">steps planned, or null</param>
/// <param name="Minutes">minutes allowed, or null</param>
/// <param name="DeviceBytes">device memory held now</param>
internal sealed record TrainHeader(
    string Run, string Title, string Train, string? Validation, long? TotalSteps, double? Minutes,
        Func<long> DeviceBytes);

/// <summary>The numbers a display of a running training shows, gathered from its steps.</summary>
internal sealed class TrainState(TrainHeader header, long startStep)
{
    // Single steps are noisy; fifty of them give a readable mean and a usable speed.
    private const int Window = 50;

    private readonly Queue<(double Bits, double Images, TimeSpan At)> recent = new();
    private readonly Stopwatch clock = Stopwatch.StartNew();

    /// <summary>What the run is.</summary>
    public TrainHeader Header { get; } = header;

    /// <summary>The latest step, or null before the first.</summary>
    public StepMetrics? Last { get; private set; }

    /// <summary>The latest validation.</summary>
    public ValidationMetrics? Validation { get; private set; }

    /// <summary>The best validation of this process.</summary>
    public ValidationMetrics? Best { get; private set; }

    /// <summary>Most device memory that was held after a step.</summary>
    public long PeakBytes { get; private set; }

    /// <summary>Updates that were skipped because they were not finite.</summary>
    public int Skipped { get; private set; }

    /// <summary>Mean training bits/dim of the last steps.</summary>
    public double BitsPerDim => recent.Count == 0 ? double.NaN : recent.Average(static r => r.Bits);

    /// <summary>Mean speed of the last steps.</summary>
    public double ImagesPerSecond => recent.Count == 0 ? 0 : recent.Average(static r => r.Images);

    /// <summary>Time since the run was started.</summary>
    public TimeSpan Elapsed => clock.Elapsed;

    /// <summary>Takes in a step.</summary>
    public void Add(StepMetrics step)
    {
        Last = step;
        PeakBytes = Math.Max(PeakBytes, Header.DeviceBytes());
        if (step.Skipped)
        {
            Skipped++;
            return;
        }
        recent.Enqueue((step.BitsPerDim, step.ImagesPerSecond, clock.Elapsed));
        if (recent.Count > Window) recent.Dequeue();
    }

    /// <summary>Takes in a validation.</summary>
    public void Add(ValidationMetrics validation)
    {
        Validation = validation;
        if (validation.Best || Best is null) Best = validation;
    }

    /// <summary>How much of the run is done, 0 to 1; null when nothing limits it.</summary>
    public double? Fraction()
    {
        double? bySteps = Header.TotalSteps is long total && total > 0 ? (double)(Last?.Step ?? startStep) / total
            : null;
        double? byTime = Header.Minutes is double minutes && minutes > 0 ? clock.Elapsed.TotalMinutes / minutes : null;
        return (bySteps, byTime) switch
        {
            (null, null) => null,
            _ => Math.Clamp(Math.Max(bySteps ?? 0, byTime ?? 0), 0, 1),
        };
    }

    /// <summary>Time until the run ends; null when unknown or unlimited.</summary>
    public TimeSpan? Remaining()
    {
        TimeSpan? bySteps = null;
        if (Header.TotalSteps is long total && Last is not null && recent.Count > 1)
        {
            TimeSpan span = clock.Elapsed - recent.Peek().At;
            bySteps = span / (recent.Count - 1) * Math.Max(0, total - Last.Step);
        }
        TimeSpan? byTime = Header.Minutes is double minutes ? TimeSpan.FromMinutes(minutes) - clock.Elapsed : null;
        if (bySteps is null) return byTime;
        return byTime is null || bySteps < byTime ? bySteps : byTime;
    }
}
