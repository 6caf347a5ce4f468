using System.CommandLine;
using GlowGpu.App.Console;
using GlowGpu.App.Options;
using GlowGpu.App.Output;
using GlowGpu.Model.Import;

namespace GlowGpu.App.Commands;

/// <summary><c>glow export</c>: the weights of a model for another program.</summary>
internal static class ExportCommand
{
    private sealed record Result(string Out, int InChannel, int NFlow, int NBlock, bool Affine, bool ConvLu, int Width);

    /// <summary>The verb.</summary>
    public static Command Create(Terminal terminal)
    {
        Argument<string> model = new(
            "M")
        { HelpName = "M", Description = "A checkpoint file (.safetensors) or a run folder." };
        Option<string?> to = Value.Choice("--to",
            "The program that is to read it: github.com/rosinality/glow-pytorch.", null, "rosinality");
        to.Required = true;
        Option<string?> output = Value.Path("--out", "STATE.safetensors", "The state dict to write.", required: true);
        Option<int> width = Value.NumberOr("--width", "W",
            "Hidden channels to write; its published code always has 512, and those beyond the model's own are zero.",
                RosinalityExport.TheirWidth, 1, 8192);
        Option<bool> json = Shared.Json();
        Command command = new("export",
            "Write a model's weights as the state dict of a public PyTorch program.") { model, to,
            width, output, json };
        command.SetAction(parse =>
        {
            string source = parse.GetValue(model)!;
            string path = OutputPath.Model(parse.GetValue(output)!, source);
            RosinalityModel made = RosinalityExport.Write(source, path, parse.GetValue(width));
            if (parse.GetValue(json))
                JsonOutput.Write(terminal, new Result(path, made.InChannel, made.FlowSteps, made.Blocks, made.Affine,
                    made.ConvLu, made.Width));
            else terminal.Out.WriteLine(
                $"exported in {path}, for Glow({Readable.Whole(made.InChannel)}, {Readable.Whole(made.FlowSteps)}, "
                    + $"{Readable.Whole(made.Blocks)}, "
                + $"affine={Python(made.Affine)}, conv_lu={Python(made.ConvLu)}) with {Readable.Whole(made.Width)} "
                + "hidden channels");
            return 0;
        });
        return command;
    }

    private static string Python(bool value) => value ? "True" : "False";
}
