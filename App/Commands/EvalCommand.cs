using System.CommandLine;
using GlowGpu.App.Console;
using GlowGpu.App.Options;
using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Data;
using GlowGpu.Model.Training;

namespace GlowGpu.App.Commands;

/// <summary><c>glow eval</c>: exact log-likelihoods of images.</summary>
internal static class EvalCommand
{
    private sealed record Result(
        double BitsPerDim, double[] LogLikelihoods, int Count, string Data, string DataHash, double? ClassErrors);

    /// <summary>The verb.</summary>
    public static Command Create(Terminal terminal)
    {
        Option<string?> model = Shared.ModelPath();
        DataChoice data = new(required: true);
        Option<string?> dequantize = Shared.Dequantize(Dequantization.Uniform);
        Option<ulong> seed = Shared.Seed("Seeds the dequantisation noise.");
        Option<int> batch = Shared.Batch();
        DeviceOptions device = new();
        Option<bool> json = Shared.Json();
        Command command = new("eval",
            "Bits/dim of a model on a set of images, and the log-likelihood of each.") { model };
        data.AddTo(command);
        command.Add(dequantize);
        command.Add(seed);
        command.Add(batch);
        device.AddTo(command);
        command.Add(json);
        command.SetAction(parse =>
        {
            FlowConfig config = ModelFile.ReadConfig(parse.GetValue(model)!);
            IImageSource source = data.Open(parse, config, terminal);
            using Device on = device.Open(parse, terminal);
            using FlowModel glow = ModelFile.Load(parse.GetValue(model)!, on);
            Progress progress = new(terminal, "evaluated", source.Count);
            Evaluation evaluation = Evaluator.Run(glow, source, Shared.DequantizationOf(parse.GetValue(dequantize)),
                parse.GetValue(seed), parse.GetValue(batch), progress.Report, terminal.Stop);
            if (parse.GetValue(json))
            {
                JsonOutput.Write(terminal, new Result(evaluation.BitsPerDim, evaluation.LogLikelihoods,
                    evaluation.LogLikelihoods.Length, evaluation.Data, evaluation.DataHash, evaluation.ClassErrors));
                return 0;
            }
            double nats = evaluation.LogLikelihoods.Average();
            terminal.Out.WriteLine($"{Readable.Bits(evaluation.BitsPerDim)} bits/dim on "
                + $"{Readable.Set(evaluation.Data, evaluation.DataHash)}, "
                + $"{Readable.Count(evaluation.LogLikelihoods.Length)} images, mean log-likelihood "
                + $"{Readable.Exact(Math.Round(nats, 3))} nats");
            if (evaluation.ClassErrors is double errors)
                terminal.Out.WriteLine($"class errors {Readable.Short(errors * 100)} %");
            return 0;
        });
        return command;
    }
}
