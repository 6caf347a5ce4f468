using System.CommandLine;
using GlowGpu.App.Console;
using GlowGpu.App.Options;
using GlowGpu.App.Output;
using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Sampling;
using GlowGpu.Model.Training;

namespace GlowGpu.App.Commands;

/// <summary><c>glow decode</c>: images from the latents of a file.</summary>
internal static class DecodeCommand
{
    private sealed record Result(string Out, int Count, int[] Shape);

    /// <summary>The verb.</summary>
    public static Command Create(Terminal terminal)
    {
        Option<string?> model = Shared.ModelPath();
        Option<string?> latents = Value.Path("--latents", "Z.safetensors",
            "Latents as glow encode writes them: eps0, eps1 … [N,h,w,c] and, for a conditional model, labels [N].", required: true);
        Option<string?> output = Value.Path("--out", ImageOutput.Letter, "An array uint8 [N,H,W,C], a folder of PNG files, or one PNG grid.", required: true);
        Option<int?> columns = Shared.Columns();
        Option<int> batch = Shared.Batch();
        DeviceOptions device = new();
        Option<bool> json = Shared.Json();
        Command command = new("decode", "Turn latents into images.") { model, latents, output, columns, batch };
        device.AddTo(command);
        command.Add(json);
        command.SetAction(parse =>
        {
            string path = parse.GetValue(model)!;
            GlowConfig config = ModelFile.ReadConfig(path);
            (Latents read, float[]? labels) = LatentsFile.Load(parse.GetValue(latents)!, config);
            ImageOutput to = ImageOutput.Of(parse.GetValue(output)!, read.Count, config.Channels);
            using Device on = device.Open(parse);
            using Glow glow = ModelFile.Load(path, on);
            byte[] images = Decoder.ToBytes(glow, read, labels, parse.GetValue(batch),
                new Progress(terminal, "decoded", read.Count).Report, terminal.Stop);
            to.Write(images, read.Count, config.Height, config.ImageWidth, config.Channels,
                parse.GetValue(columns) ?? (int)Math.Ceiling(Math.Sqrt(read.Count)));
            if (parse.GetValue(json))
                JsonOutput.Write(terminal, new Result(to.Path, read.Count, [config.Height, config.ImageWidth, config.Channels]));
            else
                terminal.Out.WriteLine($"{Readable.Count(read.Count)} images decoded in {to.Path}");
            return 0;
        });
        return command;
    }
}
