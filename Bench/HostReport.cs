using System.Text.Json;
using System.Text.Json.Serialization;
using GlowGpu.Bench.Ops;
using GlowGpu.Bench.Peers;
using GlowGpu.Bench.Report;
using GlowGpu.Bench.Roofline;
using GlowGpu.Bench.Steps;
using GlowGpu.Engine;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Bench;

/// <summary>Everything measured of the host backend, as <c>host.md</c>, <c>host.json</c> and <c>host.png</c>.</summary>
public static class HostReport
{
    private static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    private static readonly string[] AllParts = ["operations", "steps", "memory", "threads"];

    /// <summary>How much of it.</summary>
    private sealed record Effort(
        int CeilingRuns, int OperationRuns, double LeastMilliseconds, IReadOnlyList<OpShape> Shapes,
        IReadOnlyList<StepCase> Cases, int StepRuns, int LongRuns, int[] Depths, int ScalingRuns)
    {
        public static Effort Full { get; } = new(7, 7, 20, OpShape.All, StepCase.All, 7, 3, [4, 8, 16, 32, 64], 5);

        public static Effort Quick { get; } = new(2, 3, 2, [OpShape.All[1], OpShape.All[^1]],
            [.. StepCase.All.Select(static c => c with { Depth = c.Width > 128 ? 1 : 2 })], 3, 2, [1, 2, 4], 3);
    }

    // What narrows the vectors of both programs, so that the command says it.
    private static string Settings() =>
        string.Concat(((string[])["DOTNET_EnableAVX512", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY"])
        .Where(static name => Environment.GetEnvironmentVariable(name) is { Length: > 0 })
        .Select(static name => $"{name}={Environment.GetEnvironmentVariable(name)} "));

    /// <summary>Measures and writes; returns the exit code.</summary>
    public static int Run(string[] arguments)
    {
        bool quick = false;
        string[] parts = AllParts;
        string folder = Path.Combine("Bench", "Results");
        for (int i = 0; i < arguments.Length; i++)
        {
            if (arguments[i] == "--quick") quick = true;
            else if (arguments[i] == "--out" && i + 1 < arguments.Length) folder = arguments[++i];
            else if (arguments[i] == "--parts" && i + 1 < arguments.Length) parts = arguments[++i].Split(',');
            else throw new GlowException(
                $"host: '{arguments[i]}' is not an option; there are --quick, --parts and --out FOLDER");
        }
        if (Array.Find(parts, static p => !AllParts.Contains(p)) is { } unknown)
            throw new GlowException($"host: '{unknown}' is not a part; there are {string.Join(", ", AllParts)}");
        Effort effort = quick ? Effort.Quick : Effort.Full;
        Machine machine = Machine.Describe();
        string command = $"{Settings()}dotnet run -c Release --project Bench -- "
            + $"host{(arguments.Length > 0 ? " " + string.Join(' ', arguments) : "")}";
        TextWriter log = Console.Error;
        int threads = HostProcessor.PhysicalCores;

        (string Python, string Version)? torch = TorchPeer.Find();
        string peer = "Peer not present: no Python with torch was found ($GLOW_PYTHON, /usr/bin/python3, python3).";
        if (torch is { } found)
            peer = $"Peer: `Bench/Peers/glow_torch.py` on PyTorch {found.Version}, {threads} threads; its own "
                + $"check: `{TorchPeer.Check(found.Python, threads)}`";
        log.WriteLine(peer);

        log.WriteLine("ceilings");
        Ceilings ceilings = Ceilings.Measure(threads, effort.CeilingRuns);
        List<OperationResult> operations = !parts.Contains("operations") ? []
            : RooflineTable.Measure(ceilings, effort.Shapes, effort.OperationRuns, effort.LeastMilliseconds, log);
        StepTable steps = new(ceilings, threads, torch?.Python, log);
        foreach (StepCase what in parts.Contains("steps") ? effort.Cases : []) steps.Measure(what,
            what.Long ? effort.LongRuns : effort.StepRuns);
        List<DepthMemoryResult> memory = !parts.Contains("memory") ? [] : DepthMemory.Measure(effort.Depths, threads,
            log);
        List<ScalingResult> scaling = !parts.Contains("threads") ? []
            : [.. effort.Cases.Where(static c => c.Training).SelectMany(c => ThreadScaling.Measure(c, threads,
            effort.ScalingRuns, log))];

        Directory.CreateDirectory(folder);
        string quickly = quick ? "\n**A quick run: depths are cut and runs are few. For development only.**\n" : "";
        List<string> sections = [$"# Host backend, measured\n\n`{command}`\n\n{machine}\n\n{peer}\n{quickly}",
            $"## Ceilings\n\n{ceilings.ToMarkdown()}"];
        if (operations.Count > 0) sections.Add($"## Operations\n{RooflineTable.ToMarkdown(operations)}");
        if (steps.Results.Count > 0) sections.Add($"## Whole steps\n\n{steps.ToMarkdown()}");
        if (memory.Count > 0)
        {
            string lacks = DepthMemory.Draw(memory, Path.Combine(folder, "host.png")) is { } sentence
                ? sentence + "\n\n" : "";
            sections.Add(
                $"## Memory against depth\n\nOne level of 16×16 pixels and 12 channels, width 512, batch 8.\n\n"
                + $"![peak memory against depth](host.png)\n\n{lacks}{DepthMemory.ToMarkdown(memory)}");
        }
        if (scaling.Count > 0) sections.Add($"## Threads\n\n{ThreadScaling.ToMarkdown(scaling)}");
        if (steps.Allocations.Count > 0) sections.Add(
            $"## Managed allocations of one steady training step\n\n{steps.AllocationsToMarkdown()}");
        sections.Add("What every column means: [Bench/README.md](../README.md).\n");
        AtomicFile.WriteText(Path.Combine(folder, "host.md"), string.Join('\n', sections));
        AtomicFile.WriteText(Path.Combine(folder, "host.json"), JsonSerializer.Serialize(new
        {
            command,
            quick,
            machine,
            peer = torch?.Version,
            ceilings,
            operations,
            steps = steps.Results,
            memory,
            scaling,
            allocations = steps.Allocations,
        }, Json) + "\n");
        log.WriteLine($"written to {folder}");
        return 0;
    }
}
