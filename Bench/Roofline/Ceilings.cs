using GlowGpu.Bench.Report;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Bench.Roofline;

/// <summary>What this processor was measured to do at most, on so many threads.</summary>
/// <param name="Threads">threads used for "all" figures</param>
/// <param name="FmaOneGflops">multiply-adds on registers, one thread, GFLOP/s</param>
/// <param name="FmaGflops">the same on all threads: the compute ceiling</param>
/// <param name="GemmOneGflops">the host's micro-kernel on panels in L1, one thread, GFLOP/s</param>
/// <param name="GemmGflops">the same on all threads</param>
/// <param name="Copies">copy bandwidth on all threads by footprint</param>
public sealed record Ceilings(
    int Threads, double FmaOneGflops, double FmaGflops, double GemmOneGflops, double GemmGflops, CopyBandwidth[] Copies)
{
    private static readonly long[] Footprints = [512 << 10, 8 << 20, 512 << 20];

    /// <summary>
    /// Bytes a second for an operation that moves so many bytes: the copy whose footprint is the next larger one.
    /// </summary>
    public double Bandwidth(double bytes) => (Copies.FirstOrDefault(c => c.Bytes >= bytes) ?? Copies[^1])
        .GigabytesPerSecond * 1e9;

    /// <summary>
    /// Least time of a piece of work on this processor, milliseconds: computing and moving fully overlapped.
    /// </summary>
    public double Floor(Cost cost) => 1e3 * Math.Max(cost.FilteredFlops / (FmaGflops * 1e9),
        cost.Bytes / Bandwidth(cost.Bytes));

    /// <summary>Measures them; the best of <paramref name="runs"/> runs each.</summary>
    public static Ceilings Measure(int threads, int runs)
    {
        using Workers one = new(1);
        using Workers all = new(threads);
        return new Ceilings(threads,
            FmaPeak.Measure(one, runs), FmaPeak.Measure(all, runs), GemmPeak.Measure(one, runs),
                GemmPeak.Measure(all, runs),
            [.. Footprints.Select(bytes => new CopyBandwidth(bytes, CopyPeak.Measure(all, bytes, runs)))]);
    }

    /// <summary>The part of a report that lists them.</summary>
    public string ToMarkdown()
    {
        MarkdownTable table = new("ceiling", "1 thread", $"{Threads} threads");
        table.Add("multiply-add on registers, GFLOP/s", FmaOneGflops, FmaGflops);
        table.Add("micro-kernel on panels in L1, GFLOP/s", GemmOneGflops, GemmGflops);
        foreach (CopyBandwidth copy in Copies)
            table.Add($"copy, {copy.Bytes / 1024.0 / 1024.0:0.#} MiB read and written, GB/s", "",
                copy.GigabytesPerSecond);
        return table.ToString();
    }
}

/// <summary>
/// Copying a footprint (source and target together) again and again; read and written bytes both count.
/// </summary>
public sealed record CopyBandwidth(long Bytes, double GigabytesPerSecond);
