using System.CommandLine;
using GlowGpu.App.Console;
using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.App.Options;

/// <summary>Where a model runs.</summary>
internal sealed class DeviceOptions
{
    private readonly Option<string?> device = Value.Choice("--device",
        "Where to run: auto picks CUDA, then an OpenCL GPU, then the CPU.", "auto", "auto", "cuda", "opencl", "cpu");

    private readonly Option<int?> threads = Value.Number<int>("--threads", "T",
        "CPU threads; all cores unless given. Results do not depend on it.", 1, 1024);

    private readonly Option<string?> precision = Value.Choice("--precision",
        "How coupling networks are multiplied; tf32 on CUDA devices with tensor cores and fp32 elsewhere unless "
            + "given. Parameters and flow variables are fp32 in any case.",
        null, [.. Enum.GetValues<Precision>().Select(DeviceFactory.Word)]);

    private readonly Option<bool> noGraph = Value.Flag("--no-graph",
        "Launch every kernel of a step on its own instead of replaying the step as a CUDA graph; results are the "
            + "same.");

    /// <summary>
    /// Adds the options to a verb; <paramref name="graphs"/> says whether it repeats work that a device could replay.
    /// </summary>
    public void AddTo(Command command, bool graphs = false)
    {
        command.Add(device);
        command.Add(threads);
        command.Add(precision);
        if (graphs) command.Add(noGraph);
    }

    /// <summary>
    /// Opens the device; what it has to say of graphs goes to the terminal unless somebody else listens.
    /// </summary>
    public Device Open(ParseResult parse, Terminal terminal) => Open(parse, Given(parse), terminal);

    /// <summary>
    /// Opens the device for a run in <paramref name="folder"/> that was started with a precision and keeps it.
    /// </summary>
    /// <exception cref="UsageException">Another precision is given.</exception>
    public Device OpenAgain(ParseResult parse, Precision kept, string folder, Terminal terminal)
    {
        if (Given(parse) is Precision given && given != kept)
            throw new UsageException($"--precision is {DeviceFactory.Word(given)}, but the run in {folder} was "
                + $"started with {DeviceFactory.Word(kept)}; leave --precision out or start a new run");
        return Open(parse, kept, terminal);
    }

    private Device Open(ParseResult parse, Precision? chosen, Terminal terminal)
    {
        Device opened = DeviceFactory.Open(parse.GetValue(device)!, parse.GetValue(threads), chosen,
            graphs: !parse.GetValue(noGraph));
        opened.GraphRefused = message => terminal.Log($"warning: {message}");
        return opened;
    }

    private Precision? Given(ParseResult parse) =>
        parse.GetValue(precision) is string word ? Enum.Parse<Precision>(word, ignoreCase: true) : null;
}
