using System.Diagnostics;
using GlowGpu.Bench.Peers;
using GlowGpu.Bench.Report;
using GlowGpu.Bench.Roofline;
using GlowGpu.Engine;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Bench.Steps;

/// <summary>A case as one program ran it.</summary>
/// <param name="Case">which</param>
/// <param name="Who"><c>stored</c>, <c>reversible</c>, <c>stored, average kept</c>, <c>sampling</c>, or which
/// PyTorch</param>
/// <param name="MedianMs">median of the runs</param>
/// <param name="MinMs">fastest run</param>
/// <param name="Runs">number of runs</param>
/// <param name="TunedOverThis">the tuned peer's median over this one; NaN without a peer</param>
/// <param name="PlainOverThis">the plain peer's median over this one; NaN without a peer</param>
/// <param name="FloorMs">unavoidable flops at the measured multiply-add peak</param>
/// <param name="PeakBytes">largest resident memory of a process that does only this</param>
/// <param name="CoresApartNs">median of <see cref="CoreDistance"/> before the runs of the case</param>
public sealed record StepResult(
    string Case, string Who, double MedianMs, double MinMs, int Runs, double TunedOverThis, double PlainOverThis,
        double FloorMs,
    double PeakBytes, double CoresApartNs)
{
    /// <summary>Floor over median.</summary>
    public double Share => FloorMs / MedianMs;
}

/// <summary>
/// Managed memory that one steady training step allocates, bytes: on its own thread and in the whole process.
/// </summary>
public sealed record AllocationResult(string Case, string Memory, long ThreadBytes, long ProcessBytes);

/// <summary>
/// Times whole steps, run by run in turn with the peer, so that whatever else the machine does meets both.
/// </summary>
public sealed class StepTable(Ceilings ceilings, int threads, string? python, TextWriter log)
{
    // The just-in-time compiler settles after about thirty calls of a method, of which a short step makes few.
    private const int LeastWarmRuns = 2, MostWarmRuns = 40;
    private const double WarmMilliseconds = 4000;

    // PyTorch's OpenMP threads go on spinning for a while after a step, on the cores that the next one in turn needs.
    private const int PauseMilliseconds = 100;

    // A short step meets the moods of the machine whole: a few more runs find its usual time.
    private const double ShortMilliseconds = 100;
    private const int MoreRunsOfShort = 3;
    private const double LossTolerance = 1e-4, NormTolerance = 1e-2;

    /// <summary>What takes its turn: a way of ours to do a case, and its time in milliseconds.</summary>
    private sealed record Turn(string Who, MemoryMode Memory, bool Average, Func<double> Run);

    /// <summary>What was measured so far.</summary>
    public List<StepResult> Results { get; } = [];

    /// <summary>Allocations of the training cases so far.</summary>
    public List<AllocationResult> Allocations { get; } = [];

    /// <summary>Measures a case, a short one by three times as many runs.</summary>
    public void Measure(StepCase what, int runs)
    {
        log.WriteLine($"steps: {what}, {runs} runs");
        using Device device = DeviceFactory.Open("cpu", threads);
        using TorchPeer? peer = python is null ? null : new TorchPeer(python, what, threads,
            new TorchSetup("cpu", "fp32", TorchMode.Tuned));
        using TorchPeer? plain = python is null ? null : new TorchPeer(python, what, threads,
            new TorchSetup("cpu", "fp32", TorchMode.Plain));
        List<Turn> turns = [];
        using IDisposable step = what.Training ? Training(what, device, turns) : Sampling(what, device, turns);
        using IDisposable? averaging = what.Training ? Averaging(what, device, turns) : null;
        using Workers team = new(threads);
        List<double>[] times = [.. turns.Select(static _ => new List<double>())];
        List<double> peerTimes = [], plainTimes = [], distances = [];
        long begin = Stopwatch.GetTimestamp();
        for (int warm = 0; warm < (what.Long ? 1 : LeastWarmRuns)
            || (warm < MostWarmRuns && Stopwatch.GetElapsedTime(begin).TotalMilliseconds < WarmMilliseconds); warm++)
        {
            foreach (Turn turn in turns) turn.Run();
        }
        if (turns[0].Run() < ShortMilliseconds) runs *= MoreRunsOfShort;
        peer?.Step();
        plain?.Step();
        for (int run = -1; run < runs; run++)
        {
            Thread.Sleep(PauseMilliseconds);
            double distance = CoreDistance.Nanoseconds(team);
            if (!double.IsNaN(distance)) distances.Add(distance);
            for (int i = 0; i < turns.Count; i++)
            {
                Thread.Sleep(PauseMilliseconds);
                double ms = turns[i].Run();
                if (run >= 0) times[i].Add(ms);
            }
            if (peer is null || plain is null) continue;
            Thread.Sleep(PauseMilliseconds);
            double other = peer.Step();
            Thread.Sleep(PauseMilliseconds);
            double usual = plain.Step();
            if (run < 0) continue;
            peerTimes.Add(other);
            plainTimes.Add(usual);
        }
        double floor = 1e3 * what.FilteredFlops / (ceilings.FmaGflops * 1e9);
        double peerMedian = Median(peerTimes), plainMedian = Median(plainTimes);
        for (int i = 0; i < turns.Count; i++)
        {
            long peak = ChildRun.Start(new ChildRequest(what, turns[i].Memory, 2, threads, turns[i].Average)).PeakBytes;
            Add(turns[i].Who, times[i], peak);
        }
        if (peer is null || plain is null) return;
        Add("PyTorch, tuned", peerTimes, peer.PeakBytes());
        Add("PyTorch, plain", plainTimes, plain.PeakBytes());

        void Add(string who, List<double> each, double peak)
        {
            Timing timing = new([.. each]);
            Results.Add(new StepResult(what.ToString(), who, timing.Median, timing.Min, timing.Runs,
                peerMedian / timing.Median, plainMedian / timing.Median, floor, peak, Median(distances)));
        }
    }

    /// <summary>The part of a report that lists the steps.</summary>
    public string ToMarkdown()
    {
        MarkdownTable table = new("step", "", "median ms", "min ms", "runs", "tuned ÷ this", "plain ÷ this",
            "floor ms", "share of floor", "peak memory MiB", "cores apart ns");
        foreach (StepResult r in Results)
            table.Add(r.Case, r.Who, r.MedianMs, r.MinMs, r.Runs, r.TunedOverThis, r.PlainOverThis, r.FloorMs,
                MarkdownTable.Percent(r.Share), r.PeakBytes / (1 << 20), r.CoresApartNs);
        return table.ToString();
    }

    /// <summary>The part of a report that lists the allocations.</summary>
    public string AllocationsToMarkdown()
    {
        MarkdownTable table = new("step", "memory", "bytes on the calling thread", "bytes in the process");
        foreach (AllocationResult r in Allocations) table.Add(r.Case, r.Memory, (double)r.ThreadBytes,
            (double)r.ProcessBytes);
        return table.ToString();
    }

    private static double Median(List<double> times) => times.Count == 0 ? double.NaN : new Timing([.. times]).Median;

    private TrainingStep Training(StepCase what, Device device, List<Turn> turns)
    {
        TrainingStep step = new(what, device);
        foreach (MemoryMode memory in (MemoryMode[])[MemoryMode.Stored, MemoryMode.Reversible])
            turns.Add(new Turn(memory == MemoryMode.Stored ? "stored" : "reversible", memory, false,
                () => Timing.Once(() => step.Run(memory))));
        (double storedBits, double storedNorm) = step.Differentiate(MemoryMode.Stored);
        (double rebuiltBits, double rebuiltNorm) = step.Differentiate(MemoryMode.Reversible);
        if (Math.Abs(storedBits - rebuiltBits) > LossTolerance
            || Math.Abs(storedNorm / rebuiltNorm - 1) > NormTolerance)
            throw new GlowException(
                $"{what}: stored gives {storedBits} bits/dim and gradient norm {storedNorm}, reversible "
                    + $"{rebuiltBits} and {rebuiltNorm}; they must agree");
        foreach (MemoryMode memory in (MemoryMode[])[MemoryMode.Stored, MemoryMode.Reversible]) Allocations.Add(
            Allocated(what, step, memory));
        return step;
    }

    private static TrainingStep Averaging(StepCase what, Device device, List<Turn> turns)
    {
        TrainingStep step = new(what, device, average: true);
        turns.Add(new Turn("stored, average kept", MemoryMode.Stored, true,
            () => Timing.Once(() => step.Run(MemoryMode.Stored))));
        return step;
    }

    private static SamplingStep Sampling(StepCase what, Device device, List<Turn> turns)
    {
        SamplingStep step = new(what, device);
        turns.Add(new Turn("sampling", MemoryMode.Stored, false, () => Timing.Once(() => step.Run())));
        return step;
    }

    private static AllocationResult Allocated(StepCase what, TrainingStep step, MemoryMode memory)
    {
        step.Run(memory);
        long thread = GC.GetAllocatedBytesForCurrentThread();
        step.Run(memory);
        thread = GC.GetAllocatedBytesForCurrentThread() - thread;

        // Asking allocates too.
        long before = GC.GetTotalAllocatedBytes(precise: true),
            asking = GC.GetTotalAllocatedBytes(precise: true) - before;
        before = GC.GetTotalAllocatedBytes(precise: true);
        step.Run(memory);
        long process = GC.GetTotalAllocatedBytes(precise: true) - before - asking;
        return new AllocationResult(what.ToString(), memory == MemoryMode.Stored ? "stored" : "reversible", thread,
            process);
    }
}
