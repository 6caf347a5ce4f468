using System.Text;
using System.Text.Json;
using GlowGpu.Engine;

namespace GlowGpu.Model.Training;

/// <summary>
/// <c>metrics.jsonl</c>: one JSON object a line, one line a step, and one more for each validation. Every line
/// reaches the system before the next step begins, so that a killed process loses none.
/// </summary>
internal sealed class MetricsFile : IDisposable
{
    private readonly FileStream stream;
    private readonly string path;
    private readonly DataDescription? validation;

    /// <summary>Continues the file after <paramref name="step"/>: rows of later steps are removed first.</summary>
    /// <exception cref="GlowException">The file cannot be read or written.</exception>
    public MetricsFile(string path, long step, DataDescription? validation)
    {
        this.path = path;
        this.validation = validation;
        try
        {
            Truncate(path, step);
            stream = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new GlowException($"{path}: cannot be written ({e.Message.TrimEnd('.')})", e);
        }
    }

    /// <summary>Appends the row of a step.</summary>
    public void Write(StepMetrics m) => WriteLine(json =>
    {
        json.WriteNumber("step", m.Step);
        json.WriteNumber("epoch", m.Epoch);
        WriteFinite(json, "loss", m.Loss);
        WriteFinite(json, "bits_per_dim", m.BitsPerDim);
        if (m.ClassErrors is double errors) WriteFinite(json, "class_errors", errors);
        WriteFinite(json, "grad_norm", m.GradNorm);
        json.WriteNumber("lr", m.Lr);
        json.WriteNumber("step_ms", m.StepMs);
        json.WriteNumber("images_per_second", m.ImagesPerSecond);
        if (m.Skipped) json.WriteBoolean("skipped", true);
    });

    /// <summary>Appends the row of a validation.</summary>
    public void Write(ValidationMetrics m) => WriteLine(json =>
    {
        json.WriteNumber("step", m.Step);
        json.WriteNumber("epoch", m.Epoch);
        WriteFinite(json, "validation_bits_per_dim", m.ValidationBitsPerDim);
        if (m.ClassErrors is double errors) WriteFinite(json, "validation_class_errors", errors);
        json.WriteNumber("images", m.Images);
        json.WriteBoolean("best", m.Best);
        json.WriteString("data", validation?.Name);
        json.WriteString("data_hash", validation?.Hash);
    });

    /// <summary>Waits until every row is on the disk: before a checkpoint that stands for them.</summary>
    public void Flush() => Guard(() => stream.Flush(flushToDisk: true));

    /// <inheritdoc/>
    public void Dispose() => stream.Dispose();

    // A killed run leaves rows of steps that its checkpoint has not taken yet, and perhaps half a row.
    private static void Truncate(string path, long step)
    {
        if (!File.Exists(path)) return;
        AtomicFile.Write(path, target =>
        {
            foreach (string line in File.ReadLines(path))
                if (StepOf(line) <= step) target.Write(Encoding.UTF8.GetBytes(line + "\n"));
        });
    }

    private static long? StepOf(string line)
    {
        try
        {
            using JsonDocument row = JsonDocument.Parse(line);
            return row.RootElement.ValueKind == JsonValueKind.Object
                && row.RootElement.TryGetProperty("step", out JsonElement step)
                && step.ValueKind == JsonValueKind.Number
                && step.TryGetInt64(out long value) ? value : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    // JSON has no NaN.
    private static void WriteFinite(Utf8JsonWriter json, string name, double value)
    {
        if (double.IsFinite(value)) json.WriteNumber(name, value);
        else json.WriteNull(name);
    }

    private void WriteLine(Action<Utf8JsonWriter> fields)
    {
        using MemoryStream line = new();
        using (Utf8JsonWriter json = new(line))
        {
            json.WriteStartObject();
            fields(json);
            json.WriteEndObject();
        }
        line.WriteByte((byte)'\n');
        Guard(() =>
        {
            stream.Write(line.GetBuffer(), 0, (int)line.Length);
            stream.Flush();
        });
    }

    private void Guard(Action write)
    {
        try
        {
            write();
        }
        catch (IOException e)
        {
            throw new GlowException($"{path}: cannot be written ({e.Message.TrimEnd('.')})", e);
        }
    }
}
