using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

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
    /// Copies host values to <c>[offset, offset + source.Length)</c>, after the work queued so far. The source may be changed
    /// as soon as this returns.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The range does not lie inside the buffer.</exception>
    public unsafe void Write(long offset, ReadOnlySpan<float> source)
    {
        Check(offset, source.Length);
        if (source.IsEmpty) return;
        fixed (float* first = source)
        {
            Memory.SubView(offset, source.Length).CopyFromCPUUnsafeAsync(gpu.Stream, ref *first, source.Length);
            // CUDA has copied pageable memory away when the call returns; other drivers may read it later.
            if (gpu.Accelerator is not CudaAccelerator) gpu.Stream.Synchronize();
        }
    }

    /// <inheritdoc/>
    public unsafe void Read(long offset, Span<float> target)
    {
        Check(offset, target.Length);
        if (target.IsEmpty) return;
        fixed (float* first = target)
        {
            Memory.SubView(offset, target.Length).CopyToCPUUnsafeAsync(gpu.Stream, ref *first, target.Length);
            gpu.Stream.Synchronize();
        }
    }

    /// <summary>Waits for the work that may still use the memory and frees it.</summary>
    public void Dispose()
    {
        if (memory.IsDisposed) return;
        gpu.Synchronize();
        memory.Dispose();
    }

    /// <exception cref="OutOfMemoryException">The device has no block of that size left.</exception>
    internal static MemoryBuffer1D<float, Stride1D.Dense> AllocateMemory(GpuContext gpu, long length)
    {
        try
        {
            return gpu.Accelerator.Allocate1D<float>(length);
        }
        catch (AcceleratorException e)
        {
            throw new OutOfMemoryException(
                $"{gpu.Accelerator.Name}: no {length * sizeof(float) / (1024.0 * 1024.0):0.#} MiB of device memory are left in one block; a smaller batch or --memory reversible needs less", e);
        }
    }

    private void Check(long offset, int count)
    {
        if (offset < 0 || offset + count > Length)
            throw new ArgumentOutOfRangeException(nameof(offset),
                $"buffer: [{offset}, {offset + count}) does not lie inside {Length} elements");
    }
}
