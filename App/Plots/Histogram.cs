using ScottPlot;

namespace GlowGpu.App.Plots;

/// <summary>Several samples of one quantity as histograms over the same bins.</summary>
internal static class Histogram
{
    private const int Bins = 40, Width = 900, Height = 500;

    /// <summary>
    /// Writes a PNG; returns the sentence to print when the plot has no text, else null. Values that are not finite
    /// are left out.
    /// </summary>
    public static string? Draw(string path, string label, params (string Name, double[] Values)[] samples)
    {
        string? lacks = PlotText.Prepare();
        double[][] finite = [.. samples.Select(static s => s.Values.Where(double.IsFinite).ToArray())];
        (double low, double high) = Range(finite);
        double width = (high - low) / Bins;
        Plot plot = new();
        Color[] colours = [Colors.SteelBlue, Colors.DarkOrange];
        for (int s = 0; s < samples.Length; s++)
        {
            double[] shares = Shares(finite[s], low, width, Bins);
            var bars = plot.Add.Bars([.. shares.Select((_, i) => low + (i + 0.5) * width)], shares);
            foreach (Bar bar in bars.Bars)
            {
                bar.Size = width;
                bar.LineWidth = 0;
                bar.FillColor = colours[s % colours.Length].WithAlpha(0.6);
            }
            bars.LegendText = samples[s].Name;
        }
        plot.XLabel(label);
        plot.YLabel("share of the images");
        plot.Axes.SetLimitsY(0, plot.Axes.GetLimits().Top);
        plot.ShowLegend(Alignment.UpperRight);
        if (lacks is null) PlotText.Apply(plot);
        PlotFile.Save(plot, path, Width, Height);
        return lacks;
    }

    /// <summary>
    /// Share of the values in each of <paramref name="bins"/> bins from <paramref name="low"/> on; the last bin takes
    /// its upper end too.
    /// </summary>
    public static double[] Shares(double[] values, double low, double width, int bins)
    {
        double[] shares = new double[bins];
        foreach (double v in values) shares[Math.Clamp((int)((v - low) / width), 0, bins - 1)] += 1.0 / values.Length;
        return shares;
    }

    private static (double Low, double High) Range(double[][] samples)
    {
        double[] all = [.. samples.SelectMany(static s => s)];
        if (all.Length == 0) return (0, 1);
        (double low, double high) = (all.Min(), all.Max());
        // One value only still needs a bin of some width.
        return high > low ? (low, high) : (low - 0.5, high + 0.5);
    }
}
