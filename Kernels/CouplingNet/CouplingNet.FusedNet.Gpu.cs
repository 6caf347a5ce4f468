using GlowGpu.Kernels.Gpu.TensorCore;
using ILGPU;

namespace GlowGpu.Kernels.Gpu;

/// <summary>Launches <see cref="FusedNetKernel"/> with as many stages of weights as the device has room for.</summary>
internal sealed class FusedNet<TFormat, TWarp>
    where TFormat : struct, ITensorFormat
    where TWarp : struct, IWarpTile
{
    private readonly GpuContext gpu;
    private readonly Kernel<FusedNetArguments>? kernel;
    private readonly int stages, mostBytes;

    public FusedNet(GpuContext gpu)
    {
        this.gpu = gpu;
        if (Declare<FusedStages4>() is { } four) (kernel, stages, mostBytes) = four;
        else if (Declare<FusedStages2>() is { } two) (kernel, stages, mostBytes) = two;
    }

    /// <summary>Whether a network of so many elements a patch and hidden channels can be computed.</summary>
    public bool Fits(int patchCols, int width) => kernel is not null && Bytes(patchCols, width, stages) <= mostBytes;

    /// <summary>Whether there are pixels enough to give every multiprocessor a tile.</summary>
    public bool Fills(int pixels) => GpuContext.CeilingDivide(pixels, TWarp.Rows) >= gpu.Multiprocessors;

    /// <summary>Queues the network up to its taps.</summary>
    public void Forward(Pixels pixels, int channels, int patchCols, Matrix z, FusedLayer first, FusedLayer second,
        FusedLayer last) =>
        kernel!.Launch(
            new Index3D(GpuContext.CeilingDivide(pixels.Count, TWarp.Rows), 1, 1),
            new Index3D(FusedNetKernel.Threads, 1, 1),
            new()
            {
                Z = z,
                H = pixels.H,
                W = pixels.W,
                Channels = channels,
                PatchCols = patchCols,
                M = pixels.Count,
                First = first,
                Second = second,
                Last = last,
                PatchPitch = Pitch(patchCols),
                HiddenPitch = Pitch(first.N),
            },
            Bytes(patchCols, first.N, stages));

    private (Kernel<FusedNetArguments> Kernel, int Stages, int Bytes)? Declare<TStages>() where TStages : struct,
        IFusedStages
    {
        int bytes = Bytes(0, FusedNetKernel.WidestHidden, TStages.Count);
        return bytes > gpu.Traits.SharedBytes
            ? null
            : (gpu.Declare<FusedNetArguments>(FusedNetKernel.Forward<TFormat, TWarp, TStages>, FusedNetKernel.Threads,
            bytes), TStages.Count, bytes);
    }

    private static int Bytes(int patchCols, int width, int stages) =>
        FusedNetKernel.SharedBytes(TWarp.Rows, Pitch(patchCols), Pitch(width), stages);

    // Rows whose chunks are swizzled begin where all banks do.
    private static int Pitch(int cols) => GpuContext.CeilingDivide(cols * TFormat.Bytes, 128) * 128;
}
