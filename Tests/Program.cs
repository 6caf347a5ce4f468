using GlowGpu.Tests.Engine;

namespace GlowGpu.Tests;

/// <summary>
/// Run by the test host this assembly is a library; run on its own it is the process that a test wants to kill.
/// </summary>
internal static class Program
{
    private static int Main(string[] args)
    {
        switch (args)
        {
            case ["save-checkpoints", string folder]:
                CheckpointLoop.Run(folder);
                return 0;
            default:
                Console.Error.WriteLine("tests: start them with 'dotnet test'");
                return 2;
        }
    }
}
