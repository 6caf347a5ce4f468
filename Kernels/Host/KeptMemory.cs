namespace GlowGpu.Kernels.Host;

/// <summary>
/// Memory that an operation keeps between calls: it grows to the largest size asked for and stays, so that repeating a
/// call allocates nothing. Pinned, so that its address is good for the lifetime of this object, and aligned to a
/// cache line.
/// </summary>
internal sealed unsafe class KeptMemory<T> where T : unmanaged
{
    private const int Alignment = 64;

    private T[] array = [];

    /// <summary>
    /// The address of at least <paramref name="count"/> elements of arbitrary contents, good until the next call.
    /// </summary>
    public T* Take(long count)
    {
        int padding = Alignment / sizeof(T);
        if (array.Length - padding < count)
        {
            // The smaller array may go before the larger one is made.
            array = [];
            array = GC.AllocateUninitializedArray<T>(checked((int)(count + padding)), pinned: true);
            fixed (T* start = array) Linux.AdviseHuge(start, (nuint)array.Length * (nuint)sizeof(T));
        }
        fixed (T* address = array) return (T*)(((nuint)address + Alignment - 1) & ~(nuint)(Alignment - 1));
    }
}
