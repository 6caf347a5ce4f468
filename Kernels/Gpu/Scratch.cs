using ILGPU;
using ILGPU.Runtime;

namespace GlowGpu.Kernels.Gpu;

/// <summary>The temporaries of operations; two that are alive at the same time need two slots.</summary>
internal enum ScratchSlot
{
    Patches,
    Taps,
    FirstHidden,
    SecondHidden,
    FirstGradient,
    SecondGradient,
    Slices,
    Partials,
    PerImage,
    ChannelMaps,
}

/// <summary>
/// Device memory for temporaries, one block per slot that only grows, so that a repeated step allocates nothing. Its
/// contents are arbitrary and last until the slot is asked for again.
/// </summary>
internal sealed class Scratch(GpuContext gpu) : IDisposable
{
    private readonly MemoryBuffer1D<float, Stride1D.Dense>?[] blocks =
        new MemoryBuffer1D<float, Stride1D.Dense>?[Enum.GetValues<ScratchSlot>().Length];

    /// <summary>A dense <c>[rows, cols]</c> matrix.</summary>
    public Matrix Take(ScratchSlot slot, int rows, int cols)
    {
        long length = (long)rows * cols;
        gpu.ThrowIfTooLong(length);
        ref MemoryBuffer1D<float, Stride1D.Dense>? block = ref blocks[(int)slot];
        if (block is null || block.Length < length)
        {
            if (block is not null) gpu.Release(block);
            // Nothing is kept when the allocation fails.
            block = null;
            block = GpuBuffer.AllocateMemory(gpu, Math.Max(length, 1));
        }
        return new Matrix(block.View.SubView(0, length), cols);
    }

    public void Dispose()
    {
        foreach (MemoryBuffer1D<float, Stride1D.Dense>? block in blocks) block?.Dispose();
        Array.Clear(blocks);
    }
}
