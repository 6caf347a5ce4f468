using ILGPU;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// <see cref="IChannelAffine"/> on a GPU. Up to 64 channels the memory is what bounds it (8·P·C bytes against 2·P·C²
/// flops: an H100 does 20 flops in the time of a byte, an A100 12), so <see cref="PixelTiles"/> reads and writes each
/// byte once: 8 bytes an element forward, 12 backward, in one pass. Beyond, and where rows do not consist of whole
/// vectors or groups are too small, it is matrix products: one forward; one for dx, one over the pixels in slices for
/// dw and one pass over dy for db backward.
/// </summary>
internal sealed class GpuChannelAffine(GpuContext gpu) : IChannelAffine
{
    private const int GroupsPerMultiprocessor = 8;
    private const int VectorBytes = 16;

    private readonly Tiles small = Tiles.Declare<SmallTileMemory>(gpu);
    private readonly Tiles large = Tiles.Declare<LargeTileMemory>(gpu);

    /// <summary>The kernels for tiles in one size of shared memory, and that size in vectors.</summary>
    private sealed record Tiles(
        int Channels, int Weights, int Pixels, Kernel<PixelTileArguments> Apply, Kernel<PixelTileArguments> Backward)
    {
        public static Tiles Declare<TMemory>(GpuContext gpu) where TMemory : struct, ITileMemory => new(
            TMemory.Channels, TMemory.Weights, TMemory.Pixels,
            gpu.Declare<PixelTileArguments>(PixelTiles.Apply<TMemory>),
                gpu.Declare<PixelTileArguments>(PixelTiles.Backward<TMemory>));
    }

    /// <inheritdoc/>
    public void Apply(View x, View w, View b, View y)
    {
        Shapes.CheckChannelAffine(x, w, b, y);
        int c = x.Cols;
        View square = w.Reshape(c, c);
        if (x.Rows > 0 && Choose(c, tiles: 1, x, square, b, y) is { } tiles)
        {
            PixelTileArguments arguments = Bind(tiles, x, square);
            arguments.B = gpu.Matrix(b);
            arguments.Y = gpu.Matrix(y);
            Launch(tiles.Apply, Groups(arguments), arguments);
            return;
        }
        gpu.Gemm.MultiplyBias(x.Rows, c, c, gpu.Matrix(x), gpu.Matrix(square), gpu.Matrix(b), gpu.Matrix(y));
    }

    /// <inheritdoc/>
    public void Backward(View dy, View x, View w, View dx, View dw, View db)
    {
        Shapes.CheckChannelAffineBackward(dy, x, w, dx, dw, db);
        int p = x.Rows, c = x.Cols;
        View square = w.Reshape(c, c);
        Matrix dyMatrix = gpu.Matrix(dy), dwMatrix = gpu.Matrix(dw.Reshape(c, c));
        if (p > 0 && (c / 4) * (c / 4) <= gpu.GroupSize && Choose(c, tiles: 2, dy, x, square, dx) is { } tiles)
        {
            PixelTileArguments arguments = Bind(tiles, x, square);
            arguments.Y = dyMatrix;
            arguments.DX = gpu.Matrix(dx);
            int groups = Groups(arguments);
            arguments.Sums = gpu.Scratch.Take(ScratchSlot.Slices, groups, c * (c + 1));
            Launch(tiles.Backward, groups, arguments);
            gpu.Columns.Slices(arguments.Sums, groups, c, c, dwMatrix);
            gpu.Columns.Slices(arguments.Sums.Window(c * c, arguments.Sums.Stride), groups, 1, c, gpu.Matrix(db));
            return;
        }
        gpu.Gemm.MultiplyTransposed(p, c, c, dyMatrix, gpu.Matrix(square), gpu.Matrix(dx));
        (Matrix slices, int count) = gpu.Gemm.TransposedSlices(c, c, p, gpu.Matrix(x), dyMatrix);
        gpu.Columns.Slices(slices, count, c, c, dwMatrix);
        gpu.Columns.Times(dyMatrix, p, c, 1f, gpu.Matrix(db));
    }

    /// <summary>
    /// The kernels whose shared memory holds W and so many tiles, on this device and with these views; null: none.
    /// </summary>
    private Tiles? Choose(int channels, int tiles, params ReadOnlySpan<View> views)
    {
        Tiles chosen = channels <= small.Channels ? small : large;
        return channels <= chosen.Channels && Vectors.WidthOf(views) == 4
            && (chosen.Weights + tiles * chosen.Pixels) * VectorBytes <= gpu.Traits.SharedBytes ? chosen : null;
    }

    private PixelTileArguments Bind(Tiles tiles, View x, View square)
    {
        int vectors = x.Cols / 4;
        // Rows an odd number of vectors apart: eight threads that read eight rows then read from all banks.
        int pitch = vectors % 2 == 0 ? vectors + 1 : vectors;
        int rows = Math.Max(1, Math.Min(gpu.GroupSize / vectors, tiles.Pixels / (4 * pitch)));
        return new()
        {
            X = gpu.Matrix(x),
            Y = gpu.Missing,
            DX = gpu.Missing,
            W = gpu.Matrix(square),
            B = gpu.Missing,
            Sums = gpu.Missing,
            Pixels = x.Rows,
            Tiles = GpuContext.CeilingDivide(x.Rows, 4 * rows),
            Rows = rows,
            Vectors = new Divisor(vectors),
            Pitch = pitch,
            Blocks = new Divisor(vectors * vectors),
            Sets = Math.Max(1, gpu.GroupSize / (vectors * vectors)),
        };
    }

    private int Groups(PixelTileArguments arguments) => Math.Min(arguments.Tiles,
        gpu.Multiprocessors * GroupsPerMultiprocessor);

    private void Launch(Kernel<PixelTileArguments> kernel, int groups, PixelTileArguments arguments) =>
        kernel.Launch(new Index3D(groups, 1, 1), new Index3D(gpu.GroupSize, 1, 1), arguments);
}
