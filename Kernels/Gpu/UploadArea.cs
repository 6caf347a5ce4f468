using ILGPU.Runtime;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// Page-locked host memory that copies to the device start from, so that nobody waits for them: values are copied
/// here, the transfer is queued, and the place is free again once the queue has been waited for. It grows to what is
/// written between two waits, up to a limit from which on a write waits for the ones before it.
/// </summary>
internal sealed class UploadArea(GpuContext gpu) : IDisposable
{
    private const int Smallest = 1 << 14, Largest = 1 << 24;

    private float[] area = [];
    private PageLockScope<float>? locked;
    private int used;

    /// <summary>
    /// Room for the first of so many values, at least one; good until the device has been waited for.
    /// </summary>
    public Span<float> Take(int count)
    {
        if (used + count > area.Length && (used > 0 || area.Length < Largest))
        {
            gpu.Synchronize();
            if (count > area.Length / 2 && area.Length < Largest) Grow(count);
        }
        int taken = Math.Min(count, area.Length - used);
        used += taken;
        return area.AsSpan(used - taken, taken);
    }

    /// <summary>All transfers are done.</summary>
    public void Clear() => used = 0;

    public void Dispose() => locked?.Dispose();

    private void Grow(int count)
    {
        locked?.Dispose();
        int length = Math.Max(Smallest, 2 * area.Length);
        while (length < Math.Min(Largest, 2L * count)) length *= 2;
        area = GC.AllocateUninitializedArray<float>(length, pinned: true);
        gpu.CountAllocation();
        unsafe
        {
            fixed (float* first = area) locked = Lock((nint)first, length);
        }
    }

    /// <summary>
    /// Null where the device cannot, or where no more memory may be locked (Windows' Linux subsystem, containers):
    /// copies are as right then, but the driver makes one of its own.
    /// </summary>
    private PageLockScope<float>? Lock(nint first, int length)
    {
        try
        {
            return gpu.Accelerator.CreatePageLockFromPinned<float>(first, length);
        }
        catch (Exception e) when (e is NotSupportedException or AcceleratorException)
        {
            return null;
        }
    }
}
