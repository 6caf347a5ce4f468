using System.CommandLine;
using GlowGpu.App.Console;
using GlowGpu.App.Options;
using GlowGpu.App.Output;
using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Attributes;
using GlowGpu.Model.Data;
using GlowGpu.Model.Training;
using Spectre.Console;
using Progress = GlowGpu.App.Console.Progress;

namespace GlowGpu.App.Commands;

/// <summary>
/// <c>glow attribute</c>: directions of attributes in latent space, fitted, applied, listed and scored.
/// </summary>
internal static class AttributeCommand
{
    private sealed record FitResult(string Out, string Data, string DataHash, string Fingerprint,
        int Count, Row[] Attributes);

    private sealed record ListResult(string Attributes, string Data, string DataHash, string Fingerprint, Row[] All);

    private sealed record Row(string Name, int Positives, int Negatives, double Norm);

    private sealed record ScoreResult(string Attributes, string Data, string DataHash, int Count,
        AttributeScore[] Scores);

    /// <summary>The verb.</summary>
    public static Command Create(Terminal terminal) =>
        new("attribute", "Find directions of attributes in latent space, and move images along them.")
        {
            Fit(terminal), AttributeApplyCommand.Create(terminal), List(terminal), Score(terminal),
        };

    private static Command Fit(Terminal terminal)
    {
        Option<string?> model = Shared.ModelPath(), labels = Labels();
        DataChoice data = new(required: true, standard: "train");
        Option<string?> output = Value.Path("--out", "A.safetensors", "Where to write the attributes.", required: true);
        Option<int> batch = Shared.Batch();
        DeviceOptions device = new();
        Option<bool> json = Shared.Json();
        Command command = new("fit",
            "Per attribute, the mean latents of the images with it minus those without.") { model, labels, output };
        data.AddTo(command);
        command.Add(batch);
        device.AddTo(command);
        command.Add(json);
        command.SetAction(parse =>
        {
            string path = OutputPath.Attributes(parse.GetValue(output)!);
            FlowConfig config = ModelFile.ReadConfig(parse.GetValue(model)!);
            IImageSource source = data.Open(parse, config, terminal);
            AttributeLabels known = LabelSources.Open(parse.GetValue(labels)!, source);
            using Device on = device.Open(parse, terminal);
            using FlowModel glow = ModelFile.Load(parse.GetValue(model)!, on);
            Progress progress = new(terminal, "encoded", source.Count);
            AttributeDirections fitted = AttributeFitter.Fit(glow, source, known, parse.GetValue(batch),
                progress.Report, terminal.Stop);
            fitted.Save(path);
            if (parse.GetValue(json))
                JsonOutput.Write(terminal, new FitResult(path, fitted.Data, fitted.DataHash, fitted.Fingerprint,
                    source.Count, Rows(fitted)));
            else
                terminal.Out.WriteLine($"{fitted.All.Count} attributes of {Readable.Count(source.Count)} images of "
                    + $"{Readable.Set(fitted.Data, fitted.DataHash)} in {path}");
            return 0;
        });
        return command;
    }

    private static Command List(Terminal terminal)
    {
        Argument<string> file = new("A") { HelpName = "A", Description = "A file of glow attribute fit." };
        Option<bool> json = Shared.Json();
        Command command = new("list", "What a file of attributes holds.") { file, json };
        command.SetAction(parse =>
        {
            AttributeDirections attributes = AttributeDirections.Load(parse.GetValue(file)!);
            if (parse.GetValue(json))
            {
                JsonOutput.Write(terminal, new ListResult(parse.GetValue(file)!, attributes.Data, attributes.DataHash,
                    attributes.Fingerprint, Rows(attributes)));
                return 0;
            }
            Table table = new Table().RoundedBorder().AddColumns("attribute", "with", "without", "|z_pos − z_neg|");
            foreach (Row row in Rows(attributes))
                table.AddRow(new Text(row.Name), new Text(Readable.Count(row.Positives)),
                    new Text(Readable.Count(row.Negatives)), new Text(Readable.Short(row.Norm)));
            terminal.Render(table);
            terminal.Out.WriteLine($"fitted on {Readable.Set(attributes.Data, attributes.DataHash)}, model weights "
                + $"{attributes.Fingerprint}");
            return 0;
        });
        return command;
    }

    private static Command Score(Terminal terminal)
    {
        Option<string?> model = Shared.ModelPath(), labels = Labels(), file = Source();
        DataChoice data = new(required: true);
        Option<int> batch = Shared.Batch();
        DeviceOptions device = new();
        Option<bool> json = Shared.Json();
        Command command = new("score", "How well each direction separates images with and without its attribute, on "
            + "images it was not fitted on.") { model, file, labels };
        data.AddTo(command);
        command.Add(batch);
        device.AddTo(command);
        command.Add(json);
        command.SetAction(parse =>
        {
            string path = parse.GetValue(file)!;
            AttributeDirections attributes = AttributeDirections.Load(path);
            FlowConfig config = ModelFile.ReadConfig(parse.GetValue(model)!);
            IImageSource source = data.Open(parse, config, terminal);
            AttributeLabels known = LabelSources.Open(parse.GetValue(labels)!, source);
            using Device on = device.Open(parse, terminal);
            using FlowModel glow = ModelFile.Load(parse.GetValue(model)!, on);
            attributes.CheckModel(glow, path, parse.GetValue(model)!);
            Progress progress = new(terminal, "encoded", source.Count);
            AttributeScore[] scores = AttributeScorer.Score(glow, attributes.All, source, known,
                parse.GetValue(batch), progress.Report, terminal.Stop);
            if (source.Hash == attributes.DataHash)
                terminal.Log("warning: the attributes were fitted on these images, "
                    + $"{Readable.Set(source.Name, source.Hash)}, so that the scores flatter them; other images "
                    + "tell more");
            if (parse.GetValue(json))
            {
                JsonOutput.Write(terminal, new ScoreResult(path, source.Name, source.Hash, source.Count, scores));
                return 0;
            }
            Table table = new Table().RoundedBorder().AddColumns("attribute", "with", "without", "AUC",
                "accuracy at midpoint", "best accuracy", "larger class");
            foreach (AttributeScore s in scores)
                table.AddRow(new Text(s.Name), new Text(Readable.Count(s.Positives)),
                    new Text(Readable.Count(s.Negatives)),
                    new Text(Readable.Fraction(s.Auc)), new Text(Readable.Fraction(s.Accuracy)),
                        new Text(Readable.Fraction(s.BestAccuracy)), new Text(Readable.Fraction(s.MajorityRate)));
            terminal.Render(table);
            terminal.Out.WriteLine($"{Readable.Count(source.Count)} images of "
                + $"{Readable.Set(source.Name, source.Hash)}; an AUC near 0.5, or an accuracy no higher than the "
                + "larger class, means that the direction says nothing");
            return 0;
        });
        return command;
    }

    /// <summary><c>--attributes A</c>.</summary>
    internal static Option<string?> Source() => Value.Path("--attributes", "A", "A file of glow attribute fit.",
        required: true);

    private static Option<string?> Labels() => Value.Path("--labels", "L.csv|folder|factors|list_attr_celeba.txt",
        "A CSV (a header, then file name or index and a 0 or 1 for each column), CelebA's list, folder (each class "
            + "against the rest), "
        + "or factors (of the demo set: above the median, and each shape and texture).", required: true);

    private static Row[] Rows(AttributeDirections attributes) =>
        [.. attributes.All.Select(static a => new Row(a.Name, a.Positives, a.Negatives, a.Norm))];
}
