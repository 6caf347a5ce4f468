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
    private sealed record Result(string Out, int Steps, string[] Rows, string From, string To, int[] Shape);

    private sealed class Options
    {
        public Option<string?> Model { get; } = Shared.ModelPath();
        public Option<string?> From { get; } = Value.Path("--from", "A.png", "Image to start from.");
        public Option<string?> To { get; } = Value.Path("--to", "B.png", "Image to end at.");
        public DataChoice Data { get; } = new(required: false, limited: false);
        public Option<int[]?> Pair { get; } = Value.List<int>("--pair", "I,J", "Which two images of --data, counted from 0; 0,1 unless given.", 0, count: 2);
        public Option<ulong> Seed { get; } = Shared.Seed("Seeds the two random ends, when neither images nor data are given.");
        public Option<double> Temperature { get; } = Shared.Temperature();
        public Option<string?> Class { get; } = ClassOption.Create("Class of both ends in a conditional model, unless --data knows them.");
        public Option<int> Steps { get; } = Value.NumberOr("--steps", "N", "Images in a row, the two ends included.", 9, 2, 1000);
        public Option<string?> Mode { get; } = Value.Choice("--mode", "How to walk: straight, along the sphere, or one row of each.", "both", "linear", "spherical", "both");
        public Option<string?> Output { get; } = Value.Path("--out", "STRIP.png", "Where to write the strip.", required: true);
        public DeviceOptions Device { get; } = new();
        public Option<bool> Json { get; } = Shared.Json();
    }

    /// <summary>The verb.</summary>
    public static Command Create(Terminal terminal)
    {
        Options options = new();
        Command command = new("interpolate",
            "Walk between two images in latent space: --from and --to, or two of --data, or two random ones.")
        {
            options.Model, options.Output, options.From, options.To,
        };
        options.Data.AddTo(command);
        command.Add(options.Pair);
        command.Add(options.Seed);
        command.Add(options.Temperature);
        command.Add(options.Class);
        command.Add(options.Steps);
        command.Add(options.Mode);
        options.Device.AddTo(command);
        command.Add(options.Json);
        command.SetAction(parse => Run(parse, options, terminal));
        return command;
    }

    private static int Run(ParseResult parse, Options options, Terminal terminal)
    {
        bool images = parse.IsGiven(options.From) || parse.IsGiven(options.To);
        bool data = parse.IsGiven(options.Data.Data);
        if (parse.IsGiven(options.From) != parse.IsGiven(options.To))
            throw new UsageException($"{(parse.IsGiven(options.From) ? "--to" : "--from")} is missing; a walk has two ends");
        if (images && data) throw new UsageException("--from and --to are given, and --data too; the two ends come from one or the other");
        if (parse.IsGiven(options.Pair) && !data) throw new UsageException("--pair is given without --data; it picks two images of a set");

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
        using Device device = options.Device.Open(parse);
        using FlowModel glow = ModelFile.Load(path, device);
        WalkEnds ends = source is not null ? WalkEnds.FromData(glow, source, parse.Listed(options.Pair) ?? [0, 1])
            : images ? WalkEnds.FromFiles(glow, parse.GetValue(options.From)!, parse.GetValue(options.To)!, label)
            : WalkEnds.Random(config, parse.GetValue(options.Seed), parse.GetValue(options.Temperature), label);
        byte[] strip = new byte[rows.Length * steps * config.Dimensions];
        for (int row = 0; row < rows.Length; row++)
        {
            InterpolationMode mode = rows[row] == "linear" ? InterpolationMode.Linear : InterpolationMode.Spherical;
            Latents walk = Interpolator.Path(ends.Both, 0, 1, steps, mode);
            Sampler.Decode(glow, walk, ends.Labels(steps), null, terminal.Stop).CopyTo(strip, row * steps * config.Dimensions);
        }
        ImageFile.WriteGrid(output, strip, rows.Length * steps, config.Height, config.ImageWidth, config.Channels, steps);
        if (parse.GetValue(options.Json))
            JsonOutput.Write(terminal, new Result(output, steps, rows, ends.FromName, ends.ToName, [config.Height, config.ImageWidth, config.Channels]));
        else
            terminal.Out.WriteLine($"{steps} steps ({string.Join(", ", rows)}) from {ends.FromName} to {ends.ToName} in {output}");
        return 0;
    }
}
