using System.Runtime.InteropServices;

namespace GlowGpu.Kernels.Host;

/// <summary>
/// Zeroed native memory, aligned to a cache line or a large page, that the host kernels address by pointer.
/// </summary>
public sealed unsafe class HostBuffer : IBuffer
{
    // Smaller buffers are few pages, and not worth sharing a block for.
    private const nuint Alignment = 64, LeastShared = 1 << 16;
    private readonly LargePages? shared;
    private float* data;

    /// <summary>Allocates <paramref name="length"/> zeroed elements.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Negative length.</exception>
    /// <exception cref="OutOfMemoryException">The system has no memory of that size left.</exception>
    public HostBuffer(long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        Length = length;
        nuint bytes = checked((nuint)Math.Max(length, 1) * sizeof(float));
        if (OperatingSystem.IsLinux() && bytes is >= LeastShared and < Linux.HugePage)
        {
            (shared, nint address) = LargePages.Take(bytes);
            data = (float*)address;
        }
        else
        {
            data = (float*)NativeMemory.AlignedAlloc(bytes, OperatingSystem.IsLinux() && bytes >= Linux.HugePage
                ? Linux.HugePage : Alignment);
            Linux.AdviseHuge(data, bytes);
        }
        NativeMemory.Clear(data, bytes);
    }

    /// <inheritdoc/>
    public long Length { get; }

    /// <summary>First element.</summary>
    public float* Pointer => data is not null ? data : throw new ObjectDisposedException(nameof(HostBuffer));

    /// <inheritdoc/>
    public Span<float> Elements => Length <= int.MaxValue ? new(Pointer, (int)Length) : [];

    /// <summary>Address of a view's first element.</summary>
    public static float* Address(View view) => ((HostBuffer)view.Buffer).Pointer + view.Offset;

    /// <inheritdoc/>
    public void Write(long offset, ReadOnlySpan<float> source)
    {
        Check(offset, source.Length);
        source.CopyTo(new Span<float>(Pointer + offset, source.Length));
    }

    /// <inheritdoc/>
    public void Read(long offset, Span<float> target)
    {
        Check(offset, target.Length);
        new ReadOnlySpan<float>(Pointer + offset, target.Length).CopyTo(target);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (data is null) return;
        if (shared is not null) shared.Return();
        else NativeMemory.AlignedFree(data);
        data = null;
    }

    private void Check(long offset, int count)
    {
        if (offset < 0 || offset + count > Length)
            throw new ArgumentOutOfRangeException(nameof(offset),
                $"buffer: [{offset}, {offset + count}) does not lie inside {Length} elements");
    }
}
