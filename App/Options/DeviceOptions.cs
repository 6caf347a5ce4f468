using System.CommandLine;
using GlowGpu.App.Console;
using GlowGpu.Engine;

namespace GlowGpu.App.Options;

/// <summary>Where a model runs.</summary>
internal sealed class DeviceOptions
{
    private readonly Option<string?> device = Value.Choice("--device",
        "Where to run: auto picks CUDA, then an OpenCL GPU, then the CPU.", "auto", "auto", "cuda", "opencl", "cpu");

    private readonly Option<int?> threads = Value.Number<int>("--threads", "T",
        "CPU threads; all cores unless given. Results do not depend on it.", 1, 1024);

    private readonly Option<bool> noGraph = Value.Flag("--no-graph",
        "Launch every kernel of a step on its own instead of replaying the step as a CUDA graph; results are the same.");

    /// <summary>Adds the options to a verb; <paramref name="graphs"/> says whether it repeats work that a device could replay.</summary>
    public void AddTo(Command command, bool graphs = false)
    {
        command.Add(device);
        command.Add(threads);
        if (graphs) command.Add(noGraph);
    }

    /// <summary>Opens the device; what it has to say of graphs goes to the terminal unless somebody else listens.</summary>
    public Device Open(ParseResult parse, Terminal terminal)
    {
        Device opened = DeviceFactory.Open(parse.GetValue(device)!, parse.GetValue(threads), graphs: !parse.GetValue(noGraph));
        opened.GraphRefused = message => terminal.Log($"warning: {message}");
        return opened;
    }
}
