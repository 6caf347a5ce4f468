using System.CommandLine;
using System.Text.Json.Nodes;
using GlowGpu.App.Console;
using GlowGpu.App.Options;
using GlowGpu.App.Output;
using GlowGpu.Model;
using GlowGpu.Model.Import;

namespace GlowGpu.App.Commands;

/// <summary><c>glow import</c>: a model file from the weights of another program.</summary>
internal static class ImportCommand
{
    private const string Rosinality = "rosinality", Chaiyujin = "chaiyujin";

    private sealed record Result(string Out, JsonNode Config, long Parameters);

    /// <summary>The verb.</summary>
    public static Command Create(Terminal terminal)
    {
        Argument<string> state = new(
            "STATE")
        { HelpName = "STATE", Description = "The state dict of its model, saved as safetensors." };
        Option<string?> from = Value.Choice("--from",
            "The program that trained it: github.com/rosinality/glow-pytorch or github.com/chaiyujin/glow-pytorch.",
                null, Rosinality, Chaiyujin);
        from.Required = true;
        Option<string?> output = Value.Path("--out", "M.safetensors", "The model file to write.", required: true);
        Option<int[]?> size = Value.List("--image-size", "N|H,W",
            "Size of its images; needed with rosinality, whose tensors do not tell.", 2, 4096);
        Option<int?> bits = Value.Number<int>("--bits", "BITS",
            "Bits per colour value of its data: n_bits of rosinality, 8 unless given (its own default is 5); always "
                + "8 with chaiyujin.", 1, 8);
        Option<string?> permutation = Value.Choice("--permutation",
            "For a chaiyujin model without invertible convolutions, whose tensors do not tell.", null, "reverse");
        Option<bool> json = Shared.Json();
        Command command = new("import", "Make a model file of weights that a public PyTorch program trained.")
        {
            state, from, size, bits, permutation, output, json,
        };
        command.SetAction(parse =>
        {
            string source = parse.GetValue(state)!;
            string path = OutputPath.Model(parse.GetValue(output)!, source);
            int[]? pixels = Size(parse.Listed(size));
            ModelWeights model;
            if (parse.GetValue(from) == Rosinality)
            {
                if (pixels is null)
                    throw new UsageException(
                    "--image-size N is missing; the tensors of rosinality/glow-pytorch do not tell it");
                if (parse.IsGiven(permutation)) throw new UsageException("--permutation is given with --from "
                    + "rosinality, which always has invertible convolutions; leave it out");
                model = RosinalityImport.Read(source, pixels, parse.GetValue(bits) ?? 8);
            }
            else
            {
                if (parse.GetValue(bits) is int other and not 8)
                    throw new UsageException(
                    $"--bits is {Readable.Whole(other)}, but chaiyujin/glow-pytorch always has 8; leave it out");
                model = ChaiyujinImport.Read(source, pixels, parse.IsGiven(permutation));
            }
            model.Save(path, new Dictionary<string, string> { ["imported_from"] = parse.GetValue(from)! });
            GlowConfig config = model.Config;
            long parameters = ModelCost.Parameters(config);
            if (parse.GetValue(json)) JsonOutput.Write(terminal,
                new Result(path, JsonNode.Parse(config.ToJson())!, parameters));
            else terminal.Out.WriteLine(
                $"imported in {path}: {config.Coupling}, {Readable.Whole(config.Levels)} levels of "
                    + $"{Readable.Whole(config.Depth)} steps, "
                + $"width {Readable.Whole(config.Width)}, images "
                + $"[{config.Height},{config.ImageWidth},{config.Channels}] at {Readable.Whole(config.NBits)} bits, "
                + $"{Readable.Count(parameters)} parameters");
            return 0;
        });
        return command;
    }

    private static int[]? Size(int[]? given) => given switch
    {
        null => null,
        [int n] => [n, n],
        [int h, int w] => [h, w],
        _ => throw new UsageException("--image-size is "
            + $"'{string.Join(',', given.Select(static n => Readable.Whole(n)))}'; it must be N or H,W"),
    };
}
