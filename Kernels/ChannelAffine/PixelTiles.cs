using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime;

namespace GlowGpu.Kernels.Gpu;

/// <summary>Shared memory of <see cref="PixelTiles"/>, in vectors of four floats.</summary>
internal interface ITileMemory
{
    /// <summary>Most channels.</summary>
    static abstract int Channels { get; }

    /// <summary>W.</summary>
    static abstract int Weights { get; }

    /// <summary>One tile of pixels.</summary>
    static abstract int Pixels { get; }
}

/// <summary>Up to 32 channels: 22 KiB forward, 40 KiB backward.</summary>
internal struct SmallTileMemory : ITileMemory
{
    public static int Channels => 32;
    public static int Weights => 256;
    public static int Pixels => 1152;
}

/// <summary>Up to 64 channels: 32 KiB forward, 48 KiB backward.</summary>
internal struct LargeTileMemory : ITileMemory
{
    public static int Channels => 64;
    public static int Weights => 1024;
    public static int Pixels => 1024;
}

/// <summary>
/// Arguments of the kernels of <see cref="PixelTiles"/>; all lengths along channels are in vectors of four.
/// </summary>
internal struct PixelTileArguments
{
    /// <summary>Forward: x and y. Backward: x, dy and dx.</summary>
    public Matrix X, Y, DX;
    public Matrix W, B;

    /// <summary>Backward: a row of dw and db for each group.</summary>
    public Matrix Sums;

    /// <summary>
    /// Number of pixels, of tiles, and of threads' rows in a tile, which has four times as many pixels.
    /// </summary>
    public int Pixels, Tiles, Rows;

    /// <summary>Vectors of a pixel, and of its place in shared memory.</summary>
    public Divisor Vectors;
    public int Pitch;

    /// <summary>Vectors² blocks of dw, and how many threads share each, pixel by pixel.</summary>
    public Divisor Blocks;
    public int Sets;
}

/// <summary>
/// The channel GEMM on tiles of whole pixels. A group keeps W in shared memory and walks over tiles: it copies one
/// there, vector by vector as it lies in memory, so that each byte of x is read once, and a thread computes four
/// channels of four pixels, 64 multiply-adds for eight 128-bit reads of shared memory. Up to 64 channels, a multiple
/// of four. Every sum over channels runs in ascending order from zero, bias last, like a product of
/// <see cref="GpuGemm"/>.
/// <para>
/// Backward reads dy and x once: dx as forward with Wᵀ, and each thread adds up one 4×4 block of dw over its pixels, in
/// registers through all its tiles.
/// </para>
/// </summary>
internal static class PixelTiles
{
    /// <summary>y = x·w + b.</summary>
    [Promises("LD.E.128", "ST.E.128", "LDS.128", "STS.128")]
    public static void Apply<TMemory>(PixelTileArguments arguments) where TMemory : struct, ITileMemory
    {
        ArrayView<Lanes> weights = SharedMemory.Allocate<Lanes>(TMemory.Weights).AsAligned(16);
        ArrayView<Lanes> pixels = SharedMemory.Allocate<Lanes>(TMemory.Pixels).AsAligned(16);
        int count = 4 * arguments.Vectors.Value * arguments.Vectors.Value;
        for (int i = Group.IdxX; i < count; i += Group.DimX) weights[i] = Width4.Load(arguments.W, 4 * i);
        for (int tile = Grid.IdxX; tile < arguments.Tiles; tile += Grid.DimX)
        {
            int first = tile * 4 * arguments.Rows;
            Stage(arguments, arguments.X, first, pixels);
            Group.Barrier();
            for (int i = Group.IdxX; i < arguments.Rows * arguments.Vectors.Value; i += Group.DimX)
            {
                int row = arguments.Vectors.Divide(i), n = i - row * arguments.Vectors.Value;
                Multiply(arguments, pixels, weights, row, n, out Block sum);
                Lanes bias = Width4.Load(arguments.B, 4 * n);
                Block.AddRow(ref sum, bias);
                Store(arguments, arguments.Y, first + row, n, sum);
            }
            Group.Barrier();
        }
    }

    /// <summary>dx = dy·wᵀ, and the group's part of dw = xᵀ·dy and db = Σ dy.</summary>
    [Promises("LD.E.128", "ST.E.128", "LDS.128", "STS.128")]
    public static void Backward<TMemory>(PixelTileArguments arguments) where TMemory : struct, ITileMemory
    {
        ArrayView<Lanes> weights = SharedMemory.Allocate<Lanes>(TMemory.Weights).AsAligned(16);
        ArrayView<Lanes> x = SharedMemory.Allocate<Lanes>(TMemory.Pixels).AsAligned(16);
        ArrayView<Lanes> dy = SharedMemory.Allocate<Lanes>(TMemory.Pixels).AsAligned(16);
        StageTransposed(arguments, weights);

        int set = arguments.Blocks.Divide(Group.IdxX), block = Group.IdxX - set * arguments.Blocks.Value;
        int rowBlock = arguments.Vectors.Divide(block), colBlock = block - rowBlock * arguments.Vectors.Value;
        Block dw = default;
        Lanes db = default;
        for (int tile = Grid.IdxX; tile < arguments.Tiles; tile += Grid.DimX)
        {
            int first = tile * 4 * arguments.Rows;
            Stage(arguments, arguments.X, first, x);
            Stage(arguments, arguments.Y, first, dy);
            Group.Barrier();
            for (int i = Group.IdxX; i < arguments.Rows * arguments.Vectors.Value; i += Group.DimX)
            {
                int row = arguments.Vectors.Divide(i), n = i - row * arguments.Vectors.Value;
                Multiply(arguments, dy, weights, row, n, out Block sum);
                Store(arguments, arguments.DX, first + row, n, sum);
            }
            if (set < arguments.Sets)
            {
                for (int p = set; p < 4 * arguments.Rows; p += arguments.Sets)
                {
                    Lanes g = dy[p * arguments.Pitch + colBlock];
                    Block.AddOuter(ref dw, x[p * arguments.Pitch + rowBlock], g);
                    db.A += g.A;
                    db.B += g.B;
                    db.C += g.C;
                    db.D += g.D;
                }
            }
            Group.Barrier();
        }

        // The sets of threads add their blocks one after the other, where the pixels lay.
        for (int turn = 0; turn < arguments.Sets; turn++)
        {
            if (set == turn)
            {
                Deposit(x, (4 * rowBlock) * arguments.Vectors.Value + colBlock, dw.R0, turn);
                Deposit(x, (4 * rowBlock + 1) * arguments.Vectors.Value + colBlock, dw.R1, turn);
                Deposit(x, (4 * rowBlock + 2) * arguments.Vectors.Value + colBlock, dw.R2, turn);
                Deposit(x, (4 * rowBlock + 3) * arguments.Vectors.Value + colBlock, dw.R3, turn);
                if (rowBlock == 0) Deposit(dy, colBlock, db, turn);
            }
            Group.Barrier();
        }
        int weightCount = 4 * arguments.Vectors.Value * arguments.Vectors.Value, at = Grid.IdxX * arguments.Sums.Stride;
        for (int i = Group.IdxX; i < weightCount; i += Group.DimX) Width4.Store(arguments.Sums, at + 4 * i, x[i]);
        for (int i = Group.IdxX; i < arguments.Vectors.Value; i += Group.DimX)
            Width4.Store(arguments.Sums, at + 4 * (weightCount + i), dy[i]);
    }

    /// <summary>A tile of pixels; zeros beyond the last.</summary>
    private static void Stage(PixelTileArguments arguments, Matrix source, int first, ArrayView<Lanes> target)
    {
        for (int i = Group.IdxX; i < 4 * arguments.Rows * arguments.Vectors.Value; i += Group.DimX)
        {
            int row = arguments.Vectors.Divide(i), n = i - row * arguments.Vectors.Value;
            Lanes value = default;
            if (first + row < arguments.Pixels) value = Width4.Load(source, (first + row) * source.Stride + 4 * n);
            target[row * arguments.Pitch + n] = value;
        }
    }

    private static void StageTransposed(PixelTileArguments arguments, ArrayView<Lanes> weights)
    {
        ArrayView<float> target = weights.Cast<float>();
        int channels = 4 * arguments.Vectors.Value;
        for (int i = Group.IdxX; i < channels * arguments.Vectors.Value; i += Group.DimX)
        {
            Lanes value = Width4.Load(arguments.W, 4 * i);
            int row = arguments.Vectors.Divide(i), col = 4 * (i - row * arguments.Vectors.Value);
            target[col * channels + row] = value.A;
            target[(col + 1) * channels + row] = value.B;
            target[(col + 2) * channels + row] = value.C;
            target[(col + 3) * channels + row] = value.D;
        }
    }

    /// <summary>
    /// Four channels of the pixels row, row + Rows, …: neighbouring threads read neighbouring rows, which lie in
    /// different banks.
    /// </summary>
    private static void Multiply(PixelTileArguments arguments, ArrayView<Lanes> pixels, ArrayView<Lanes> weights,
        int row, int n,
        out Block sum)
    {
        sum = default;
        int step = arguments.Rows * arguments.Pitch, at = row * arguments.Pitch;
        for (int k = 0; k < arguments.Vectors.Value; k++)
        {
            Lanes x0 = pixels[at + k], x1 = pixels[at + step + k], x2 = pixels[at + 2 * step + k],
                x3 = pixels[at + 3 * step + k];
            int w = 4 * k * arguments.Vectors.Value + n;
            Block.AddOuter(ref sum, new() { A = x0.A, B = x1.A, C = x2.A, D = x3.A }, weights[w]);
            Block.AddOuter(ref sum, new() { A = x0.B, B = x1.B, C = x2.B, D = x3.B },
                weights[w + arguments.Vectors.Value]);
            Block.AddOuter(ref sum, new() { A = x0.C, B = x1.C, C = x2.C, D = x3.C },
                weights[w + 2 * arguments.Vectors.Value]);
            Block.AddOuter(ref sum, new() { A = x0.D, B = x1.D, C = x2.D, D = x3.D },
                weights[w + 3 * arguments.Vectors.Value]);
        }
    }

    private static void Store(PixelTileArguments arguments, Matrix target, int pixel, int n, Block sum)
    {
        StoreRow(arguments, target, pixel, n, sum.R0);
        StoreRow(arguments, target, pixel + arguments.Rows, n, sum.R1);
        StoreRow(arguments, target, pixel + 2 * arguments.Rows, n, sum.R2);
        StoreRow(arguments, target, pixel + 3 * arguments.Rows, n, sum.R3);
    }

    private static void StoreRow(PixelTileArguments arguments, Matrix target, int pixel, int n, Lanes value)
    {
        if (pixel < arguments.Pixels) Width4.Store(target, pixel * target.Stride + 4 * n, value);
    }

    private static void Deposit(ArrayView<Lanes> target, int index, Lanes value, int turn)
    {
        Lanes sum = value;
        if (turn > 0)
        {
            Lanes before = target[index];
            sum = new()
            {
                A = before.A + value.A,
                B = before.B + value.B,
                C = before.C + value.C,
                D = before.D + value.D
            };
        }
        target[index] = sum;
    }

    /// <summary>4 × 4 floats in registers.</summary>
    private struct Block
    {
        public Lanes R0, R1, R2, R3;

        /// <summary>Adds the outer product of a column and a row.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void AddOuter(ref Block sum, Lanes column, Lanes row)
        {
            AddScaled(ref sum.R0, column.A, row);
            AddScaled(ref sum.R1, column.B, row);
            AddScaled(ref sum.R2, column.C, row);
            AddScaled(ref sum.R3, column.D, row);
        }

        /// <summary>Adds a row to each row.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void AddRow(ref Block sum, Lanes row)
        {
            AddScaled(ref sum.R0, 1f, row);
            AddScaled(ref sum.R1, 1f, row);
            AddScaled(ref sum.R2, 1f, row);
            AddScaled(ref sum.R3, 1f, row);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void AddScaled(ref Lanes sum, float factor, Lanes row)
        {
            sum.A += factor * row.A;
            sum.B += factor * row.B;
            sum.C += factor * row.C;
            sum.D += factor * row.D;
        }
    }
}
