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
    private sealed record Result(
        string Out, int Count, double[] Temperatures, ulong Seed, int? Class, int[] Shape, int[]? Classes,
            double[]? LogProbs, double[]? BitsPerDim, Stats? Stats);

    private sealed record Stats(double MaxX, double OutsideFraction, double[] LevelMaxX, double[] MaxZ,
        double[] InverseErrors);

    private sealed class Options
    {
        public Option<string?> Model { get; } = Shared.ModelPath();
        public Option<int> Count { get; } = Value.NumberOr("--count", "N",
            "Number of images; of each row with --temperatures, --raster or --per-class.", 16, 1, 1_000_000);
        public Option<double> Temperature { get; } = Shared.Temperature();
        public Option<double[]?> Temperatures { get; } = Value.List<double>("--temperatures", "T1,T2,…",
            "Several temperatures, one row of the grid each; a column is the same noise throughout.", 0, 10);
        public Option<bool> Raster { get; } = Value.Flag("--raster",
            "As --temperatures 0,0.25,0.5,0.6,0.7,0.8,0.9,1, those of the published figure.");
        public Option<bool> PerClass { get; } = Value.Flag("--per-class",
            "One row for each class of a conditional model; a column is the same noise throughout.");
        public Option<ulong> Seed { get; } = Shared.Seed(
            "Seeds the noise; image i of a seed is the same whatever the count.");
        public Option<string?> Class { get; } = ClassOption.Create(
            "Class of a conditional model; all in turn unless given.");
        public Option<bool> WithLogProb { get; } = Value.Flag("--with-log-prob",
            "Also print log p(x) of every image in nats and bits/dim, as CSV or with --json: of its continuous "
                + "values, before they become bytes.");
        public Option<bool> WithStats { get; } = Value.Flag("--stats",
            "Also print max|x| of the images and, level by level, max|z| and the error of the inverse, "
                + "max|encode(decode(z)) − z|.");
        public Option<int?> Columns { get; } = Shared.Columns();
        public Option<string?> Output { get; } = Value.Path("--out", ImageOutput.Letter,
            "One PNG grid, a folder of PNG files, or an array uint8 [N,H,W,C].", required: true);
        public DeviceOptions Device { get; } = new();
        public Option<bool> Json { get; } = Shared.Json();
    }

    /// <summary>The verb.</summary>
    public static Command Create(Terminal terminal)
    {
        Options o = new();
        Command command = new("sample", "Draw images from a model.")
        {
            o.Model, o.Output, o.Count, o.Temperature, o.Temperatures, o.Raster, o.PerClass, o.Seed, o.Class,
                o.WithLogProb, o.WithStats, o.Columns,
        };
        o.Device.AddTo(command, graphs: true);
        command.Add(o.Json);
        command.SetAction(parse => Run(parse, o, terminal));
        return command;
    }

    private static int Run(ParseResult parse, Options o, Terminal terminal)
    {
        CheckTogether(parse, o.Temperature, o.Temperatures);
        CheckTogether(parse, o.Raster, o.Temperature, o.Temperatures);
        CheckTogether(parse, o.PerClass, o.Temperatures, o.Raster, o.Class);
        string path = parse.GetValue(o.Model)!;
        FlowConfig config = ModelFile.ReadConfig(path);
        int? index = ClassOption.Index(path, config, parse.GetValue(o.Class));
        if (parse.GetValue(o.PerClass) && config.Classes == 0)
            throw new UsageException($"--per-class is given, but {path} is not conditional; leave it out");
        double[] temperatures = parse.Listed(o.Temperatures) ?? (parse.GetValue(o.Raster) ? SampleRows.Published
            : [parse.GetValue(o.Temperature)]);
        SampleRow[] rows = parse.GetValue(o.PerClass)
            ? [.. Enumerable.Range(0, config.Classes).Select(k => new SampleRow(temperatures[0], k))]
            : [.. temperatures.Select(t => new SampleRow(t, index))];
        int each = parse.GetValue(o.Count);
        long total = (long)each * rows.Length;
        if (total * config.Dimensions > Array.MaxLength)
            throw new UsageException($"--count is {each}, which makes {Readable.Bytes(total * config.Dimensions)} "
                + $"of pixels; at most {Readable.Bytes(Array.MaxLength)} fit in one call");
        ImageOutput to = ImageOutput.Of(parse.GetValue(o.Output)!, (int)total, config.Channels);
        int inRow = parse.GetValue(o.Columns) ?? (rows.Length > 1 ? each : (int)Math.Ceiling(Math.Sqrt(each)));

        using Device on = o.Device.Open(parse, terminal);
        using FlowModel glow = ModelFile.Load(path, on);
        bool logProb = parse.GetValue(o.WithLogProb), stats = parse.GetValue(o.WithStats);
        SampleRows samples = SampleRows.Draw(glow, rows, each, parse.GetValue(o.Seed), logProb || stats, terminal);
        to.Write(samples.Images, (int)total, config.Height, config.ImageWidth, config.Channels, inRow);
        SampleStatistics found = samples.Statistics;
        if ((stats || double.IsNaN(found.MaxX)) && found.Concern is { } concern) terminal.Log($"warning: {concern}");
        if (parse.GetValue(o.Json))
        {
            JsonOutput.Write(terminal, new Result(to.Path, (int)total, temperatures, parse.GetValue(o.Seed), index,
                [config.Height, config.ImageWidth, config.Channels],
                parse.GetValue(o.PerClass) ? [.. Enumerable.Range(0, config.Classes)] : null,
                logProb ? samples.LogLikelihoods : null, logProb ? samples.BitsPerDim(config) : null,
                stats ? new Stats(found.MaxX, found.OutsideFraction, found.MaxVariables, found.MaxZ,
                    found.InverseErrors) : null));
            return 0;
        }
        string sentence = $"{Readable.Count(total)} images at temperature "
            + $"{string.Join(", ", temperatures.Select(Readable.Exact))} in {to.Path}";
        // The CSV goes to programs: it stands alone on standard output.
        TextWriter words = logProb ? terminal.Error : terminal.Out;
        words.WriteLine(sentence);
        if (stats) samples.PrintStatistics(words);
        if (logProb) samples.WriteCsv(terminal.Out, config, rows);
        return 0;
    }

    private static void CheckTogether(ParseResult parse, Option option, params Option[] others)
    {
        foreach (Option other in others)
            if (parse.IsGiven(option) && parse.IsGiven(other))
                throw new UsageException($"{option.Name} and {other.Name} are both given; one of them is enough");
    }
}
