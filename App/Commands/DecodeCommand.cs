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
            "Latents as glow encode writes them: eps0, eps1 … [N,h,w,c] and, for a conditional model, labels [N].",
                required: true);
        Option<string?> output = Value.Path("--out", ImageOutput.Letter,
            "An array uint8 [N,H,W,C], a folder of PNG files, or one PNG grid.", required: true);
        Option<int?> columns = Shared.Columns();
        DeviceOptions device = new();
        Option<bool> json = Shared.Json();
        Command command = new("decode", "Turn latents into images.") { model, latents, output, columns };
        device.AddTo(command, graphs: true);
        command.Add(json);
        command.SetAction(parse =>
        {
            string path = parse.GetValue(model)!;
            FlowConfig config = ModelFile.ReadConfig(path);
            StoredLatents stored = LatentsFile.Read(parse.GetValue(latents)!, config);
            int count = stored.Latents.Count;
            ImageOutput to = ImageOutput.Of(parse.GetValue(output)!, count, config.Channels);
            using Device on = device.Open(parse, terminal);
            using FlowModel glow = ModelFile.Load(path, on);
            float[]? labels = stored.Labels is null ? null : Array.ConvertAll(stored.Labels, static k => (float)k);
            byte[] images = Sampler.Decode(glow, stored.Latents, labels,
                new Progress(terminal, "decoded", count).Report, terminal.Stop);
            to.Write(images, count, config.Height, config.ImageWidth, config.Channels,
                parse.GetValue(columns) ?? (int)Math.Ceiling(Math.Sqrt(count)));
            if (parse.GetValue(json))
                JsonOutput.Write(terminal,
                    new Result(to.Path, count, [config.Height, config.ImageWidth, config.Channels]));
            else
                terminal.Out.WriteLine($"{Readable.Count(count)} images decoded in {to.Path}");
            return 0;
        });
        return command;
    }
}
