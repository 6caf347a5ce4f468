using System.Text.Json.Serialization;
using GlowGpu.Bench.Report;
using GlowGpu.Bench.Steps;
using GlowGpu.Kernels.Gpu;

namespace GlowGpu.Bench.Gpu;

/// <summary>What a run found, as JSON and as Markdown.</summary>
internal sealed class GpuFindings
{
    /// <summary>How to repeat it.</summary>
    public required string Command { get; init; }

    /// <summary>Small shapes and few runs.</summary>
    public required bool Quick { get; init; }

    /// <summary>Host, commit and date.</summary>
    public required Machine Machine { get; init; }

    /// <summary>The device's name.</summary>
    public string Device { get; set; } = "";

    /// <summary>What its driver says of it.</summary>
    public IReadOnlyDictionary<string, string> Properties { get; set; } = new Dictionary<string, string>();

    /// <summary>How time was taken.</summary>
    public string Clock { get; set; } = "";

    /// <summary>cuDNN's version and place, or why it was not measured.</summary>
    public string Cudnn { get; set; } = "";

    /// <summary>cuBLASLt's.</summary>
    public string Cublas { get; set; } = "";

    /// <summary>PyTorch's.</summary>
    public string Torch { get; set; } = "not asked for";

    /// <summary>Ceilings.</summary>
    public DeviceCeilings Ceilings { get; set; } = new(0, 0, [], []);

    /// <summary>Operations.</summary>
    public IReadOnlyList<OperationRow> Operations { get; set; } = [];

    /// <summary>Products.</summary>
    public IReadOnlyList<OperationRow> Products { get; set; } = [];

    /// <summary>Whole steps.</summary>
    [JsonIgnore]
    public StepMeasurement? Steps { get; set; }

    /// <summary>The same for JSON.</summary>
    public IReadOnlyList<StepRow> StepRows => Steps?.Rows ?? [];

    /// <summary>Memory against depth.</summary>
    public IReadOnlyList<DepthMemoryResult> Memory { get; set; } = [];

    /// <summary>What a reader should know.</summary>
    public List<string> Notes { get; } = [];

    /// <summary>What of ours failed or was wrong.</summary>
    public List<string> Failures { get; } = [];

    /// <summary>Takes down the device and the libraries.</summary>
    public void Describe(DeviceUnderTest device, PeerLibraries libraries)
    {
        Device = device.Backend.Name;
        IEnumerable<ProbedDevice> probed = device.Backend.Accelerator is ILGPU.Runtime.Cuda.CudaAccelerator
            ? DeviceProbe.Cuda() : DeviceProbe.OpenCl();
        Properties = probed.FirstOrDefault(d => d.Name == Device)?.Properties ?? Properties;
        Clock = $"{device.Clock.Kind}; {device.Clock.FlushBytes >> 20} MiB written before every run";
        (Cublas, Cudnn) = (libraries.CublasNote, libraries.CudnnNote);
    }

    /// <summary>The report.</summary>
    public string ToMarkdown()
    {
        string properties = string.Join(", ", Properties.Select(static p => $"{p.Key} {p.Value}"));
        List<string> sections =
        [
            $"# {Device}, measured\n\n`{Command}`\n\n{Device}: {properties}.\n\nHost: {Machine}\n\nTime: "
                + $"{Clock}.\n\n* cuDNN: {Cudnn}\n* cuBLASLt: {Cublas}\n* PyTorch: {Torch}\n",
        ];
        if (Quick) sections.Add("**A quick run: shapes are tiny and runs are few. For development only.**\n");
        sections.Add(Failures.Count == 0 ? "Nothing failed; every result was checked.\n"
            : $"## Failed\n\n{Bullets(Failures)}");
        sections.Add($"## Ceilings\n\n{Ceilings.ToMarkdown()}");
        if (Operations.Count > 0) sections.Add(
            $"## Operations\n{OperationTable.ToMarkdown(Operations, Missing("cuDNN or cuBLASLt", Cudnn))}");
        if (Products.Count > 0) sections.Add("## Products of the coupling "
            + $"network\n{OperationTable.ToMarkdown(Products, Missing("cuBLASLt", Cublas))}");
        if (StepRows.Count > 0) sections.Add($"## Whole steps\n\n{Steps!.ToMarkdown()}");
        if (Memory.Count > 0) sections.Add(
            $"## Memory against depth\n\n![peak memory against depth](gpu.png)\n\n{DepthMemory.ToMarkdown(Memory)}");
        List<string> notes = [.. Notes, .. PeerNotes()];
        if (notes.Count > 0) sections.Add($"## Notes\n\n{Bullets(notes)}");
        sections.Add("What every column means: the README of Bench in the sources.\n");
        return string.Join('\n', sections);
    }

    private static string Bullets(IEnumerable<string> lines) =>
        string.Concat(lines.Select(static l => $"* {l.ReplaceLineEndings(" ")}\n"));

    private static string Missing(string who, string note) => note.StartsWith("not measured",
        StringComparison.Ordinal) ? $"no {who}, see above" : "–";

    private IEnumerable<string> PeerNotes() =>
        from row in Operations.Concat(Products)
        from peer in row.Peers
        where peer.Note is not null
        select $"{peer.Name}, {row.Operation}, {row.Precision}, {row.Shape}: {peer.Note}";
}
