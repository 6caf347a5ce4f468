using System.Globalization;
using GlowGpu.Engine;

namespace GlowGpu.Bench;

/// <summary>
/// The device under test, named by environment variables since BenchmarkDotNet measures in processes of its own:
/// <c>GLOW_BENCH_DEVICE</c> (default <c>cpu</c>) and <c>GLOW_BENCH_THREADS</c> (default: every core).
/// </summary>
public static class BenchDevice
{
    private const string Host = "cpu";

    private static string Kind => Environment.GetEnvironmentVariable("GLOW_BENCH_DEVICE") ?? Host;

    /// <summary>Whether it is the host.</summary>
    public static bool IsHost => Kind == Host;

    /// <summary>Opens it.</summary>
    /// <exception cref="GlowException">There is no such device.</exception>
    public static Device Open()
    {
        string? threads = Environment.GetEnvironmentVariable("GLOW_BENCH_THREADS");
        return DeviceFactory.Open(Kind, threads is null ? null : int.Parse(threads, CultureInfo.InvariantCulture));
    }
}
