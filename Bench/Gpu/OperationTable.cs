using System.Text;
using GlowGpu.Bench.Ops;
using GlowGpu.Bench.Report;
using GlowGpu.Bench.Roofline;
using GlowGpu.Engine;

namespace GlowGpu.Bench.Gpu;

/// <summary>
/// An operation at a shape in a precision, by us and by the libraries. Null: not measured; the note says why.
/// </summary>
internal sealed record OperationRow(
    string Shape, string Operation, string Precision, double? MedianMs, double? MinMs, int Runs, double? Tflops,
        double? GigabytesPerSecond,
    double? FloorMs, double? Share, double? Error, string? Note, IReadOnlyList<PeerResult> Peers, bool HasPeer)
{
    /// <summary>A row from a timing.</summary>
    public static OperationRow Of(string shape, string operation, string precision, Timing timing, Cost cost,
        DeviceCeilings ceilings, double error,
        IReadOnlyList<PeerResult> peers, bool hasPeer)
    {
        double floor = ceilings.Floor(cost, precision);
        double? known = double.IsNaN(floor) ? null : floor;
        return new OperationRow(shape, operation, precision, timing.Median, timing.Min, timing.Runs,
            cost.Flops == 0 ? null : cost.Flops / timing.Median / 1e9, cost.Bytes / timing.Median / 1e6, known,
                known / timing.Median, error, null, peers, hasPeer);
    }

    /// <summary>A row without a time of ours.</summary>
    public static OperationRow Without(string shape, string operation, string precision, string? note,
        IReadOnlyList<PeerResult> peers, bool hasPeer) =>
        new(shape, operation, precision, null, null, 0, null, null, null, null, null, note, peers, hasPeer);
}

/// <summary>Times operations and products at every shape, ours and the libraries'.</summary>
internal sealed class OperationTable(IReadOnlyList<DeviceUnderTest> devices, Device host, PeerLibraries libraries,
    PeerMeasurement peers,
    DeviceCeilings ceilings, IReadOnlyList<string> precisions, int runs, List<string> failures, TextWriter log)
{
    /// <summary>Operations measured so far.</summary>
    public List<OperationRow> Operations { get; } = [];

    /// <summary>Products measured so far.</summary>
    public List<OperationRow> Products { get; } = [];

    /// <summary>Every operation at a shape.</summary>
    public void MeasureOperations(OpShape shape)
    {
        log.WriteLine($"operations: {shape}");
        foreach (string precision in precisions)
        {
            IReadOnlyList<(PeerWork Work, PeerResult Result)> others = peers.Measure(shape, precision);
            DeviceUnderTest? device = devices.FirstOrDefault(d => d.Precision == precision);
            if (device is null && others.Count == 0) continue;
            foreach (Func<OpBench> make in OpBench.All)
            {
                OpBench bench = make();
                if (bench.Applies(shape)) Measure(bench, shape, precision, device, others);
            }
        }
    }

    /// <summary>The nine products of a coupling network at a shape.</summary>
    public void MeasureProducts(OpShape shape)
    {
        log.WriteLine($"products: {shape}");
        foreach (ProductShape product in ProductShape.Of(Model.GlowParameters.Network(shape.Config, shape.Level),
            shape.Pixels.Count))
        {
            foreach (string precision in precisions)
            {
                List<PeerResult> others = libraries.Cublas is { } cublas
                    ? [peers.Products(cublas, precision, product)] : [];
                DeviceUnderTest? device = devices.FirstOrDefault(d => d.Precision == precision);
                if (device is null && others.Count == 0) continue;
                Products.Add(device is null
                    ? OperationRow.Without(shape.ToString(), product.ToString(), precision, null, others, true)
                    : Measure(product, shape, device, others));
            }
        }
    }

    /// <summary>The part of a report that lists rows.</summary>
    public static string ToMarkdown(IEnumerable<OperationRow> rows, string missingPeer)
    {
        StringBuilder text = new();
        foreach (IGrouping<string, OperationRow> shape in rows.GroupBy(static r => r.Shape))
        {
            MarkdownTable table = new("operation", "precision", "ours ms", "min ms", "runs", "TFLOP/s", "GB/s",
                "floor ms", "share of floor", "error",
                "peer", "peer ms", "peer ÷ ours", "peer error");
            foreach (OperationRow r in shape)
            {
                object[] ours =
                [
                    r.Operation, r.Precision, Cell(r.MedianMs), Cell(r.MinMs), r.Runs == 0 ? "–" : r.Runs,
                        r.Tflops is null && r.MedianMs is not null ? "" : Cell(r.Tflops),
                    Cell(r.GigabytesPerSecond), Cell(r.FloorMs), MarkdownTable.Percent(r.Share ?? double.NaN),
                        Small(r.Error),
                ];
                if (r.Peers.Count == 0) table.Add([.. ours, r.HasPeer ? missingPeer : "the copy", "–", "–", "–"]);
                for (int i = 0; i < r.Peers.Count; i++)
                {
                    PeerResult peer = r.Peers[i];
                    table.Add([.. i == 0 ? ours : [r.Operation, r.Precision, "", "", "", "", "", "", "", ""],
                        peer.Name, Cell(peer.MedianMs), Cell(peer.MedianMs / r.MedianMs), Small(peer.Error)]);
                }
            }
            text.Append($"\n{shape.Key}\n\n{table}");
        }
        return text.ToString();
    }

    private static object Cell(double? value) => value ?? double.NaN;

    private static string Small(double? value) => value is { } v ? v.ToString("0.#e+0",
        System.Globalization.CultureInfo.InvariantCulture) : "–";

    private void Measure(OpBench bench, OpShape shape, string precision, DeviceUnderTest? device,
        IReadOnlyList<(PeerWork Work, PeerResult Result)> others)
    {
        OpBench right = OpBench.All.Select(static make => make()).First(b => b.GetType() == bench.GetType());
        (bench.Shape, right.Shape) = (shape, shape);
        string name = $"{bench.GetType().Name}, {shape}";
        List<OperationRow> rows = [];
        string? note = null;
        try
        {
            right.Setup(host);
            if (device is not null)
            {
                bench.Setup(device.Device);
                double error = Compare(bench, right, name, precision);
                foreach (OpRun run in bench.Runs())
                    rows.Add(OperationRow.Of(shape.ToString(), run.Name, precision,
                        device.Clock.Measure(run.Action, runs), run.Cost, ceilings, error, Same(run), HasPeer(run)));
                bench.CheckFinite();
            }
        }
        catch (Exception e) when (Failures.CanBeReported(e))
        {
            failures.Add(note = $"{name}, {precision}: {e.Message}");
            rows.Clear();
        }
        finally
        {
            if (rows.Count == 0)
                rows.AddRange(right.Runs().Where(run => note is not null || Same(run).Length > 0)
                    .Select(run => OperationRow.Without(shape.ToString(), run.Name, precision, note, Same(run),
                    HasPeer(run))));
            Operations.AddRange(rows);
            bench.Cleanup();
            right.Cleanup();
        }

        PeerResult[] Same(OpRun run) => [.. others.Where(o => o.Work == run.Peer && HasPeer(run))
            .Select(static o => o.Result)];

        static bool HasPeer(OpRun run) => run.Peer != PeerWork.None;
    }

    private static double Compare(OpBench bench, OpBench right, string name, string precision)
    {
        double error = 0;
        for (int i = 0; i < right.Values.Count; i++)
            error = Math.Max(error, RelativeError.Accept($"{name}, operand {i}", precision,
                RelativeError.Of(bench.Values[i].ToArray(), right.Values[i].ToArray())));
        return error;
    }

    private OperationRow Measure(ProductShape product, OpShape shape, DeviceUnderTest device, List<PeerResult> others)
    {
        try
        {
            using ProductOperands operands = new(device.Backend, product, bf16: false);
            OurProduct ours = OurProduct.Of(device.Backend, product, operands);
            Timing timing = device.Clock.Measure(ours.Queue, runs);
            ours.Finish();
            double error = RelativeError.Accept($"our product {product}", device.Precision, operands.Error());
            return OperationRow.Of(shape.ToString(), product.ToString(), device.Precision, timing,
                product.Cost(device.Precision), ceilings, error, others, true);
        }
        catch (Exception e) when (Failures.CanBeReported(e))
        {
            failures.Add($"{product}, {shape}: {e.Message}");
            return OperationRow.Without(shape.ToString(), product.ToString(), device.Precision, e.Message,
                others, true);
        }
    }
}
