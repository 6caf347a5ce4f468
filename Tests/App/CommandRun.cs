using System.Text.Json;
using NUnit.Framework;

namespace GlowGpu.Tests.App;

/// <summary>One command line run in this process, with what it printed.</summary>
public sealed record CommandRun(int Code, string Out, string Error)
{
    /// <summary>Runs <c>glow</c> with these arguments.</summary>
    public static CommandRun Of(params string[] args) => Of(CancellationToken.None, args);

    /// <summary>The same with a Ctrl-C.</summary>
    public static CommandRun Of(CancellationToken stop, params string[] args)
    {
        using StringWriter output = new(), error = new();
        int code = GlowGpu.App.Program.Run(args, output, error, stop);
        return new CommandRun(code, output.ToString(), error.ToString());
    }

    /// <summary>Expects success.</summary>
    public CommandRun Succeeds()
    {
        Assert.That(Code, Is.Zero, Error);
        return this;
    }

    /// <summary>Expects exactly this one line on standard error and nothing on standard output.</summary>
    public void Fails(int code, string line)
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Error, Is.EqualTo(line + Environment.NewLine));
            Assert.That(Out, Is.Empty);
            Assert.That(Code, Is.EqualTo(code));
        }
    }

    /// <summary>The one JSON object on standard output; fails when there is anything else.</summary>
    public JsonElement Json()
    {
        Succeeds();
        JsonElement root = JsonDocument.Parse(Out).RootElement;
        Assert.That(root.ValueKind, Is.EqualTo(JsonValueKind.Object));
        return root;
    }
}
