namespace GlowGpu.Kernels.Host;

/// <summary>
/// Memory that an operation keeps between calls: it grows to the largest size asked for and stays, so that repeating a
/// call allocates nothing. Pinned, so that its address is good for the lifetime of this object.
/// </summary>
internal sealed unsafe class KeptMemory<T> where T : unmanaged
{
    private T[] array = [];

    /// <summary>The address of at least <paramref name="count"/> elements of arbitrary contents, good until the next call.</summary>
    public T* Take(long count)
    {
        if (array.Length < count) array = GC.AllocateUninitializedArray<T>(checked((int)count), pinned: true);
        fixed (T* address = array) return address;
    }
}
