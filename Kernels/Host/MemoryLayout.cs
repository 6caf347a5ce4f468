namespace GlowGpu.Kernels.Host;

/// <summary>
/// Lays pieces of memory out one after another, each on a cache line of its own. Run once over a null start it
/// measures, run again over memory of that size it places.
/// </summary>
internal unsafe ref struct MemoryLayout
{
    private readonly float* start;
    private float* next;

    public MemoryLayout(float* start)
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
