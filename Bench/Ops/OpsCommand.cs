using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Running;

namespace GlowGpu.Bench.Ops;

/// <summary>
/// <c>bench ops</c>: single operations under BenchmarkDotNet. A bundle leaves it out, since it builds programs as it
/// runs.
/// </summary>
internal static class OpsCommand
{
    /// <summary>Runs what the arguments select.</summary>
    public static int Run(string[] arguments)
    {
        BenchmarkSwitcher.FromAssembly(typeof(OpsCommand).Assembly)
            .Run(arguments, DefaultConfig.Instance.AddDiagnoser(MemoryDiagnoser.Default));
        return 0;
    }
}
