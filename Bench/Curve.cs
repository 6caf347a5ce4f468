using System.Text.Json;
using GlowGpu.App.Plots;
using ScottPlot;

namespace GlowGpu.Bench;

/// <summary>Draws training and validation bits/dim of a run folder's <c>metrics.jsonl</c>.</summary>
public static class Curve
{
    private const int Smoothing = 25;

    /// <summary>Writes the picture; returns the exit code.</summary>
    public static int Draw(string run, string picture)
    {
        string metrics = Path.Combine(run, "metrics.jsonl");
        if (!File.Exists(metrics))
        {
            Console.Error.WriteLine($"curve: {metrics} does not exist; give a run folder of glow train");
            return 1;
        }
        List<double> steps = [], bits = [], validationSteps = [], validationBits = [];
        foreach (string line in File.ReadLines(metrics))
        {
            using JsonDocument row = JsonDocument.Parse(line);
            double step = row.RootElement.GetProperty("step").GetDouble();
            if (row.RootElement.TryGetProperty("validation_bits_per_dim", out JsonElement validation))
            {
                validationSteps.Add(step);
                validationBits.Add(validation.GetDouble());
            }
            else if (row.RootElement.TryGetProperty("bits_per_dim", out JsonElement value)
                && value.ValueKind == JsonValueKind.Number)
            {
                steps.Add(step);
                bits.Add(value.GetDouble());
            }
        }
        double[] smooth = [.. bits.Select((_, i) => bits.Skip(Math.Max(0, i - Smoothing + 1))
            .Take(Math.Min(i + 1, Smoothing)).Average())];
        string? lacks = PlotText.Prepare();
        Plot plot = new();
        var each = plot.Add.Scatter(steps.ToArray(), bits.ToArray(), Colors.LightSteelBlue);
        each.MarkerSize = 0;
        each.LegendText = "training, each batch";
        var mean = plot.Add.Scatter(steps.ToArray(), smooth, Colors.SteelBlue);
        (mean.MarkerSize, mean.LineWidth, mean.LegendText) = (0, 2, $"training, mean of {Smoothing} batches");
        if (validationSteps.Count > 0)
        {
            var held = plot.Add.Scatter(validationSteps.ToArray(), validationBits.ToArray(), Colors.DarkOrange);
            (held.MarkerSize, held.LineWidth, held.LegendText) = (8, 2, "validation");
        }
        plot.XLabel("step");
        plot.YLabel("bits/dim");
        plot.Axes.SetLimitsY(Math.Floor(smooth.Min() * 5) / 5 - 0.2, Math.Ceiling(smooth[smooth.Length / 20] * 2) / 2);
        plot.ShowLegend(Alignment.UpperRight);
        if (lacks is null) PlotText.Apply(plot);
        else Console.Error.WriteLine(lacks);
        plot.SavePng(picture, 900, 500);
        return 0;
    }
}
