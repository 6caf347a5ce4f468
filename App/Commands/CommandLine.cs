using System.CommandLine;
using System.CommandLine.Help;
using GlowGpu.App.Console;

namespace GlowGpu.App.Commands;

/// <summary>All verbs together, and how a command line is run.</summary>
internal static class CommandLine
{
    /// <summary>The whole program.</summary>
    public static RootCommand Create(Terminal terminal)
    {
        RootCommand root = new("Exact-likelihood image flows: train, evaluate and sample Glow (Kingma & Dhariwal "
            + "2018), RealNVP and NICE.\n\n"
            + "Start with `glow train`: a small model on a built-in set of drawings, a few minutes on a plain CPU.")
        {
            HelpName = "glow",
        };
        Command[] verbs =
        [
            TrainCommand.Create(terminal),
            EvalCommand.Create(terminal),
            ScoreCommand.Create(terminal),
            EncodeCommand.Create(terminal),
            DecodeCommand.Create(terminal),
            SampleCommand.Create(terminal),
            InterpolateCommand.Create(terminal),
            ReconstructCommand.Create(terminal),
            ImportCommand.Create(terminal),
            ExportCommand.Create(terminal),
            AttributeCommand.Create(terminal),
            AblateCommand.Create(terminal),
            InfoCommand.Create(terminal),
            DevicesCommand.Create(terminal),
        ];
        foreach (Command verb in verbs) root.Add(verb);
        return root;
    }

    /// <summary>Parses and runs; returns the exit code.</summary>
    public static int Run(string[] args, Terminal terminal)
    {
        // No response files: a file name may start with @.
        ParserConfiguration parser = new() { EnablePosixBundling = false, ResponseFileTokenReplacer = null };
        ParseResult parse = Create(terminal).Parse(args, parser);
        if (parse.Action is not HelpAction && parse.Errors.Count > 0)
            return Failure.Usage(terminal, Verb(parse), UsageErrors.Describe(parse));
        // Ctrl-C is ours: training finishes its step and saves.
        InvocationConfiguration invocation = new()
        {
            Output = terminal.Out,
            Error = terminal.Error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
        };
        return Failure.Guard(terminal, Verb(parse), () => parse.Invoke(invocation));
    }

    private static string Verb(ParseResult parse) =>
        UsageErrors.PathOf(parse.CommandResult);
}
