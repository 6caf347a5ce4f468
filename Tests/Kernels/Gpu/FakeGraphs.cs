using GlowGpu.Kernels.Gpu;
using ILGPU;
using ILGPU.Runtime;

namespace GlowGpu.Tests.Kernels.Gpu;

/// <summary>
/// A driver with stream capture for a device that has none: launches between begin and end are kept with their
/// arguments instead of being run, and run when the graph is launched. A call can be told to fail.
/// </summary>
internal sealed class FakeGraphs(IKernelRunner runner) : IGraphDriver, IKernelRunner
{
    public const int Refused = 801;

    private readonly Dictionary<nint, List<Action>> graphs = [];
    private List<Action>? capturing;
    private nint last;

    /// <summary>Name of the call that fails, if any.</summary>
    public string? Failing { get; set; }

    /// <summary>Captures begun.</summary>
    public int Captures { get; private set; }

    /// <summary>Graphs launched.</summary>
    public int Launches { get; private set; }

    /// <summary>Kernels that ran one by one.</summary>
    public int SingleKernels { get; private set; }

    /// <summary>Graphs and executables made and not yet freed.</summary>
    public int Alive => graphs.Count;

    public Action<AcceleratorStream, KernelConfig, TArguments> Load<TArguments>(Action<TArguments> method)
        where TArguments : struct
    {
        if (capturing is not null) throw new InvalidOperationException("a kernel is loaded during a capture");
        Action<AcceleratorStream, KernelConfig, TArguments> launch = runner.Load(method);
        return (stream, config, arguments) =>
        {
            if (capturing is null)
            {
                SingleKernels++;
                launch(stream, config, arguments);
                return;
            }
            capturing.Add(() => launch(stream, config, arguments));
        };
    }

    public int BeginCapture()
    {
        Captures++;
        if (Fails(nameof(BeginCapture))) return Refused;
        capturing = [];
        return 0;
    }

    public int CaptureStatus(out int status)
    {
        status = Fails(nameof(CaptureStatus)) ? 2 : 1;
        return 0;
    }

    public int EndCapture(out nint graph)
    {
        graph = 0;
        List<Action> captured = capturing!;
        capturing = null;
        if (Fails(nameof(EndCapture))) return Refused;
        graph = Keep(captured);
        return 0;
    }

    public int Instantiate(nint graph, out nint executable)
    {
        executable = 0;
        if (Fails(nameof(Instantiate))) return Refused;
        executable = Keep(graphs[graph]);
        return 0;
    }

    public int Launch(nint executable)
    {
        if (Fails(nameof(Launch))) return Refused;
        Launches++;
        foreach (Action kernel in graphs[executable]) kernel();
        return 0;
    }

    public int DestroyGraph(nint graph) => graphs.Remove(graph) ? 0 : Refused;

    public int DestroyExecutable(nint executable) => graphs.Remove(executable) ? 0 : Refused;

    private bool Fails(string call) => Failing == call;

    private nint Keep(List<Action> kernels)
    {
        graphs[++last] = kernels;
        return last;
    }
}
