using System.CommandLine;
using System.Globalization;
using System.Text;
using GlowGpu.App.Console;
using GlowGpu.App.Options;
using GlowGpu.App.Output;
using GlowGpu.App.Plots;
using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Data;
using GlowGpu.Model.Scoring;
using GlowGpu.Model.Training;

namespace GlowGpu.App.Commands;

/// <summary><c>glow score</c>: how likely, and how typical, every image is under a model.</summary>
internal static class ScoreCommand
{
    private const double Small = 0.05;

    // The smallest p-value of M reference images is 1/(1 + M): fewer could call nothing atypical.
    private const int LeastReference = 20;

    private sealed record Result(
        string Out, string? Histogram, int Count, double BitsPerDim, string Data, string DataHash,
        string? Reference, string? ReferenceHash, int? ReferenceCount, double? ReferenceBitsPerDim,
            double? EntropyNats, double? FractionAtypical);

    private sealed record Score(string Image, double BitsPerDim, double LogLikelihood, double? TypicalityDistance,
        double? PValue);

    /// <summary>The verb.</summary>
    public static Command Create(Terminal terminal)
    {
        Option<string?> model = Shared.ModelPath();
        DataChoice data = new(required: true);
        Option<string?> reference = Value.Path("--reference", "R", "Images that the model is meant for, in the "
            + "words of --data (of a set with splits: train); adds the typicality test.");
        Option<int> referenceLimit = Value.NumberOr("--reference-limit", "N",
            "Use the first N reference images only.", 2000, LeastReference, int.MaxValue);
        Option<string?> output = Value.Path("--out", "SCORES.csv|.json", "Where to write the score of every image.",
            required: true);
        Option<string?> histogram = Value.Path("--histogram", "H.png",
            "Where to draw the bits/dim of all images, and of the reference.");
        Option<string?> dequantize = Shared.Dequantize(Dequantization.Uniform);
        Option<ulong> seed = Shared.Seed("Seeds the dequantisation noise.");
        Option<int> batch = Shared.Batch();
        DeviceOptions device = new();
        Option<bool> json = Shared.Json();
        Command command = new("score", "Bits/dim of every image and, with --reference, how typical it is. "
            + "Likelihood alone misleads: a flow may find foreign, simple images likelier than its own, so the "
            + "typicality test (Nalisnick et al. 2019) asks instead "
            + "whether an image's -log p is as far from that of the reference images, above or below, as theirs "
            + "seldom is (a small p-value).") { model, output };
        data.AddTo(command);
        command.Add(reference);
        command.Add(referenceLimit);
        command.Add(histogram);
        command.Add(dequantize);
        command.Add(seed);
        command.Add(batch);
        device.AddTo(command);
        command.Add(json);
        command.SetAction(parse =>
        {
            string to = CheckOut(parse.GetValue(output)!);
            FlowConfig config = ModelFile.ReadConfig(parse.GetValue(model)!);
            string? picture = parse.GetValue(histogram) is string given ? ImageOutput.Picture(given, 3, "--histogram")
                : null;
            IImageSource source = data.Open(parse, config, terminal);
            IImageSource? known = parse.GetValue(reference) is string name
                ? DataSets.Limit(DataChoice.Open(name, parse.GetValue(data.Directory), null, "train", config,
                terminal), parse.GetValue(referenceLimit))
                : null;
            if (known?.Count < LeastReference)
                throw new UsageException($"--reference has {known.Count} images; at least {LeastReference} are "
                    + $"needed for a p-value below {Readable.Exact(Small)}");
            using Device on = device.Open(parse, terminal);
            using FlowModel glow = ModelFile.Load(parse.GetValue(model)!, on);
            Evaluation scored = Evaluate(source), held = known is null ? scored : Evaluate(known);
            Typicality? test = known is null ? null : new Typicality(held.LogLikelihoods);
            Score[] scores = [.. scored.LogLikelihoods.Select((nats, i) => new Score(NameOf(source, i), Bits(nats),
                nats, test?.Distance(nats), test?.PValue(nats)))];
            Write(to, scores);
            if (picture is not null)
            {
                (string, double[])[] samples = [(scored.Data, [.. scores.Select(static s => s.BitsPerDim)])];
                if (known is not null) samples = [.. samples, (held.Data, Array.ConvertAll(held.LogLikelihoods, Bits))];
                if (Histogram.Draw(picture, "bits/dim", samples) is { } lacks) terminal.Log(lacks);
            }
            Print(parse.GetValue(json), new Result(to, picture, scores.Length, scored.BitsPerDim, scored.Data,
                scored.DataHash,
                known?.Name, known?.Hash, known?.Count, known is null ? null : held.BitsPerDim, test?.Entropy,
                test is null ? null : scores.Count(static s => s.PValue < Small) / (double)scores.Length), terminal);
            return 0;

            Evaluation Evaluate(IImageSource images) => Evaluator.Run(glow, images,
                Shared.DequantizationOf(parse.GetValue(dequantize)),
                parse.GetValue(seed), parse.GetValue(batch), new Progress(terminal, "scored", images.Count).Report,
                    terminal.Stop);

            double Bits(double nats) => -nats / (config.Dimensions * Math.Log(2));
        });
        return command;
    }

    private static void Print(bool json, Result result, Terminal terminal)
    {
        if (json)
        {
            JsonOutput.Write(terminal, result);
            return;
        }
        terminal.Out.WriteLine($"{Readable.Bits(result.BitsPerDim)} bits/dim on "
            + $"{Readable.Set(result.Data, result.DataHash)}, {Readable.Count(result.Count)} images, scores in "
            + $"{result.Out}");
        if (result.Reference is not null)
        {
            terminal.Out.WriteLine($"{Readable.Bits(result.ReferenceBitsPerDim!.Value)} bits/dim on the reference "
                + $"{Readable.Set(result.Reference, result.ReferenceHash!)}, "
                + $"{Readable.Count(result.ReferenceCount!.Value)} images; "
                + $"{Readable.Short(100 * result.FractionAtypical!.Value)} % of the images are atypical at p < "
                + $"{Readable.Exact(Small)} ({Readable.Short(100 * Small)} % of images like the reference are)");
        }
        if (result.Histogram is not null) terminal.Out.WriteLine($"histogram: {result.Histogram}");
    }

    private static string CheckOut(string path)
    {
        if (Path.GetExtension(path).ToLowerInvariant() is not (".csv" or ".json"))
            throw new UsageException($"--out is '{path}'; it must end in .csv or .json");
        OutputPath.CheckFile(path);
        return path;
    }

    private static string NameOf(IImageSource data, int image)
    {
        (IImageSource source, int index) = Subset.Origin(data, image);
        return source is INamedSource named ? named.ImageName(index) : image.ToString(CultureInfo.InvariantCulture);
    }

    private static void Write(string path, Score[] scores)
    {
        if (path.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
        {
            AtomicFile.WriteText(path, JsonOutput.Text(new { Scores = scores }) + "\n");
            return;
        }
        bool tested = scores[0].PValue is not null;
        StringBuilder text = new(tested ? "image,bits_per_dim,log_likelihood_nats,typicality_distance_nats,p_value\n"
            : "image,bits_per_dim,log_likelihood_nats\n");
        foreach (Score s in scores)
        {
            text.Append(CultureInfo.InvariantCulture, $"{Quoted(s.Image)},{s.BitsPerDim:R},{s.LogLikelihood:R}");
            if (tested) text.Append(CultureInfo.InvariantCulture, $",{s.TypicalityDistance:R},{s.PValue:R}");
            text.Append('\n');
        }
        AtomicFile.WriteText(path, text.ToString());
    }

    private static string Quoted(string field) => field.AsSpan().IndexOfAny(",\"") < 0 ? field
        : $"\"{field.Replace("\"", "\"\"")}\"";
}
