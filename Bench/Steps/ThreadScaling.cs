using GlowGpu.Bench.Report;
using GlowGpu.Engine;

namespace GlowGpu.Bench.Steps;

/// <summary>A training step on so many threads.</summary>
public sealed record ScalingResult(string Case, int Threads, double MedianMs, double MinMs, int Runs, double Speedup);

/// <summary>Training steps on 1, 2, 4, … threads up to every core, run by run in turn.</summary>
public static class ThreadScaling
{
    private const double Tolerance = 1e-4;

    /// <summary>Measures a case.</summary>
    public static List<ScalingResult> Measure(StepCase what, int threads, int runs, TextWriter log)
    {
        log.WriteLine($"threads: {what}, {runs} runs");
        List<int> counts = [];
        for (int n = 1; n < threads; n *= 2) counts.Add(n);
        counts.Add(threads);
        List<Device> devices = [];
        List<TrainingStep> steps = [];
        try
        {
            foreach (int count in counts)
            {
                devices.Add(DeviceFactory.Open("cpu", count));
                steps.Add(new TrainingStep(what, devices[^1]));
            }
            double[] bits = [.. steps.Select(static s => s.Run(MemoryMode.Stored).BitsPerDim)];
            if (Array.Exists(bits, b => Math.Abs(b - bits[0]) > Tolerance))
                throw new GlowException($"{what}: threads change bits/dim ({string.Join(", ", bits)})");
            double[][] times = [.. steps.Select(_ => new double[runs])];
            for (int run = 0; run < runs; run++)
            {
                for (int i = 0; i < steps.Count; i++)
                {
                    TrainingStep step = steps[i];
                    times[i][run] = Timing.Once(() => step.Run(MemoryMode.Stored));
                }
            }
            double one = new Timing(times[0]).Median;
            List<ScalingResult> results = [];
            for (int i = 0; i < counts.Count; i++)
            {
                Timing timing = new(times[i]);
                results.Add(new ScalingResult(what.ToString(), counts[i], timing.Median, timing.Min, runs,
                    one / timing.Median));
            }
            return results;
        }
        finally
        {
            foreach (TrainingStep step in steps) step.Dispose();
            foreach (Device device in devices) device.Dispose();
        }
    }

    /// <summary>The part of a report that lists them.</summary>
    public static string ToMarkdown(IEnumerable<ScalingResult> results)
    {
        MarkdownTable table = new("step", "threads", "median ms", "min ms", "runs", "times one thread");
        foreach (ScalingResult r in results) table.Add(r.Case, r.Threads, r.MedianMs, r.MinMs, r.Runs, r.Speedup);
        return table.ToString();
    }
}
