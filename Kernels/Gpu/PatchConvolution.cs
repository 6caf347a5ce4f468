namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// The first 3×3 convolution of the coupling network as a product over gathered patches <c>[P, 9·(In + edge)]</c>: the
/// pixel itself and its eight neighbours, zero outside the image, where the edge channel is 1.
/// </summary>
internal sealed class PatchConvolution(GpuContext gpu)
{
    private readonly Kernel<Arguments> gather = gpu.Declare<Arguments>(Gather);
    private readonly Kernel<Arguments> scatter = gpu.Declare<Arguments>(Scatter);

    internal struct Arguments
    {
        public Matrix Image, Patches;
        public int Height, W, Channels, PatchChannels, Count;
    }

    /// <summary>Patches <c>[P, 9·(In + edge)]</c> of z <c>[P,In]</c>, in scratch.</summary>
    public Matrix Gather(Pixels pixels, int channels, bool edgeBias, Matrix z)
    {
        int patchChannels = channels + (edgeBias ? 1 : 0), cols = Taps.Count * patchChannels;
        Matrix patches = gpu.Scratch.Take(ScratchSlot.Patches, pixels.Count, cols);
        gather.ForEach(checked(pixels.Count * cols), Bind(pixels, channels, patchChannels, z, patches));
        return patches;
    }

    /// <summary>dz[p, c] += Σ_tap dpatches[p − δ, tap, c] over the pixels p − δ inside the image.</summary>
    public void AddGradient(Pixels pixels, int channels, bool edgeBias, Matrix dpatches, Matrix dz) =>
        scatter.ForEach(checked(pixels.Count * channels),
            Bind(pixels, channels, channels + (edgeBias ? 1 : 0), dz, dpatches));

    private static Arguments Bind(Pixels pixels, int channels, int patchChannels, Matrix image, Matrix patches) => new()
    {
        Image = image,
        Patches = patches,
        Height = pixels.H,
        W = pixels.W,
        Channels = channels,
        PatchChannels = patchChannels,
        Count = pixels.Count,
    };

    private static void Gather(Arguments arguments)
    {
        int cols = Taps.Count * arguments.PatchChannels;
        for (int i = GridStride.First; i < arguments.Count * cols; i += GridStride.Step)
        {
            int p = i / cols, col = i % cols;
            int tap = col / arguments.PatchChannels, c = col % arguments.PatchChannels;
            bool inside = Taps.Inside(p, tap, 1, arguments.Height, arguments.W);
            float value = inside ? 0f : 1f;
            if (c < arguments.Channels)
                value = inside ? arguments.Image[p + Taps.Offset(tap, arguments.W), c] : 0f;
            arguments.Patches[p, col] = value;
        }
    }

    private static void Scatter(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count * arguments.Channels; i += GridStride.Step)
        {
            int p = i / arguments.Channels, c = i % arguments.Channels;
            float sum = 0f;
            for (int tap = 0; tap < Taps.Count; tap++)
            {
                if (Taps.Inside(p, tap, -1, arguments.Height, arguments.W))
                    sum += arguments.Patches[p - Taps.Offset(tap, arguments.W), tap * arguments.PatchChannels + c];
            }
            arguments.Image[p, c] += sum;
        }
    }
}
