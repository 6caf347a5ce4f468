using System.Text;
using GlowGpu.Bench.Ops;
using GlowGpu.Bench.Report;

namespace GlowGpu.Bench.Roofline;

/// <summary>One operation at one shape.</summary>
public sealed record OperationResult(
    string Operation, string Shape, double MedianMs, double MinMs, int Runs, double Gflops, double GigabytesPerSecond,
        double FloorMs)
{
    /// <summary>Share of the floor: floor over median.</summary>
    public double Share => FloorMs / MedianMs;
}

/// <summary>Times every operation at every shape against the ceilings.</summary>
public static class RooflineTable
{
    /// <summary>Measures; writes a line for each shape to <paramref name="log"/>.</summary>
    public static List<OperationResult> Measure(Ceilings ceilings, IReadOnlyList<OpShape> shapes, int runs,
        double leastMilliseconds, TextWriter log)
    {
        List<OperationResult> results = [];
        foreach (OpShape shape in shapes)
        {
            log.WriteLine($"operations: {shape}");
            foreach (Func<OpBench> make in OpBench.All)
            {
                OpBench bench = make();
                if (!bench.Applies(shape)) continue;
                bench.Shape = shape;
                bench.Setup();
                try
                {
                    foreach (OpRun run in bench.Runs()) results.Add(Measure(ceilings, shape, run, runs,
                        leastMilliseconds));
                    bench.CheckFinite();
                }
                finally
                {
                    bench.Cleanup();
                }
            }
        }
        return results;
    }

    /// <summary>The part of a report that lists them.</summary>
    public static string ToMarkdown(IEnumerable<OperationResult> results)
    {
        StringBuilder text = new();
        foreach (IGrouping<string, OperationResult> shape in results.GroupBy(static r => r.Shape))
        {
            MarkdownTable table = new("operation", "median ms", "min ms", "runs", "GFLOP/s", "GB/s", "floor ms",
                "share of floor");
            foreach (OperationResult r in shape)
                table.Add(r.Operation, r.MedianMs, r.MinMs, r.Runs, r.Gflops == 0 ? "" : r.Gflops,
                    r.GigabytesPerSecond, r.FloorMs, MarkdownTable.Percent(r.Share));
            text.Append($"\n{shape.Key}\n\n{table}");
        }
        return text.ToString();
    }

    private static OperationResult Measure(Ceilings ceilings, OpShape shape, OpRun run, int runs,
        double leastMilliseconds)
    {
        Timing timing = Timing.Measure(run.Action, runs, leastMilliseconds);
        return new OperationResult(run.Name, shape.ToString(), timing.Median, timing.Min, timing.Runs,
            run.Cost.Flops / timing.Median / 1e6, run.Cost.Bytes / timing.Median / 1e6, ceilings.Floor(run.Cost));
    }
}
