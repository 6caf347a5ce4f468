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

    /// <inheritdoc/>
    public void Dispose()
    {
        Arena.Dispose();
        Backend.Dispose();
    }
}
