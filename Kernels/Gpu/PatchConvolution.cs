namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// The first 3×3 convolution of the coupling network as a product over gathered patches <c>[P, 9·(In + edge)]</c>: the
/// pixel itself and its eight neighbours, zero outside the image, where the edge channel is 1.
/// </summary>
internal sealed class PatchConvolution(GpuContext gpu)
{
    private readonly VectorKernel<Arguments> gather = new(gpu, Gather<Width1>, Gather<Width2>, Gather<Width4>);
    private readonly Kernel<Arguments> scatter = gpu.Declare<Arguments>(Scatter);

    internal struct Arguments
    {
        public Matrix Image, Patches;
        public Divisor Height, W, Channels, PatchChannels, PatchCols;

        /// <summary>Elements written.</summary>
        public int Count;
    }

    /// <summary>Patches <c>[P, 9·(In + edge)]</c> of z <c>[P,In]</c>, in scratch.</summary>
    public Matrix Gather(Pixels pixels, int channels, bool edgeBias, Matrix z)
    {
        int patchChannels = channels + (edgeBias ? 1 : 0), cols = Taps.Count * patchChannels;
        Matrix patches = gpu.Scratch.Take(ScratchSlot.Patches, pixels.Count, cols);
        // Patches lie without gaps, so vectors may span rows; their elements come from wherever they are.
        int count = checked(pixels.Count * cols), width = count % 4 == 0 ? 4 : count % 2 == 0 ? 2 : 1;
        gather.For(width).ForEach(count / width, Bind(pixels, channels, patchChannels, z, patches, count));
        return patches;
    }

    /// <summary>dz[p, c] += Σ_tap dpatches[p − δ, tap, c] over the pixels p − δ inside the image.</summary>
    public void AddGradient(Pixels pixels, int channels, bool edgeBias, Matrix dpatches, Matrix dz)
    {
        int count = checked(pixels.Count * channels);
        scatter.ForEach(count, Bind(pixels, channels, channels + (edgeBias ? 1 : 0), dz, dpatches, count));
    }

    private static Arguments Bind(Pixels pixels, int channels, int patchChannels, Matrix image,
        Matrix patches, int count) => new()
        {
            Image = image,
            Patches = patches,
            Height = new Divisor(pixels.H),
            W = new Divisor(pixels.W),
            Channels = new Divisor(channels),
            PatchChannels = new Divisor(patchChannels),
            PatchCols = new Divisor(Taps.Count * patchChannels),
            Count = count,
        };

    [Promises("ST.E.128", For = typeof(Width4))]
    private static void Gather<TWidth>(Arguments arguments) where TWidth : struct, IWidth
    {
        Lanes value = default, unused = default;
        for (int i = GridStride.First * TWidth.Size; i < arguments.Count; i += GridStride.Step * TWidth.Size)
        {
            GatherOp op = new() { Arguments = arguments, At = i };
            TWidth.Each(ref op, ref value, ref unused, ref unused, ref unused);
            TWidth.Store(arguments.Patches, i, value);
        }
    }

    // The patches' odd number of channels leaves no two rows alike, so this reads float by float; neighbours read
    // neighbours.
    private static void Scatter(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int p = arguments.Channels.Divide(i), c = i - p * arguments.Channels.Value;
            PixelPlace place = new(p, arguments.W, arguments.Height);
            float sum = 0f;
            for (int tap = 0; tap < Taps.Count; tap++)
            {
                if (place.Inside(tap, -1, arguments.W, arguments.Height))
                    sum += arguments.Patches[p - Taps.Offset(tap, arguments.W.Value),
                        tap * arguments.PatchChannels.Value + c];
            }
            arguments.Image[p, c] += sum;
        }
    }

    /// <summary>One element of the patches after the other.</summary>
    private struct GatherOp : ILaneOp
    {
        public Arguments Arguments;
        public int At;

        public void Apply(ref float value, ref float unused, ref float unusedToo, ref float unusedAsWell)
        {
            int p = Arguments.PatchCols.Divide(At), col = At - p * Arguments.PatchCols.Value;
            int tap = Arguments.PatchChannels.Divide(col), c = col - tap * Arguments.PatchChannels.Value;
            bool inside = new PixelPlace(p, Arguments.W, Arguments.Height).Inside(tap, 1, Arguments.W,
                Arguments.Height);
            value = inside ? 0f : 1f;
            if (c < Arguments.Channels.Value)
                value = inside ? Arguments.Image[p + Taps.Offset(tap, Arguments.W.Value), c] : 0f;
            At++;
        }
    }
}
