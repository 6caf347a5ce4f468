using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Bench.Report;

/// <summary>Where and when something was measured, and of what.</summary>
public sealed record Machine(
    string Processor, int Cores, int HardwareThreads, string Vectors, double MemoryGiB, string OperatingSystem,
        string Runtime, string Commit, string Date)
{
    /// <summary>This machine, this commit, now.</summary>
    public static Machine Describe() => new(
        ProcessorName(), HostProcessor.PhysicalCores, Environment.ProcessorCount, HostProcessor.Vectors,
        GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (double)(1 << 30), RuntimeInformation.OSDescription,
        RuntimeInformation.FrameworkDescription, FindCommit(), DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm 'UTC'",
            CultureInfo.InvariantCulture));

    /// <summary>As a line of Markdown.</summary>
    public override string ToString() =>
        $"{Processor}, {Cores} cores ({HardwareThreads} hardware threads), {Vectors}, {MemoryGiB:0.0} GiB; "
            + $"{OperatingSystem}; {Runtime}; commit {Commit}; {Date}";

    private static string ProcessorName()
    {
        const string Path = "/proc/cpuinfo", Key = "model name";
        string? line = File.Exists(Path)
            ? File.ReadLines(Path).FirstOrDefault(static l => l.StartsWith(Key, StringComparison.Ordinal))
            : null;
        return line is null ? RuntimeInformation.ProcessArchitecture.ToString()
            : line[(line.IndexOf(':') + 1)..].Trim();
    }

    private static string FindCommit()
    {
        // A bundle has no repository, and knows what it was made of.
        if (Environment.GetEnvironmentVariable("GLOW_COMMIT") is { Length: > 0 } known) return known;
        if (Git("rev-parse", "--short=12", "HEAD") is not { Length: > 0 } commit) return "unknown (no git repository)";
        return Git("status", "--porcelain", "--untracked-files=no") is { Length: > 0 }
            ? commit + " with uncommitted changes" : commit;
    }

    private static string? Git(params string[] arguments)
    {
        try
        {
            ProcessStartInfo info = new("git",
                arguments)
            { RedirectStandardOutput = true, RedirectStandardError = true };
            using Process process = Process.Start(info)!;
            string output = process.StandardOutput.ReadToEnd().Trim();
            process.WaitForExit();
            return process.ExitCode == 0 ? output : null;
        }
        catch (Win32Exception)
        {
            return null;
        }
    }
}
