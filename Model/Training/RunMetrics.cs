using System.Text.Json;
using GlowGpu.Engine;

namespace GlowGpu.Model.Training;

/// <summary>What <c>metrics.jsonl</c> of a run says.</summary>
/// <param name="Steps">step and bits/dim of every training step that was not skipped</param>
/// <param name="Validations">step and bits/dim of every validation</param>
/// <param name="Seconds">time that all steps took together, validation and checkpoints not counted</param>
public sealed record RunMetrics(
    IReadOnlyList<(long Step, double BitsPerDim)> Steps, IReadOnlyList<(long Step, double BitsPerDim)> Validations,
        double Seconds)
{
    /// <summary>Reads the file of a run.</summary>
    /// <exception cref="GlowException">It is not there or not readable.</exception>
    public static RunMetrics Read(RunFolder run)
    {
        List<(long, double)> steps = [], validations = [];
        double milliseconds = 0;
        try
        {
            foreach (string line in File.ReadLines(run.MetricsPath))
            {
                using JsonDocument row = JsonDocument.Parse(line);
                long step = row.RootElement.GetProperty("step").GetInt64();
                if (Number(row, "step_ms") is double time) milliseconds += time;
                if (Number(row, "validation_bits_per_dim") is double held) validations.Add((step, held));
                else if (Number(row, "bits_per_dim") is double bits) steps.Add((step, bits));
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException
            or KeyNotFoundException or FormatException or InvalidOperationException)
        {
            throw new GlowException(
                $"{run.MetricsPath}: cannot be read ({e.Message.TrimEnd('.')}); it must be the metrics of a run", e);
        }
        return new RunMetrics(steps, validations, milliseconds / 1000);
    }

    /// <summary>Mean bits/dim of the last tenth of the training steps; NaN without any.</summary>
    public double LastTenth => Steps.Count == 0 ? double.NaN : Steps.TakeLast(Math.Max(1, Steps.Count / 10))
        .Average(static s => s.BitsPerDim);

    private static double? Number(JsonDocument row, string name) =>
        row.RootElement.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number
            ? value.GetDouble() : null;
}
