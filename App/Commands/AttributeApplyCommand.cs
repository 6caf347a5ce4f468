using System.CommandLine;
using GlowGpu.App.Console;
using GlowGpu.App.Options;
using GlowGpu.App.Output;
using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Attributes;
using GlowGpu.Model.Data;
using GlowGpu.Model.Sampling;
using GlowGpu.Model.Training;

namespace GlowGpu.App.Commands;

/// <summary><c>glow attribute apply</c>: images moved along attributes.</summary>
internal static class AttributeApplyCommand
{
    private sealed record Result(string Out, string[] Images, string[] Attributes, double[] Alphas,
        int Rows, int[] Shape);

    /// <summary>The verb.</summary>
    public static Command Create(Terminal terminal)
    {
        Option<string?> model = Shared.ModelPath(), file = AttributeCommand.Source();
        Option<string?> image = Value.Path("--image", "X.png", "Image to change.");
        DataChoice data = new(required: false, limited: false);
        Option<int[]?> index = Value.List<int>("--index", "I,J,…",
            "Which images of --data to change, counted from 0; 0 unless given.", 0);
        Option<string?> names = Value.Path("--attribute", "NAME,…", "Attributes to move along, a row for each.",
            required: true);
        Option<double[]?> alpha = AlphaOption.Create();
        Option<string?> label = ClassOption.Create("Class of --image in a conditional model.");
        Option<string?> output = Value.Path("--out", "STRIP.png",
            "Where to write the strip: a row for each image and attribute, a column for each strength.",
            required: true);
        DeviceOptions device = new();
        Option<bool> json = Shared.Json();
        Command command = new("apply", "Move images along attributes: decode z + alpha · (z_pos − z_neg).") { model,
            file, names, alpha, output, image };
        data.AddTo(command);
        command.Add(index);
        command.Add(label);
        device.AddTo(command, graphs: true);
        command.Add(json);
        command.SetAction(parse =>
        {
            if (parse.IsGiven(image) == parse.IsGiven(data.Data))
                throw new UsageException(parse.IsGiven(image)
                    ? "--image is given, and --data too; the image comes from one or the other"
                    : "--image X.png or --data D is missing; there must be an image to change");
            if (parse.IsGiven(index) && !parse.IsGiven(data.Data))
                throw new UsageException("--index is given without --data; it picks images of a set");
            string path = parse.GetValue(model)!, from = parse.GetValue(file)!;
            FlowConfig config = ModelFile.ReadConfig(path);
            string to = ImageOutput.Picture(parse.GetValue(output)!, config.Channels);
            AttributeDirections attributes = AttributeDirections.Load(from);
            AttributeDirection[] chosen = [.. parse.GetValue(names)!.Split(',')
                .Select(name => attributes.Get(name.Trim(), from))];
            double[] alphas = parse.IsGiven(alpha) ? parse.GetValue(alpha)! : AlphaOption.Parse("-2:2:9")!;
            (string Name, byte[] Pixels, int? Class)[] images = parse.IsGiven(image)
                ? [(parse.GetValue(image)!, ModelImage.Read(config, parse.GetValue(image)!),
                OwnClass(parse, path, config, label))]
                : Read(data.Open(parse, config, terminal), config, parse.Listed(index) ?? [0]);
            using Device on = device.Open(parse, terminal);
            using FlowModel glow = ModelFile.Load(path, on);
            attributes.CheckModel(glow, from, path);
            int rows = images.Length * chosen.Length;
            if ((long)rows * alphas.Length * config.Dimensions > Array.MaxLength)
                throw new UsageException($"--alpha and --index ask for {Readable.Count((long)rows * alphas.Length)} "
                    + "images, more than fit in one strip; fewer are needed");
            int length = alphas.Length * config.Dimensions;
            SampleStatistics statistics = new(config);
            byte[] strip = new byte[rows * length];
            for (int i = 0, row = 0; i < images.Length; i++)
            {
                float[]? labels = images[i].Class is int k ? [k] : null;
                Latents z = glow.Encode(new Batch(1, Array.ConvertAll(images[i].Pixels, static v => (float)v),
                    labels), Noise.Center).Latents;
                foreach (AttributeDirection attribute in chosen)
                {
                    Latents moved = AttributeEdit.Move(z, 0, attribute, alphas);
                    float[]? each = labels is null ? null : [.. Enumerable.Repeat(labels[0], alphas.Length)];
                    Sampler.DecodeChecked(glow, moved, each, statistics, encode: false, stop: terminal.Stop)
                        .Images.CopyTo(strip, row++ * length);
                }
            }
            if (statistics.Concern is { } concern) terminal.Log($"warning: {concern}");
            ImageFile.WriteGrid(to, strip, rows * alphas.Length, config.Height, config.ImageWidth, config.Channels,
                alphas.Length);
            if (parse.GetValue(json))
            {
                JsonOutput.Write(terminal, new Result(to, [.. images.Select(static i => i.Name)],
                    [.. chosen.Select(static a => a.Name)], alphas, rows,
                    [config.Height, config.ImageWidth, config.Channels]));
                return 0;
            }
            terminal.Out.WriteLine($"{rows} rows ({string.Join(", ", chosen.Select(static a => a.Name))}) of "
                + $"{alphas.Length} strengths from {Readable.Exact(alphas[0])} to {Readable.Exact(alphas[^1])} in "
                + $"{to}");
            return 0;
        });
        return command;
    }

    private static int? OwnClass(ParseResult parse, string model, FlowConfig config, Option<string?> label)
    {
        if (config.Classes > 0 && !parse.IsGiven(label))
            throw new UsageException($"--class is missing; the model is conditional on {config.Classes} classes, "
                + "and image files do not say theirs");
        return ClassOption.Index(model, config, parse.GetValue(label));
    }

    private static (string, byte[], int?)[] Read(IImageSource source, FlowConfig config, int[] indices) =>
    [
        .. indices.Select(i =>
        {
            if (i >= source.Count)
                throw new UsageException(
                $"--index names image {i}, but {source.Name} has images 0 to {source.Count - 1}");
            byte[] pixels = new byte[config.Dimensions];
            source.Read(i, pixels);
            return ($"{source.Name} {i}", pixels, config.Classes > 0 ? source.Label(i) : (int?)null);
        }),
    ];
}
