using System.CommandLine;
using GlowGpu.App.Console;
using GlowGpu.App.Options;
using GlowGpu.App.Output;
using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Data;
using GlowGpu.Model.Sampling;
using GlowGpu.Model.Training;

namespace GlowGpu.App.Commands;

/// <summary><c>glow encode</c>: all latents of a set of images, level by level, in one file.</summary>
internal static class EncodeCommand
{
    private sealed record Result(
        string Out, int Count, int[][] Shapes, double BitsPerDim, double[] LogLikelihoods,
            string Data, string DataHash);

    /// <summary>The verb.</summary>
    public static Command Create(Terminal terminal)
    {
        Option<string?> model = Shared.ModelPath();
        DataChoice data = new(required: true);
        Option<string?> output = Value.Path("--out", "Z.safetensors",
            "Where to write eps0, eps1 … [N,h,w,c], log_likelihood [N] and labels.", required: true);
        Option<string?> dequantize = Shared.Dequantize(Dequantization.Center);
        Option<ulong> seed = Shared.Seed("Seeds the dequantisation noise.");
        Option<int> batch = Shared.Batch();
        DeviceOptions device = new();
        Option<bool> json = Shared.Json();
        Command command = new("encode", "Turn images into latents.") { model };
        data.AddTo(command);
        command.Add(output);
        command.Add(dequantize);
        command.Add(seed);
        command.Add(batch);
        device.AddTo(command);
        command.Add(json);
        command.SetAction(parse =>
        {
            string path = OutputPath.Latents(parse.GetValue(output)!);
            FlowConfig config = ModelFile.ReadConfig(parse.GetValue(model)!);
            IImageSource source = data.Open(parse, config, terminal);
            using Device on = device.Open(parse, terminal);
            using FlowModel glow = ModelFile.Load(parse.GetValue(model)!, on);
            (Latents latents, Evaluation evaluation) = Evaluator.Encode(glow, source,
                Shared.DequantizationOf(parse.GetValue(dequantize)),
                parse.GetValue(seed), parse.GetValue(batch), new Progress(terminal, "encoded", source.Count).Report,
                    terminal.Stop);
            int[]? labels = source.Classes.Count == 0 ? null
                : [.. Enumerable.Range(0, source.Count).Select(source.Label)];
            LatentsFile.Write(path, config, new StoredLatents(latents, evaluation.LogLikelihoods, labels),
                new Dictionary<string, string> { ["data"] = source.Name, ["data_hash"] = source.Hash });
            if (parse.GetValue(json))
            {
                int[][] shapes = [.. Enumerable.Range(0, config.Levels).Select(config.LatentShape)
                    .Select(static s => new[] { s.H, s.W, s.C })];
                JsonOutput.Write(terminal, new Result(
                    path, source.Count, shapes, evaluation.BitsPerDim, evaluation.LogLikelihoods, source.Name,
                        source.Hash));
            }
            else
            {
                terminal.Out.WriteLine($"{Readable.Count(source.Count)} images encoded in {path}, "
                    + $"{Readable.Bits(evaluation.BitsPerDim)} bits/dim on {Readable.Set(source.Name, source.Hash)}");
            }
            return 0;
        });
        return command;
    }
}
