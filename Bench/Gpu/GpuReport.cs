using System.Text.Json;
using System.Text.Json.Serialization;
using GlowGpu.Bench.Ops;
using GlowGpu.Bench.Peers;
using GlowGpu.Bench.Report;
using GlowGpu.Bench.Steps;
using GlowGpu.Engine;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Bench.Gpu;

/// <summary>
/// Everything measured of a GPU beside NVIDIA's libraries and PyTorch, as <c>gpu.md</c>, <c>gpu.json</c> and
/// <c>gpu.png</c>.
/// </summary>
internal static class GpuReport
{
    private static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    /// <summary>How much of it.</summary>
    private sealed record Effort(
        IReadOnlyList<OpShape> Shapes, int Runs, int Product, long CopyBytes, IReadOnlyList<StepCase> Cases,
            int StepRuns, int LongRuns, StepCase Memory, int[] Depths)
    {
        public static Effort Full { get; } = new(OpShape.Gpu, 21, 8192, 1L << 30, StepCase.Gpu, 11, 7,
            StepCase.Gpu[0], [8, 16, 32, 64]);

        public static Effort Quick { get; } = new(OpShape.Quick, 3, 256, 16L << 20, StepCase.Quick, 3, 2,
            StepCase.Quick[0], [1, 2, 4]);
    }

    /// <summary>Measures and writes; 0, or 1 when something failed, which the report lists.</summary>
    public static int Run(string[] arguments)
    {
        GpuOptions options = GpuOptions.Parse(arguments);
        Effort effort = options.Quick ? Effort.Quick : Effort.Full;
        TextWriter log = Console.Error;
        GpuFindings findings = new()
        {
            Command = $"bench gpu{(arguments.Length > 0 ? " " + string.Join(' ', arguments) : "")}",
            Quick = options.Quick,
            Machine = Machine.Describe(),
        };
        using (Device host = DeviceFactory.Open("cpu")) Measure(options, effort, host, findings, log);
        if (options.Parts.Contains("memory"))
            findings.Memory = DepthOnDevice.Measure(options.Device, effort.Memory, effort.Depths, findings.Failures,
                log);
        Directory.CreateDirectory(options.Folder);
        string? lacks = findings.Memory.Count == 0 ? null
            : DepthMemory.Draw(findings.Memory, Path.Combine(options.Folder, "gpu.png"), "peak device memory, MiB");
        if (lacks is not null) findings.Notes.Add(lacks);
        AtomicFile.WriteText(Path.Combine(options.Folder, "gpu.md"), findings.ToMarkdown());
        AtomicFile.WriteText(Path.Combine(options.Folder, "gpu.json"), JsonSerializer.Serialize(findings, Json) + "\n");
        log.WriteLine($"written to {options.Folder}");
        foreach (string failure in findings.Failures) log.WriteLine($"failed: {failure}");
        return findings.Failures.Count == 0 ? 0 : 1;
    }

    private static void Measure(GpuOptions options, Effort effort, Device host, GpuFindings findings, TextWriter log)
    {
        IReadOnlyList<string> offered = PrecisionDevice.Ours(options.Device);
        List<string> ours = [.. options.Precisions.Where(offered.Contains)];
        if (ours.Count == 0)
            throw new GlowException($"gpu: none of the precisions asked for is one that device {options.Device} "
                + $"has; there {(offered.Count == 1 ? "is" : "are")} {string.Join(", ", offered)}");
        List<DeviceUnderTest> devices = [];
        try
        {
            foreach (string precision in ours) devices.Add(new DeviceUnderTest(options.Device, precision,
                options.Quick));
            using PeerLibraries libraries = new(devices[0].Backend, log);
            findings.Describe(devices[0], libraries);
            PeerMeasurement peers = new(libraries, host, devices[0].Clock, effort.Runs);
            log.WriteLine("ceilings");
            findings.Ceilings = DeviceCeilings.Measure(devices, peers, libraries, options.Precisions, effort.Product,
                effort.CopyBytes, effort.Runs, findings.Notes);
            OperationTable table = new(devices, host, libraries, peers, findings.Ceilings, options.Precisions,
                effort.Runs, findings.Failures, log);
            foreach (OpShape shape in options.Parts.Contains("operations") ? effort.Shapes
                : []) table.MeasureOperations(shape);
            foreach (OpShape shape in options.Parts.Contains("products") ? effort.Shapes
                : []) table.MeasureProducts(shape);
            (findings.Operations, findings.Products) = (table.Operations, table.Products);
        }
        finally
        {
            foreach (DeviceUnderTest device in devices) device.Dispose();
        }
        StepMeasurement steps = new(options.Device, findings.Ceilings, findings.Failures, log);
        findings.Steps = steps;
        foreach (StepCase what in options.Parts.Contains("steps") ? effort.Cases : []) steps.Measure(what, ours,
            what.Long ? effort.LongRuns : effort.StepRuns);
        if (options.Parts.Contains("pytorch")) MeasureTorch(options, effort, steps, findings, log);
    }

    // On an OpenCL device PyTorch has nothing to run on but the processor; a quick run has it do so, which is how the
    // path is tried out.
    private static void MeasureTorch(GpuOptions options, Effort effort, StepMeasurement steps, GpuFindings findings,
        TextWriter log)
    {
        if (options.Device != "cuda" && !options.Quick)
        {
            findings.Torch = $"not measured: PyTorch has no {options.Device} device";
            return;
        }
        if (TorchPeer.Find() is not { } found)
        {
            findings.Torch = "not measured: no Python with torch was found "
                + $"({string.Join(", ", TorchPeer.Candidates)}); $GLOW_PYTHON may name one";
            return;
        }
        string device = options.Device == "cuda" ? "cuda" : "cpu";
        int threads = HostProcessor.PhysicalCores;
        try
        {
            findings.Torch = $"PyTorch {found.Version} on {device}; its own check: "
                + $"`{TorchPeer.Check(found.Python, threads, device)}`";
        }
        catch (GlowException e)
        {
            findings.Torch = $"not measured: {e.Message}";
            return;
        }
        log.WriteLine(findings.Torch);
        foreach (StepCase what in effort.Cases)
            steps.MeasureTorch(what, found.Python, device, options.Precisions, threads, what.Long ? effort.LongRuns
                : effort.StepRuns);
    }
}
