using GlowGpu.Model.Training;
using ScottPlot;

namespace GlowGpu.App.Plots;

/// <summary>
/// Training bits/dim of the six variants over the steps: one colour a permutation, dashed for additive coupling.
/// </summary>
internal static class AblationPlot
{
    private const int Width = 900, Height = 550;

    /// <summary>Writes a PNG; returns the sentence to print when the plot has no text, else null.</summary>
    public static string? Draw(string path, IReadOnlyList<AblationRun> runs)
    {
        string? lacks = PlotText.Prepare();
        Plot plot = new();
        Dictionary<string, Color> colours = new()
        {
            ["reverse"] = Colors.IndianRed,
            ["shuffle"] = Colors.DarkOrange,
            ["invconv"] = Colors.SteelBlue
        };
        List<double> shown = [];
        foreach (IGrouping<AblationVariant, AblationRun> group in runs.GroupBy(static r => r.Variant))
        {
            (double[] steps, double[] bits) = Smooth([.. group]);
            if (steps.Length == 0) continue;
            var line = plot.Add.Scatter(steps, bits, colours[group.Key.Permutation]);
            (line.MarkerSize, line.LineWidth, line.LegendText) = (0, 2,
                $"{group.Key.Permutation}, {group.Key.Coupling}");
            if (group.Key.Coupling == "additive") line.LinePattern = LinePattern.Dashed;
            // The first tenth falls steeply and would flatten everything after it.
            shown.AddRange(bits.Skip(bits.Length / 10));
        }
        if (shown.Count > 0)
        {
            double margin = Math.Max((shown.Max() - shown.Min()) * 0.05, 0.01);
            plot.Axes.SetLimitsY(shown.Min() - margin, shown.Max() + margin);
        }
        plot.XLabel("step");
        plot.YLabel("training bits/dim");
        plot.ShowLegend(Alignment.UpperRight);
        if (lacks is null) PlotText.Apply(plot);
        PlotFile.Save(plot, path, Width, Height);
        return lacks;
    }

    /// <summary>Mean over the runs of each step that all have, then over a sliding fiftieth of the steps.</summary>
    public static (double[] Steps, double[] Bits) Smooth(IReadOnlyList<AblationRun> runs)
    {
        (long Step, double Bits)[] mean =
        [
            .. runs.SelectMany(static r => r.Metrics.Steps).GroupBy(static s => s.Step)
            .Where(g => g.Count() == runs.Count)
                .OrderBy(static g => g.Key).Select(static g => (g.Key, g.Average(static s => s.BitsPerDim))),
        ];
        int window = Math.Max(1, mean.Length / 50);
        double[] bits = new double[mean.Length];
        double sum = 0;
        for (int i = 0; i < mean.Length; i++)
        {
            sum += mean[i].Bits - (i >= window ? mean[i - window].Bits : 0);
            bits[i] = sum / Math.Min(i + 1, window);
        }
        return ([.. mean.Select(static m => (double)m.Step)], bits);
    }
}
