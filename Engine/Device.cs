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

    /// <summary>Whether repeated work may be replayed as a graph where the device can.</summary>
    public bool UsesGraphs { get; init; } = true;

    /// <summary>Why it no longer is although it may, as a clause for people; null while nothing was refused.</summary>
    public string? GraphRefusal { get; internal set; }

    /// <summary>Records repeated work; null when it may not or cannot be.</summary>
    internal IWorkRecorder? Recorder => UsesGraphs && GraphRefusal is null ? Backend.Recorder : null;

    /// <inheritdoc/>
    public void Dispose()
    {
        Arena.Dispose();
        Backend.Dispose();
    }
}
