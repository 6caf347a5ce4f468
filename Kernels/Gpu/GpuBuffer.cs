using ILGPU;
using ILGPU.Runtime;

namespace GlowGpu.Kernels.Gpu;

/// <summary>Zeroed float32 memory of a GPU.</summary>
public sealed class GpuBuffer : IBuffer
{
    private readonly GpuContext gpu;
    private readonly MemoryBuffer1D<float, Stride1D.Dense> memory;

    internal GpuBuffer(GpuContext gpu, long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        this.gpu = gpu;
        Length = length;
        memory = AllocateMemory(gpu, Math.Max(length, 1));
        memory.MemSetToZero(gpu.Stream);
    }

    /// <inheritdoc/>
    public long Length { get; }

    internal ArrayView<float> Memory
    {
        get
        {
            ObjectDisposedException.ThrowIf(memory.IsDisposed, this);
            return memory.View;
        }
    }

    /// <summary>
    /// Copies host values to <c>[offset, offset + source.Length)</c>, after the work queued so far. The source may be
    /// changed as soon as this returns.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The range does not lie inside the buffer.</exception>
    public unsafe void Write(long offset, ReadOnlySpan<float> source)
    {
        Check(offset, source.Length);
        if (gpu.Recording is { } recording)
        {
            // The work is to run again, and the place of the upload could not be waited for.
            recording.Spoil("values were written from the host");
            return;
        }
        gpu.Accelerator.Bind();
        while (!source.IsEmpty)
        {
            Span<float> part = gpu.Uploads.Take(source.Length);
            source[..part.Length].CopyTo(part);
            fixed (float* first = part) Memory.SubView(offset, part.Length).CopyFromCPUUnsafeAsync(gpu.Stream,
                ref *first, part.Length);
            source = source[part.Length..];
            offset += part.Length;
        }
    }

    /// <inheritdoc/>
    public unsafe void Read(long offset, Span<float> target)
    {
        Check(offset, target.Length);
        if (target.IsEmpty) return;
        if (gpu.Recording is not null)
            throw new InvalidOperationException("gpu: work that is being recorded has no values to read yet");
        gpu.Accelerator.Bind();
        fixed (float* first = target)
        {
            Memory.SubView(offset, target.Length).CopyToCPUUnsafeAsync(gpu.Stream, ref *first, target.Length);
            gpu.Synchronize();
        }
    }

    /// <summary>Waits for the work that may still use the memory and frees it.</summary>
    public void Dispose() => gpu.Release(memory);

    /// <exception cref="OutOfMemoryException">The device has no block of that size left.</exception>
    internal static MemoryBuffer1D<float, Stride1D.Dense> AllocateMemory(GpuContext gpu, long length)
    {
        try
        {
            MemoryBuffer1D<float, Stride1D.Dense> memory = gpu.Accelerator.Allocate1D<float>(length);
            gpu.CountAllocation();
            return memory;
        }
        catch (AcceleratorException e)
        {
            throw new OutOfMemoryException(
                $"{gpu.Accelerator.Name}: no {length * sizeof(float) / (1024.0 * 1024.0):0.#} MiB of device memory "
                    + "are left in one block; a smaller batch or --memory reversible needs less", e);
        }
    }

    private void Check(long offset, int count)
    {
        if (offset < 0 || offset + count > Length)
            throw new ArgumentOutOfRangeException(nameof(offset),
                $"buffer: [{offset}, {offset + count}) does not lie inside {Length} elements");
    }
}
