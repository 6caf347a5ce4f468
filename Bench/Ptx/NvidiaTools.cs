using System.Diagnostics;
using System.Text.RegularExpressions;

namespace GlowGpu.Bench.Ptx;

/// <summary>
/// NVIDIA's assembler and disassembler, which turn PTX into machine code without a GPU and tell what registers,
/// memory and instructions it takes.
/// </summary>
internal sealed partial class NvidiaTools
{
    private const string Variable = "GLOW_PTXAS";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);
    private static readonly string[] Needed = ["ptxas", "cuobjdump", "nvdisasm"];

    private readonly string folder;

    private NvidiaTools(string folder)
    {
        this.folder = folder;
        Version = ReleaseNumber().Match(Run("ptxas", ["--version"])) is { Success: true } match
            ? match.Groups[1].Value : "unknown";
    }

    /// <summary>Why nothing can be assembled where they are missing.</summary>
    public const string Missing =
        "ptxas, cuobjdump and nvdisasm were not found together: put them on the PATH or name their folder in "
            + $"{Variable} (Tests/get-ptxas.sh fetches them on Debian)";

    /// <summary>The release of the CUDA toolkit that they are of, e.g. 11.8.89.</summary>
    public string Version { get; }

    /// <summary>
    /// Those in the folder that the environment names, on the PATH, or where get-ptxas.sh leaves them; null if there
    /// are none.
    /// </summary>
    public static NvidiaTools? Find()
    {
        string cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } named
            ? named
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
        string?[] folders =
        [
            Environment.GetEnvironmentVariable(Variable),
            .. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator),
            Path.Combine(cache, "glow", "ptxas"),
        ];
        string? found = folders.FirstOrDefault(static f =>
            !string.IsNullOrEmpty(f) && Needed.All(tool => File.Exists(Path.Combine(f, Executable(tool)))));
        return found is null ? null : new NvidiaTools(found);
    }

    /// <summary>Assembles PTX that holds one kernel.</summary>
    /// <param name="ptx">the source</param>
    /// <param name="capability">compute capability times ten: 80 for sm_80</param>
    /// <exception cref="InvalidOperationException">A tool refuses its input or hangs.</exception>
    public AssembledKernel Assemble(string ptx, int capability)
    {
        string work = Directory.CreateTempSubdirectory("glow-ptx").FullName;
        try
        {
            string source = Path.Combine(work, "kernel.ptx"), code = Path.Combine(work, "kernel.cubin");
            File.WriteAllText(source, ptx);
            string report = Run("ptxas", [$"-arch=sm_{capability}", "-v", source, "-o", code]);
            return AssembledKernel.Parse(report, Run("cuobjdump", ["-sass", code]));
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }

    private static string Executable(string tool) => OperatingSystem.IsWindows() ? tool + ".exe" : tool;

    /// <summary>What the tool writes to both of its outputs.</summary>
    private string Run(string tool, string[] arguments)
    {
        ProcessStartInfo start = new(Path.Combine(folder, Executable(tool)), arguments)
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        // Where cuobjdump looks for nvdisasm.
        start.Environment["NVDISASM_PATH"] = folder;
        start.Environment["PATH"] = $"{folder}{Path.PathSeparator}{start.Environment["PATH"]}";
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(Patience))
        {
            process.Kill();
            throw new InvalidOperationException($"{tool} did not finish within {Patience}");
        }
        return process.ExitCode == 0
            ? output.Result + errors.Result
            : throw new InvalidOperationException(
            $"{tool} ended with {process.ExitCode}: {errors.Result}{output.Result}");
    }

    [GeneratedRegex(@"release [\d.]+, V([\d.]+)")]
    private static partial Regex ReleaseNumber();
}
