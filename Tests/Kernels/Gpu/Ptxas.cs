using System.Diagnostics;

namespace GlowGpu.Tests.Kernels.Gpu;

/// <summary>NVIDIA's assembler, which turns PTX into machine code without a GPU and tells what registers it took.</summary>
internal sealed class Ptxas(string path)
{
    private const string Variable = "GLOW_PTXAS";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    /// <summary>Why a test that needs it is skipped.</summary>
    public const string Missing =
        $"ptxas was not found: put it on the PATH or name its folder in {Variable} (Tests/get-ptxas.sh fetches it on Debian)";

    /// <summary>The one in the folder that the environment names, on the PATH, or where get-ptxas.sh leaves it.</summary>
    public static Ptxas? Find()
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
        string name = OperatingSystem.IsWindows() ? "ptxas.exe" : "ptxas";
        string? found = folders.Where(static f => !string.IsNullOrEmpty(f)).Select(f => Path.Combine(f!, name)).FirstOrDefault(File.Exists);
        return found is null ? null : new Ptxas(found);
    }

    /// <summary>Assembles and returns what ptxas reports of registers, stack and spills.</summary>
    /// <exception cref="InvalidOperationException">ptxas refuses the source or hangs.</exception>
    public string Assemble(string source, string architecture)
    {
        string folder = Directory.CreateTempSubdirectory("glow-ptx").FullName;
        try
        {
            string input = Path.Combine(folder, "kernel.ptx");
            File.WriteAllText(input, source);
            using Process process = Process.Start(new ProcessStartInfo(path,
                [$"-arch={architecture}", "-v", input, "-o", Path.Combine(folder, "kernel.cubin")])
            {
                RedirectStandardError = true,
            })!;
            Task<string> report = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(Patience))
            {
                process.Kill();
                throw new InvalidOperationException($"ptxas did not finish within {Patience}");
            }
            return process.ExitCode == 0
                ? report.Result
                : throw new InvalidOperationException($"ptxas ended with {process.ExitCode}: {report.Result}");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
