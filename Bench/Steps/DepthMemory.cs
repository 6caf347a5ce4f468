using GlowGpu.App.Plots;
using GlowGpu.Bench.Report;
using GlowGpu.Engine;
using ScottPlot;

namespace GlowGpu.Bench.Steps;

/// <summary>Memory of a training step at one depth.</summary>
/// <param name="Depth">K</param>
/// <param name="Memory"><c>stored</c> or <c>reversible</c></param>
/// <param name="PeakBytes">largest resident memory of the process</param>
/// <param name="WeightBytes">values, gradients and moments of the parameters, and packed copies of weights where they
/// stay</param>
/// <param name="ArenaBytes">activations and their gradients, and packed weights where they do not stay</param>
public sealed record DepthMemoryResult(int Depth, string Memory, double PeakBytes, double WeightBytes,
    double ArenaBytes)
{
    /// <summary>What is left of the peak without the weights.</summary>
    public double NetBytes => PeakBytes - WeightBytes;
}

/// <summary>
/// Peak memory of training against depth: one level of the published CIFAR-10 model at batch 8, K growing.
/// </summary>
public static class DepthMemory
{
    /// <summary>Measures, each in a process of its own.</summary>
    public static List<DepthMemoryResult> Measure(IEnumerable<int> depths, int threads, TextWriter log)
    {
        List<DepthMemoryResult> results = [];
        foreach (int depth in depths)
        {
            log.WriteLine($"memory: K = {depth}");
            StepCase what = StepCase.TrainB with { Name = "memory", Levels = 1, Depth = depth };
            Dictionary<string, double> bits = [];
            foreach (MemoryMode memory in (MemoryMode[])[MemoryMode.Stored, MemoryMode.Reversible])
            {
                string name = memory == MemoryMode.Stored ? "stored" : "reversible";
                ChildResult child = ChildRun.Start(new ChildRequest(what, memory, 2, threads));
                bits[name] = child.Value;
                results.Add(new DepthMemoryResult(depth, name, child.PeakBytes, child.ParameterBytes,
                    child.ArenaBytes));
            }
            if (Math.Abs(bits["stored"] - bits["reversible"]) > 1e-2)
                throw new GlowException($"{what}: after a step stored gives {bits["stored"]} bits/dim and "
                    + $"reversible {bits["reversible"]}; they must agree");
        }
        return results;
    }

    /// <summary>The part of a report that lists them.</summary>
    public static string ToMarkdown(IEnumerable<DepthMemoryResult> results)
    {
        MarkdownTable table = new("K", "memory", "peak MiB", "weights MiB", "peak without weights MiB",
            "activations (arena) MiB");
        foreach (DepthMemoryResult r in results)
            table.Add(r.Depth, r.Memory, Mebibytes(r.PeakBytes), Mebibytes(r.WeightBytes), Mebibytes(r.NetBytes),
                Mebibytes(r.ArenaBytes));
        return table.ToString();
    }

    /// <summary>Draws them; null, or the sentence about what the plot lacks.</summary>
    public static string? Draw(IReadOnlyList<DepthMemoryResult> results, string path,
        string what = "peak resident memory, MiB")
    {
        string? lacks = PlotText.Prepare();
        Plot plot = new();
        foreach (IGrouping<string, DepthMemoryResult> mode in results.GroupBy(static r => r.Memory))
        {
            double[] depths = [.. mode.Select(static r => (double)r.Depth)];
            Color color = mode.Key == "stored" ? Colors.DarkOrange : Colors.SteelBlue;
            var net = plot.Add.Scatter(depths, [.. mode.Select(static r => Mebibytes(r.NetBytes))], color);
            (net.LineWidth, net.MarkerSize, net.LegendText) = (2, 8, $"{mode.Key}, without weights");
            var raw = plot.Add.Scatter(depths, [.. mode.Select(static r => Mebibytes(r.PeakBytes))], color);
            (raw.LineWidth, raw.MarkerSize, raw.LinePattern, raw.LegendText) = (1, 5, LinePattern.Dotted,
                $"{mode.Key}, everything");
        }
        plot.XLabel("depth K");
        plot.YLabel(what);
        plot.Axes.SetLimitsY(0, 1.05 * results.Max(static r => Mebibytes(r.PeakBytes)));
        plot.ShowLegend(Alignment.UpperLeft);
        if (lacks is null) PlotText.Apply(plot);
        plot.SavePng(path, 900, 500);
        return lacks;
    }

    private static double Mebibytes(double bytes) => bytes / (1 << 20);
}
