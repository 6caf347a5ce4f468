using GlowGpu.Kernels;

namespace GlowGpu.Engine;

/// <summary>A backend together with the arena that a model's tensors live in.</summary>
public sealed class Device(IBackend backend) : IDisposable
{
    /// <summary>The operation set.</summary>
    public IBackend Backend { get; } = backend;

    /// <summary>Recycled memory for activations and gradients.</summary>
    public Arena Arena { get; } = new(backend);

    /// <summary>Short name for people.</summary>
    public string Name => Backend.Name;

    /// <summary>How coupling networks are multiplied.</summary>
    public Precision Precision => Backend.Precision;

    /// <summary>Whether repeated work may be replayed as a graph where the device can.</summary>
    public bool UsesGraphs { get; init; } = true;

    /// <summary>
    /// Why it no longer is although it may, as a sentence for people; null while nothing was refused.
    /// </summary>
    public string? GraphRefusal { get; private set; }

    /// <summary>Hears <see cref="GraphRefusal"/> when there is one.</summary>
    public Action<string>? GraphRefused { get; set; }

    /// <summary>Records repeated work; null when it may not or cannot be.</summary>
    internal IWorkRecorder? Recorder => UsesGraphs && GraphRefusal is null ? Backend.Recorder : null;

    /// <summary>Ends the recording of work for good.</summary>
    internal void RefuseGraphs(string reason)
    {
        GraphRefusal = $"steps are no longer replayed as a CUDA graph, because {reason}; they run launch by launch, "
            + "with the same results";
        GraphRefused?.Invoke(GraphRefusal);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Arena.Dispose();
        Backend.Dispose();
    }
}
