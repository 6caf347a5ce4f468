using GlowGpu.App.Commands;
using GlowGpu.App.Console;

namespace GlowGpu.App;

/// <summary>The <c>glow</c> program.</summary>
public static class Program
{
    /// <summary>Runs one command line and returns its exit code: 0 success, 1 a failed run, 2 bad usage.</summary>
    public static int Main(string[] args)
    {
        using Interrupt interrupt = new();
        return CommandLine.Run(args, Terminal.System(interrupt.Token));
    }

    /// <summary>
    /// The same inside another process: nothing but the two writers is written to, and neither is taken for a terminal.
    /// </summary>
    public static int Run(string[] args, TextWriter stdout, TextWriter stderr, CancellationToken stop = default) =>
        CommandLine.Run(args, new Terminal(stdout, stderr, live: null, stop));
}
