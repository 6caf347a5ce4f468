using System.Diagnostics;

namespace GlowGpu.Bench.Report;

/// <summary>Times of equal runs.</summary>
/// <param name="Milliseconds">one entry a run, in the order they ran</param>
public sealed record Timing(double[] Milliseconds)
{
    private const double WarmMilliseconds = 150;
    private const int LeastWarmRuns = 2;

    /// <summary>Number of runs.</summary>
    public int Runs => Milliseconds.Length;

    /// <summary>The middle run, or the mean of the middle two.</summary>
    public double Median
    {
        get
        {
            double[] sorted = [.. Milliseconds.Order()];
            return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
        }
    }

    /// <summary>The fastest run.</summary>
    public double Min => Milliseconds.Min();

    /// <summary>
    /// Runs <paramref name="action"/> until the just-in-time compiler has settled, then times <paramref name="runs"/>
    /// runs; a run repeats an action that takes less than <paramref name="leastMilliseconds"/> and counts its mean.
    /// </summary>
    public static Timing Measure(Action action, int runs, double leastMilliseconds)
    {
        int warm = 0;
        long begin = Stopwatch.GetTimestamp();
        while (warm < LeastWarmRuns || Stopwatch.GetElapsedTime(begin).TotalMilliseconds < WarmMilliseconds)
        {
            action();
            warm++;
        }
        double once = Once(action, 1);
        int repeats = Math.Max(1, (int)Math.Ceiling(leastMilliseconds / Math.Max(once, 1e-4)));
        double[] times = new double[runs];
        for (int i = 0; i < runs; i++) times[i] = Once(action, repeats);
        return new Timing(times);
    }

    /// <summary>Mean time of so many calls, milliseconds.</summary>
    public static double Once(Action action, int repeats = 1)
    {
        long begin = Stopwatch.GetTimestamp();
        for (int i = 0; i < repeats; i++) action();
        return Stopwatch.GetElapsedTime(begin).TotalMilliseconds / repeats;
    }
}
