using System.Text;
using Spectre.Console;

namespace GlowGpu.App.Console;

/// <summary>
/// Where a command writes: results to <see cref="Out"/>, progress, logs and errors to <see cref="Error"/>.
/// </summary>
/// <param name="output">standard output</param>
/// <param name="error">standard error</param>
/// <param name="live">a terminal behind standard error that can redraw lines, or null</param>
/// <param name="stop">signalled by Ctrl-C</param>
internal sealed class Terminal(TextWriter output, TextWriter error, IAnsiConsole? live, CancellationToken stop)
{
    /// <summary>Results.</summary>
    public TextWriter Out { get; } = output;

    /// <summary>Progress, logs, errors.</summary>
    public TextWriter Error { get; } = error;

    /// <summary>What a live display draws on; null when standard error is no terminal.</summary>
    public IAnsiConsole? Live { get; } = live;

    /// <summary>Signalled when the user asks to stop.</summary>
    public CancellationToken Stop { get; } = stop;

    /// <summary>The terminal of this process.</summary>
    public static Terminal System(CancellationToken stop)
    {
        // Numbers and file names may hold characters that a legacy code page lacks.
        global::System.Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(global::System.Console.Error),
        });
        bool redraws = !global::System.Console.IsErrorRedirected
            && console.Profile.Capabilities is { Ansi: true, Interactive: true };
        return new Terminal(global::System.Console.Out, global::System.Console.Error, redraws ? console : null, stop);
    }

    /// <summary>One line of progress or advice.</summary>
    public void Log(string line) => Error.WriteLine(line);

    /// <summary>A table or other rendering on <see cref="Out"/>; colours only when that is a terminal.</summary>
    public void Render(Spectre.Console.Rendering.IRenderable renderable)
    {
        bool real = ReferenceEquals(Out, global::System.Console.Out);
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(Out),
            Ansi = real && !global::System.Console.IsOutputRedirected ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = real && !global::System.Console.IsOutputRedirected ? ColorSystemSupport.Detect
                : ColorSystemSupport.NoColors,
        });
        // A file or pipe has no width; wrapping a path there would break it.
        if (!real || global::System.Console.IsOutputRedirected) console.Profile.Width = 200;
        console.Write(renderable);
    }
}
