using GlowGpu.Engine;

namespace GlowGpu.App.Console;

/// <summary>
/// What a failed command prints and returns. One sentence on standard error; the stack trace only with the environment
/// variable <c>GLOW_DEBUG=1</c>.
/// </summary>
internal static class Failure
{
    /// <summary>A failed run.</summary>
    public const int Failed = 1;

    /// <summary>A command line that cannot be carried out.</summary>
    public const int BadUsage = 2;

    /// <summary>Runs a command and turns what it throws into an exit code.</summary>
    public static int Guard(Terminal terminal, string verb, Func<int> command)
    {
        try
        {
            return command();
        }
        catch (UsageException e)
        {
            Trace(terminal, e);
            return Usage(terminal, verb, e.Message);
        }
        catch (Exception e)
        {
            Trace(terminal, e);
            terminal.Error.WriteLine($"{verb}: {Sentence(e)}");
            return Failed;
        }
    }

    /// <summary>Bad usage, with where to read on.</summary>
    public static int Usage(Terminal terminal, string verb, string sentence)
    {
        terminal.Error.WriteLine($"{verb}: {OneLine(sentence)} (see `{verb} --help`)");
        return BadUsage;
    }

    private static string Sentence(Exception e) => OneLine(e switch
    {
        GlowException => e.Message,
        OperationCanceledException => "stopped before it was done; nothing was written",
        OutOfMemoryException => "out of memory; a smaller --batch or, in training, --memory reversible needs less",
        IOException or UnauthorizedAccessException => e.Message,
        // Weights that no likelihood can be had of; the message names the step.
        ArithmeticException and not (DivideByZeroException or OverflowException) => e.Message,
        _ => $"an internal error, {e.GetType().Name}: {e.Message} (GLOW_DEBUG=1 shows where)",
    });

    private static string OneLine(string text) => text.ReplaceLineEndings(" ").Trim().TrimEnd('.');

    private static void Trace(Terminal terminal, Exception e)
    {
        if (Environment.GetEnvironmentVariable("GLOW_DEBUG") == "1") terminal.Error.WriteLine(e.ToString());
    }
}
