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

/// <summary><c>glow interpolate</c>: a walk between two images in latent space.</summary>
internal static class InterpolateCommand
{
    private sealed record Result(string Out, int Steps, string[] Rows, string From, string To,
        int[] Shape, int[][]? Pairs);

    private sealed class Options
    {
        public Option<string?> Model { get; } = Shared.ModelPath();
        public Option<string?> From { get; } = Value.Path("--from", "A.png", "Image to start from.");
        public Option<string?> To { get; } = Value.Path("--to", "B.png", "Image to end at.");
        public DataChoice Data { get; } = new(required: false, limited: false);
        public Option<int[]?> Pair { get; } = Value.List<int>("--pair", "I,J",
            "Which two images of --data, counted from 0; 0,1 unless given.", 0, count: 2);
        public Option<int?> Random { get; } = Value.Number<int>("--random", "N",
            "N random pairs of different images of --data, drawn with --seed.", 1, 1000);
        public Option<ulong> Seed { get; } = Shared.Seed(
            "Seeds the pairs of --random, or the two random ends when neither images nor data are given.");
        public Option<double> Temperature { get; } = Shared.Temperature();
        public Option<string?> Class { get; } = ClassOption.Create(
            "Class of both ends in a conditional model, unless --data knows them.");
        public Option<int> Steps { get; } = Value.NumberOr("--steps", "N", "Images in a row, the two ends included.",
            9, 2, 1000);
        public Option<string?> Mode { get; } = Value.Choice("--mode",
            "How to walk: straight, along the sphere, or one row of each.", "both", "linear", "spherical", "both");
        public Option<string?> Output { get; } = Value.Path("--out", "STRIP.png", "Where to write the strip.",
            required: true);
        public DeviceOptions Device { get; } = new();
        public Option<bool> Json { get; } = Shared.Json();
    }

    /// <summary>The verb.</summary>
    public static Command Create(Terminal terminal)
    {
        Options options = new();
        Command command = new("interpolate",
            "Walk between two images in latent space: --from and --to, or two (or --random pairs) of --data, or two "
                + "random ones.")
        {
            options.Model, options.Output, options.From, options.To,
        };
        options.Data.AddTo(command);
        command.Add(options.Pair);
        command.Add(options.Random);
        command.Add(options.Seed);
        command.Add(options.Temperature);
        command.Add(options.Class);
        command.Add(options.Steps);
        command.Add(options.Mode);
        options.Device.AddTo(command, graphs: true);
        command.Add(options.Json);
        command.SetAction(parse => Run(parse, options, terminal));
        return command;
    }

    private static int Run(ParseResult parse, Options options, Terminal terminal)
    {
        bool images = parse.IsGiven(options.From) || parse.IsGiven(options.To);
        bool data = parse.IsGiven(options.Data.Data);
        if (parse.IsGiven(options.From) != parse.IsGiven(options.To))
            throw new UsageException(
                $"{(parse.IsGiven(options.From) ? "--to" : "--from")} is missing; a walk has two ends");
        if (images && data)
            throw new UsageException(
            "--from and --to are given, and --data too; the two ends come from one or the other");
        if (parse.IsGiven(options.Pair) && !data)
            throw new UsageException("--pair is given without --data; it picks two images of a set");
        if (parse.IsGiven(options.Random) && !data)
            throw new UsageException("--random is given without --data; it picks pairs of a set");
        if (parse.IsGiven(options.Random) && parse.IsGiven(options.Pair))
            throw new UsageException("--random and --pair are both given; one of them is enough");

        string path = parse.GetValue(options.Model)!;
        FlowConfig config = ModelFile.ReadConfig(path);
        string output = ImageOutput.Picture(parse.GetValue(options.Output)!, config.Channels);
        int steps = parse.GetValue(options.Steps);
        string[] rows = parse.GetValue(options.Mode) switch
        {
            "both" => ["linear", "spherical"],
            string one => [one],
            null => [],
        };
        int? label = ClassOption.Index(path, config, parse.GetValue(options.Class));
        IImageSource? source = data ? options.Data.Open(parse, config, terminal) : null;
        using Device device = options.Device.Open(parse, terminal);
        using FlowModel glow = ModelFile.Load(path, device);
        int[][]? pairs = source is null ? null
            : parse.GetValue(options.Random) is int many ? WalkEnds.RandomPairs(source, many,
            parse.GetValue(options.Seed))
            : [parse.Listed(options.Pair) ?? (source.Count > 1 ? [0, 1]
                : throw new UsageException($"--data is {source.Name}, which has one image only; a walk has two ends"))];
        WalkEnds[] walks = pairs is not null ? [.. pairs.Select(pair => WalkEnds.FromData(glow, source!, pair))]
            : images ? [WalkEnds.FromFiles(glow, parse.GetValue(options.From)!, parse.GetValue(options.To)!, label)]
            : [WalkEnds.Random(config, parse.GetValue(options.Seed), parse.GetValue(options.Temperature), label)];
        int all = walks.Length * rows.Length;
        if ((long)all * steps * config.Dimensions > Array.MaxLength)
            throw new UsageException($"--steps is {steps}, which makes {Readable.Count((long)all * steps)} images, "
                + "more than fit in one grid; fewer steps or pairs are needed");
        int length = steps * config.Dimensions;
        byte[] strip = new byte[all * length];
        for (int i = 0; i < all; i++)
        {
            WalkEnds ends = walks[i / rows.Length];
            InterpolationMode mode = rows[i % rows.Length] == "linear" ? InterpolationMode.Linear
                : InterpolationMode.Spherical;
            Latents walk = Interpolator.Path(ends.Both, 0, 1, steps, mode);
            Sampler.Decode(glow, walk, ends.Labels(steps), null, terminal.Stop).CopyTo(strip, i * length);
        }
        ImageFile.WriteGrid(output, strip, all * steps, config.Height, config.ImageWidth, config.Channels, steps);
        (string from, string to) = (walks[0].FromName, walks[0].ToName);
        if (parse.GetValue(options.Json))
            JsonOutput.Write(terminal, new Result(output, steps, rows, from, to,
                [config.Height, config.ImageWidth, config.Channels], pairs));
        else
            terminal.Out.WriteLine($"{steps} steps ({string.Join(", ", rows)}) from {from} to "
                + $"{to}{(walks.Length > 1 ? $" and {walks.Length - 1} more pairs" : "")} in {output}");
        return 0;
    }
}
