using System.Diagnostics;
using GlowGpu.Tests.Engine;
using GlowGpu.Tests.Model.Training;

namespace GlowGpu.Tests;

/// <summary>
/// Run by the test host this assembly is a library; run on its own it is the process that a test wants to kill, or
/// runs the tests of some categories where there is no SDK.
/// </summary>
internal static class Program
{
    /// <summary>This assembly as a process of its own.</summary>
    public static Process Start(params string[] args)
    {
        ProcessStartInfo start = new("dotnet") { RedirectStandardError = true };
        start.ArgumentList.Add("exec");
        start.ArgumentList.Add(typeof(Program).Assembly.Location);
        foreach (string arg in args) start.ArgumentList.Add(arg);
        return Process.Start(start)!;
    }

    private static int Main(string[] args)
    {
        switch (args)
        {
            case ["save-checkpoints", string folder]:
                CheckpointLoop.Run(folder);
                return 0;
            case ["train", string folder]:
                KilledRun.Continue(folder);
                return 0;
            case ["run", .. string[] categories]:
                return DeviceTestRun.Run(categories);
            default:
                Console.Error.WriteLine(
                    "tests: start them with 'dotnet test', or those of some categories with 'run CATEGORY ...'");
                return 2;
        }
    }
}
