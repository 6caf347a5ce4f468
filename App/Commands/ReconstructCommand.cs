using System.CommandLine;
using GlowGpu.App.Console;
using GlowGpu.App.Options;
using GlowGpu.App.Output;
using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Data;
using GlowGpu.Model.Training;

namespace GlowGpu.App.Commands;

/// <summary><c>glow reconstruct</c>: how exactly a model inverts.</summary>
internal static class ReconstructCommand
{
    private sealed record Result(
        double MaxError, double[] MaxErrors, double ExactBytes, int Count, double BitsPerDim, string Data,
            string DataHash, string? Out);

    /// <summary>The verb.</summary>
    public static Command Create(Terminal terminal)
    {
        Option<string?> model = Shared.ModelPath();
        DataChoice data = new(required: true, limited: false);
        Option<int> count = Value.NumberOr("--count", "N", "Number of images, the first of the set.", 16, 1, 4096);
        Option<string?> output = Value.Path("--out", "PAIRS.png",
            "Where to write originals above their reconstructions.");
        Option<int?> columns = Shared.Columns();
        Option<int> batch = Shared.Batch();
        DeviceOptions device = new();
        Option<bool> json = Shared.Json();
        Command command = new("reconstruct",
            "Encode images, decode them again and report max|x − decode(encode(x))|, x in [−0.5, 0.5).") { model };
        data.AddTo(command);
        command.Add(count);
        command.Add(output);
        command.Add(columns);
        command.Add(batch);
        device.AddTo(command, graphs: true);
        command.Add(json);
        command.SetAction(parse =>
        {
            FlowConfig config = ModelFile.ReadConfig(parse.GetValue(model)!);
            string? path = parse.GetValue(output) is string given ? ImageOutput.Picture(given, config.Channels) : null;
            IImageSource source = data.Open(parse, config, terminal, most: parse.GetValue(count));
            using Device on = device.Open(parse, terminal);
            using FlowModel glow = ModelFile.Load(parse.GetValue(model)!, on);
            RoundTrip trip = RoundTrip.Of(glow, source, parse.GetValue(batch), terminal.Stop);
            if (path is not null)
            {
                int inRow = parse.GetValue(columns) ?? Math.Min(8, source.Count);
                byte[] pairs = trip.Pairs(inRow, config.Dimensions);
                ImageFile.WriteGrid(path, pairs, pairs.Length / config.Dimensions, config.Height, config.ImageWidth,
                    config.Channels, inRow);
            }
            Result result = new(trip.MaxErrors.Max(), trip.MaxErrors, trip.ExactBytes, source.Count, trip.BitsPerDim,
                source.Name, source.Hash, path);
            if (parse.GetValue(json))
            {
                JsonOutput.Write(terminal, result);
                return 0;
            }
            terminal.Out.WriteLine($"max|x − decode(encode(x))| = {Readable.Short(result.MaxError)} over "
                + $"{Readable.Count(result.Count)} images of "
                + $"{Readable.Set(result.Data, result.DataHash)}; "
                + $"{Readable.Exact(Math.Round(100 * result.ExactBytes, 4))} % of the bytes come back exactly; "
                + $"{Readable.Bits(result.BitsPerDim)} bits/dim");
            if (path is not null) terminal.Out.WriteLine($"originals above their reconstructions in {path}");
            return 0;
        });
        return command;
    }
}
