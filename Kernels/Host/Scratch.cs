namespace GlowGpu.Kernels.Host;

/// <summary>
/// Working memory of one operation: native, aligned to a cache line, of undefined content, and only ever grown, so that
/// an operation that meets the same sizes again allocates nothing. Valid until the next <see cref="Reserve"/>.
/// </summary>
internal sealed unsafe class Scratch : IDisposable
{
    private HostBuffer? buffer;

    /// <summary>Memory of at least so many floats.</summary>
    public float* Reserve(long floats)
    {
        if (buffer is null || buffer.Length < floats)
        {
            buffer?.Dispose();
            buffer = null;
            buffer = new HostBuffer(floats);
        }
        return buffer.Pointer;
    }

    /// <inheritdoc/>
    public void Dispose() => buffer?.Dispose();
}

/// <summary>
/// Lays pieces of memory out one after another, each on a cache line of its own. Run once over a null base it measures,
/// run again over memory of that size it places.
/// </summary>
internal unsafe ref struct ScratchLayout
{
    private readonly float* start;
    private float* next;

    public ScratchLayout(float* start)
    {
        this.start = start;
        next = start;
    }

    /// <summary>Floats laid out so far.</summary>
    public readonly long Length => next - start;

    /// <summary>The next piece.</summary>
    public float* Take(long floats)
    {
        float* piece = next;
        next += (floats + Panels.Width - 1) / Panels.Width * Panels.Width;
        return piece;
    }
}
