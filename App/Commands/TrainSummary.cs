using GlowGpu.App.Console;
using GlowGpu.Model.Training;

namespace GlowGpu.App.Commands;

/// <summary>How a run ended: what <c>--json</c> prints, and in words what to do next.</summary>
internal sealed record TrainSummary(
    string Run, string End, long Step, double Epoch, double BitsPerDim, string Data, string DataHash,
    double? ValidationBitsPerDim, string? ValidationData, string? ValidationDataHash, long Parameters, string? Samples)
{
    /// <summary>Gathers the summary.</summary>
    public static TrainSummary Of(RunFolder run, TrainOutcome outcome, TrainData data, string? samples,
        long parameters) => new(
        run.Path,
        outcome.End switch
        {
            TrainEnd.Interrupted => "interrupted",
            TrainEnd.TimeUp => "time_up",
            _ => "finished",
        },
        outcome.Step, outcome.Epoch, outcome.LastBitsPerDim, data.Train.Name, data.Train.Hash,
        outcome.ValidationBitsPerDim, data.Validation?.Name, data.Validation?.Hash, parameters, samples);

    /// <summary>Prints it for people.</summary>
    public void Print(Terminal terminal)
    {
        string how = End switch
        {
            "interrupted" => "stopped",
            "time_up" => "time is up",
            _ => "done",
        };
        terminal.Out.WriteLine($"{how} after step {Readable.Count(Step)}: {Readable.Bits(BitsPerDim)} bits/dim on "
            + $"{Readable.Set(Data, DataHash)} in the last batch");
        if (ValidationBitsPerDim is double bits)
            terminal.Out.WriteLine($"validation {Readable.Bits(bits)} bits/dim on "
                + $"{Readable.Set(ValidationData!, ValidationDataHash!)}");
        if (Samples is not null) terminal.Out.WriteLine($"samples: {Samples}");
        string folder = Quote(Run);
        if (End == "interrupted") terminal.Out.WriteLine($"continue with: glow train --resume --out {folder}");
        string picture = Quote(Path.Combine(Run, "temperatures.png"));
        terminal.Out.WriteLine(
            $"next try: glow sample --model {folder} --count 8 --temperatures 0.5,0.7,0.9,1.0 --out {picture}");
    }

    private static string Quote(string path) => path.Contains(' ') ? $"\"{path}\"" : path;
}
