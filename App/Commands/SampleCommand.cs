using System.CommandLine;
using GlowGpu.App.Console;
using GlowGpu.App.Options;
using GlowGpu.App.Output;
using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Sampling;
using GlowGpu.Model.Training;

namespace GlowGpu.App.Commands;

/// <summary><c>glow sample</c>: images drawn from a model.</summary>
internal static class SampleCommand
{
    private sealed record Result(string Out, int Count, double[] Temperatures, ulong Seed, int? Class, int[] Shape);

    /// <summary>The verb.</summary>
    public static Command Create(Terminal terminal)
    {
        Option<string?> model = Shared.ModelPath();
        Option<int> count = Value.NumberOr("--count", "N", "Number of images; with --temperatures, of each temperature.", 16, 1, 1_000_000);
        Option<double> temperature = Shared.Temperature();
        Option<double[]?> temperatures = Value.List<double>("--temperatures", "T1,T2,…",
            "Several temperatures, one row of the grid each; a column is the same noise throughout.", 0, 10);
        Option<ulong> seed = Shared.Seed("Seeds the noise; image i of a seed is the same whatever the count.");
        Option<string?> label = ClassOption.Create("Class of a conditional model; all in turn unless given.");
        Option<int?> columns = Shared.Columns();
        Option<string?> output = Value.Path("--out", ImageOutput.Letter, "One PNG grid, a folder of PNG files, or an array uint8 [N,H,W,C].", required: true);
        DeviceOptions device = new();
        Option<bool> json = Shared.Json();
        Command command = new("sample", "Draw images from a model.") { model, output, count, temperature, temperatures, seed, label, columns };
        device.AddTo(command);
        command.Add(json);
        command.SetAction(parse =>
        {
            if (parse.IsGiven(temperature) && parse.IsGiven(temperatures))
                throw new UsageException("--temperature and --temperatures are both given; one of them is enough");
            string path = parse.GetValue(model)!;
            FlowConfig config = ModelFile.ReadConfig(path);
            int? index = ClassOption.Index(path, config, parse.GetValue(label));
            double[] rows = parse.Listed(temperatures) ?? [parse.GetValue(temperature)];
            int each = parse.GetValue(count);
            long total = (long)each * rows.Length;
            if (total * config.Dimensions > Array.MaxLength)
                throw new UsageException($"--count is {each}, which makes {Readable.Bytes(total * config.Dimensions)} of pixels; at most {Readable.Bytes(Array.MaxLength)} fit in one call");
            ImageOutput to = ImageOutput.Of(parse.GetValue(output)!, (int)total, config.Channels);
            int inRow = parse.GetValue(columns) ?? (rows.Length > 1 ? each : (int)Math.Ceiling(Math.Sqrt(each)));

            using Device on = device.Open(parse);
            using FlowModel glow = ModelFile.Load(path, on);
            Progress progress = new(terminal, "sampled", (int)total);
            byte[] images = new byte[total * config.Dimensions];
            for (int row = 0; row < rows.Length; row++)
            {
                int done = row * each;
                Latents drawn = Sampler.Draw(config, each, rows[row], parse.GetValue(seed));
                Sampler.Decode(glow, drawn, Sampler.Labels(config, each, index), n => progress.Report(done + n), terminal.Stop)
                    .CopyTo(images, (long)done * config.Dimensions);
            }
            to.Write(images, (int)total, config.Height, config.ImageWidth, config.Channels, inRow);
            if (parse.GetValue(json))
                JsonOutput.Write(terminal, new Result(to.Path, (int)total, rows, parse.GetValue(seed), index, [config.Height, config.ImageWidth, config.Channels]));
            else
                terminal.Out.WriteLine($"{Readable.Count(total)} images at temperature {string.Join(", ", rows.Select(Readable.Exact))} in {to.Path}");
            return 0;
        });
        return command;
    }
}
