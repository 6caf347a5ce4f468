using System.Diagnostics;
using GlowGpu.Bench.Peers;
using GlowGpu.Bench.Report;
using GlowGpu.Bench.Steps;
using GlowGpu.Engine;

namespace GlowGpu.Bench.Gpu;

/// <summary>A whole step by one program. Null: not measured; the note says why.</summary>
/// <param name="Case">which step</param>
/// <param name="Who">ours with a memory mode, or which PyTorch</param>
/// <param name="Precision">of products</param>
/// <param name="MedianMs">median of the runs</param>
/// <param name="MinMs">fastest run</param>
/// <param name="Runs">number of runs</param>
/// <param name="ImagesPerSecond">at the median</param>
/// <param name="Tflops">unavoidable flops at the median</param>
/// <param name="Share">of the product ceiling in that precision</param>
/// <param name="DeviceBytes">device memory taken from the driver, or PyTorch's largest allocation</param>
/// <param name="ArenaBytes">ours: activations and their gradients</param>
/// <param name="Value">bits/dim after the last run, or the mean byte of the samples</param>
/// <param name="Note">why there is no time</param>
internal sealed record StepRow(
    string Case, string Who, string Precision, double? MedianMs, double? MinMs, int Runs, double? ImagesPerSecond,
        double? Tflops, double? Share,
    double? DeviceBytes, double? ArenaBytes, double? Value, string? Note)
{
    /// <summary>A row without a time.</summary>
    public static StepRow Without(StepCase what, string who, string precision, string note) =>
        new(what.ToString(), who, precision, null, null, 0, null, null, null, null, null, null, note);

    /// <summary>A row from a timing.</summary>
    public static StepRow Of(StepCase what, string who, string precision, Timing timing, DeviceCeilings ceilings,
        double? deviceBytes, double? arenaBytes, double value)
    {
        double tflops = what.Flops / timing.Median / 1e9, ceiling = ceilings.Tflops(precision);
        return new StepRow(what.ToString(), who, precision, timing.Median, timing.Min, timing.Runs,
            1e3 * what.Batch / timing.Median, tflops,
            double.IsNaN(ceiling) ? null : tflops / ceiling, deviceBytes, arenaBytes, value, null);
    }
}

/// <summary>
/// Times whole steps on a device, each with a device of its own, so that what it takes of the memory can be told.
/// </summary>
internal sealed class StepMeasurement(string kind, DeviceCeilings ceilings, List<string> failures, TextWriter log)
{
    private const int LeastWarmRuns = 2;
    private const double WarmMilliseconds = 500;

    // Rebuilding and other roundings change the last digits of a loss; a wrong kernel changes the first.
    private const double LossTolerance = 1e-3, LowPrecisionTolerance = 5e-2;

    /// <summary>Steps measured so far.</summary>
    public List<StepRow> Rows { get; } = [];

    /// <summary>A case in every precision of ours and every memory mode.</summary>
    public void Measure(StepCase what, IEnumerable<string> precisions, int runs)
    {
        log.WriteLine($"steps: {what}");
        double? first = null;
        foreach (string precision in precisions)
            foreach (MemoryMode memory in what.Training ? (MemoryMode[])[MemoryMode.Stored, MemoryMode.Reversible]
                : [MemoryMode.Stored])
            {
                string who = !what.Training ? "ours" : memory == MemoryMode.Stored ? "ours, stored"
                    : "ours, reversible";
                try
                {
                    StepRow row = Measure(what, who, precision, memory, runs);
                    double value = row.Value!.Value, tolerance = precision == PrecisionDevice.Single ? LossTolerance
                        : LowPrecisionTolerance;
                    first ??= value;
                    if (what.Training && Math.Abs(value - first.Value) > tolerance)
                        failures.Add($"{what}, {who}, {precision}: the first step's bits/dim is {value} where "
                            + $"another mode has {first}; they must agree to {tolerance}");
                    Rows.Add(row);
                }
                catch (Exception e) when (Failures.CanBeReported(e))
                {
                    // A batch that does not fit is a result.
                    if (e is not OutOfMemoryException) failures.Add($"{what}, {who}, {precision}: {e.Message}");
                    Rows.Add(StepRow.Without(what, who, precision, e.Message));
                }
            }
    }

    /// <summary>PyTorch at a case.</summary>
    public void MeasureTorch(StepCase what, string python, string torchDevice, IEnumerable<string> precisions,
        int threads, int runs)
    {
        foreach (string precision in precisions)
            foreach (TorchMode mode in Enum.GetValues<TorchMode>())
            {
                string who = TorchPeer.Title(mode);
                log.WriteLine($"steps: {what}, {who}, {precision}");
                try
                {
                    using TorchPeer peer = new(python, what, threads, new TorchSetup(torchDevice, precision, mode));
                    Timing timing = Repeat(peer.Step, what, runs);
                    Rows.Add(StepRow.Of(what, who, precision, timing, ceilings, peer.PeakBytes(), null,
                        peer.LastValue));
                }
                catch (GlowException e)
                {
                    Rows.Add(StepRow.Without(what, who, precision, e.Message));
                }
            }
    }

    /// <summary>The part of a report that lists them.</summary>
    public string ToMarkdown()
    {
        MarkdownTable table = new("step", "program", "precision", "median ms", "min ms", "runs", "images/s",
            "TFLOP/s", "share of product ceiling",
            "this ÷ ours", "device memory MiB", "arena MiB", "note");
        foreach (StepRow r in Rows)
            table.Add(r.Case, r.Who, r.Precision, r.MedianMs ?? double.NaN, r.MinMs ?? double.NaN, r.Runs,
                r.ImagesPerSecond ?? double.NaN, r.Tflops ?? double.NaN,
                MarkdownTable.Percent(r.Share ?? double.NaN), r.MedianMs / Ours(r) ?? double.NaN,
                    Mebibytes(r.DeviceBytes), Mebibytes(r.ArenaBytes), r.Note ?? "");
        return table.ToString();
    }

    // The first of our rows: stored, or sampling.
    private double? Ours(StepRow row) =>
        Rows.FirstOrDefault(r => r.Case == row.Case && r.Precision == row.Precision && r.Who.StartsWith("ours",
            StringComparison.Ordinal))?.MedianMs;

    private static object Mebibytes(double? bytes) => bytes / (1 << 20) ?? double.NaN;

    private StepRow Measure(StepCase what, string who, string precision, MemoryMode memory, int runs)
    {
        using Device device = PrecisionDevice.Open(kind, precision);
        long? before = DeviceMemory.FreeBytes(device);
        if (!what.Training)
        {
            using SamplingStep sampling = new(what, device);
            double value = 0;
            Timing sampled = Repeat(() => Timing.Once(() => value = sampling.Run()), what, runs);
            return StepRow.Of(what, who, precision, sampled, ceilings, before - DeviceMemory.FreeBytes(device),
                device.Arena.Bytes, value);
        }
        using TrainingStep step = new(what, device);
        double bits = step.Differentiate(memory).BitsPerDim;
        Timing timing = Repeat(() => Timing.Once(() => step.Run(memory)), what, runs);
        return StepRow.Of(what, who, precision, timing, ceilings, before - DeviceMemory.FreeBytes(device),
            step.ArenaBytes, bits);
    }

    private static Timing Repeat(Func<double> run, StepCase what, int runs)
    {
        long begin = Stopwatch.GetTimestamp();
        for (int warm = 0; warm < LeastWarmRuns
            || (!what.Long && Stopwatch.GetElapsedTime(begin).TotalMilliseconds < WarmMilliseconds); warm++) run();
        double[] times = new double[runs];
        for (int i = 0; i < runs; i++) times[i] = run();
        return new Timing(times);
    }
}
