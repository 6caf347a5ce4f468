using System.Globalization;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace GlowGpu.Kernels.Host;

/// <summary>What the host backend wants to know of the processor it runs on.</summary>
public static class HostProcessor
{
    private const string CpuFolder = "/sys/devices/system/cpu";
    private const string ProcessStatus = "/proc/self/status";

    /// <summary>
    /// Cores this process may use, hardware threads of one core counted once: a second thread on a core competes for
    /// the very vector units that these kernels keep busy. Never more than <see cref="Environment.ProcessorCount"/>,
    /// which respects affinity and container limits, and exactly that where the topology is not to be had.
    /// </summary>
    public static int PhysicalCores => Math.Min(Environment.ProcessorCount,
        CountCores(ProcessStatus, CpuFolder) ?? int.MaxValue);

    /// <summary>The vector instructions in use, for people.</summary>
    public static string Vectors =>
        Vector512.IsHardwareAccelerated ? "AVX-512"
        : Avx2.IsSupported ? "AVX2"
        : AdvSimd.IsSupported ? "NEON"
        : Vector128.IsHardwareAccelerated ? "128-bit vectors"
        : "no vector instructions";

    /// <summary>
    /// Distinct (package, core) pairs among the processors that a Linux process status allows, or null when a file is
    /// missing or unreadable.
    /// </summary>
    internal static int? CountCores(string statusFile, string cpuFolder)
    {
        try
        {
            const string Key = "Cpus_allowed_list:";
            string? allowed = File.ReadLines(statusFile).FirstOrDefault(static line => line.StartsWith(Key,
                StringComparison.Ordinal));
            if (allowed is null) return null;
            HashSet<(string, string)> cores = [];
            foreach (int cpu in ParseList(allowed[Key.Length..]))
            {
                string topology = Path.Combine(cpuFolder, $"cpu{cpu}", "topology");
                cores.Add((File.ReadAllText(Path.Combine(topology, "physical_package_id")),
                    File.ReadAllText(Path.Combine(topology, "core_id"))));
            }
            return cores.Count > 0 ? cores.Count : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            return null;
        }
    }

    /// <summary>The numbers of a kernel list such as <c>0-3,8,10-11</c>.</summary>
    private static IEnumerable<int> ParseList(string list)
    {
        foreach (string range in list.Split(',',
            StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            string[] ends = range.Split('-');
            int first = int.Parse(ends[0], CultureInfo.InvariantCulture),
                last = int.Parse(ends[^1], CultureInfo.InvariantCulture);
            for (int cpu = first; cpu <= last; cpu++) yield return cpu;
        }
    }
}
