namespace GlowGpu.Kernels.Host;

/// <summary>
/// Keeps the workers of a team on different cores. A thread that is woken may be put on the core of the one that woke
/// it, and stay for milliseconds: each then waits for the other to be taken off, in every operation. A worker that
/// finds itself on the core of one before it forbids itself the cores of the others; the first worker, the caller's
/// own thread, is never touched.
/// </summary>
internal sealed class CorePlacement
{
    private const int Words = 16, Bits = 64;

    private readonly int[] cores;
    private readonly ulong[] allowed = new ulong[Words];
    private readonly bool active;

    /// <summary>For a team of so many workers, on the cores that the calling thread may use.</summary>
    public CorePlacement(int workers)
    {
        cores = new int[workers];
        Array.Fill(cores, -1);
        Linux.GetAllowedCores(allowed);
        active = workers > 1 && workers <= allowed.Sum(static word => (int)ulong.PopCount(word)) && Linux.Core >= 0;
    }

    /// <summary>
    /// To be called by a worker when it begins; what it moves away from is where the workers before it were last
    /// seen.
    /// </summary>
    public void Settle(int worker)
    {
        if (!active) return;
        int core = Linux.Core;
        if (cores.AsSpan(0, worker).Contains(core))
        {
            Span<ulong> mask = stackalloc ulong[Words];
            allowed.CopyTo(mask);
            for (int other = 0; other < cores.Length; other++)
            {
                int taken = Volatile.Read(ref cores[other]);
                if (other != worker && (uint)taken < Words * Bits) mask[taken / Bits] &= ~(1UL << (taken % Bits));
            }
            Linux.SetAllowedCores(mask);
            core = Linux.Core;
        }
        if (cores[worker] != core) Volatile.Write(ref cores[worker], core);
    }
}
