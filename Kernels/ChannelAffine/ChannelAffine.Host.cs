using System.Runtime.Intrinsics;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

/// <summary>
/// The channel GEMM on the host. x, y and their gradients are read and written in place as rows; only w (both ways
/// round) and, tile by tile, dy are laid out in panels. Backward walks the pixels once: fixed blocks of them each add
/// up their own dw and db, which are then summed in order, so that results do not depend on the number of workers.
/// </summary>
public sealed unsafe class HostChannelAffine : IChannelAffine
{
    // Rows of a tile: 64 × 384 channels of x and dy are 192 KB, inside L2.
    private const int TileRows = 64;

    // A block's dw costs C² additions at the end; at least 32 pixels repay it, and at most 32 blocks bound the memory.
    private const int MinBlock = 32;
    private const int MaxBlocks = 32;

    private readonly Workers workers;
    private readonly HostGemm gemm;
    private readonly KeptMemory<float> scratch = new();

    /// <summary>The operation on a team of workers, with the widest vectors of the processor.</summary>
    public HostChannelAffine(Workers workers) : this(workers, SimdLevels.Best)
    {
    }

    /// <summary>The operation with vectors of a given width.</summary>
    /// <exception cref="NotSupportedException">The processor does not have such vectors.</exception>
    public HostChannelAffine(Workers workers, SimdLevel level)
    {
        this.workers = workers;
        gemm = new HostGemm(level);
    }

    /// <inheritdoc/>
    public void Apply(View x, View w, View b, View y)
    {
        Shapes.CheckChannelAffine(x, w, b, y);
        int channels = x.Cols, padded = Panels.Pad(channels);
        float* packed = scratch.Take(Panels.Length(channels, channels) + padded);
        float* bias = packed + Panels.Length(channels, channels);
        nint panel = (nint)channels * Panels.Width;
        Panels.Copy(HostBuffer.Address(w), channels, channels, channels, packed, panel);
        Panels.ClearPadding(packed, panel, channels, channels);
        Panels.Copy(HostBuffer.Address(b), 0, 1, channels, bias, Panels.Width);
        Panels.ClearPadding(bias, Panels.Width, 1, channels);
        Tiles tiles = new(x.Rows, workers.Count);
        workers.Run(tiles.Count, new ApplyWork
        {
            Gemm = gemm,
            Tiles = tiles,
            Channels = channels,
            X = HostBuffer.Address(x),
            XRow = x.Stride,
            W = packed,
            B = bias,
            Y = HostBuffer.Address(y),
            YRow = y.Stride,
        });
    }

    /// <inheritdoc/>
    public void Backward(View dy, View x, View w, View dx, View dw, View db)
    {
        Shapes.CheckChannelAffineBackward(dy, x, w, dx, dw, db);
        int channels = x.Cols;
        int block = Math.Max((x.Rows + MaxBlocks - 1) / MaxBlocks, MinBlock);
        block = (block + Tiles.Step - 1) / Tiles.Step * Tiles.Step;
        BackwardContext context = new()
        {
            Gemm = gemm,
            Channels = channels,
            Rows = x.Rows,
            Block = block,
            Blocks = (x.Rows + block - 1) / block,
            Parts = workers.Count,
            Dy = HostBuffer.Address(dy),
            DyRow = dy.Stride,
            X = HostBuffer.Address(x),
            XRow = x.Stride,
            Dx = HostBuffer.Address(dx),
            DxRow = dx.Stride,
            Dw = HostBuffer.Address(dw),
            Db = HostBuffer.Address(db),
        };
        long length = context.Place(null, workers.Count);
        context.Place(scratch.Take(length), workers.Count);
        nint panel = (nint)channels * Panels.Width;
        Panels.PackTransposed(HostBuffer.Address(w), channels, channels, channels, null, null, context.WT, panel);
        Panels.ClearPadding(context.WT, panel, channels, channels);
        workers.Run(context.Blocks, new BlockWork { Context = context });
        workers.Run(workers.Count, new ReduceWork { Context = context });
    }

    private struct ApplyWork : IWork
    {
        public HostGemm Gemm;
        public Tiles Tiles;
        public int Channels;
        public float* X, W, B, Y;
        public nint XRow, YRow;

        public readonly void Run(int tile, int worker)
        {
            int first = Tiles.First(tile);
            Product product = Product.OfRows(X + first * XRow, XRow, Tiles.Height(tile), Channels, W, Channels);
            product.ToRows(Y + first * YRow, YRow);
            product.AddBias(B, relu: false);
            Gemm.Multiply(ref product);
        }
    }

    private struct BackwardContext
    {
        public HostGemm Gemm;
        public int Channels, Rows, Block, Blocks, Parts;
        public float* Dy, X, Dx, Dw, Db;
        public nint DyRow, XRow, DxRow;

        /// <summary>wᵀ in panels; a tile of dy in panels for each worker; dw in panels for each block.</summary>
        public float* WT, DyTile, DwBlocks;

        /// <summary>Sums of dy over every sixteen pixels, and over all.</summary>
        public float* Sums;
        public double* Totals;

        public readonly int Padded => Panels.Pad(Channels);

        public readonly nint DwLength => (nint)Panels.Length(Channels, Channels);

        public readonly nint TileLength => (nint)Panels.Length(TileRows, Channels);

        /// <summary>Lays the scratch memory out and returns its length.</summary>
        public long Place(float* start, int workers)
        {
            MemoryLayout layout = new(start);
            WT = layout.Take(DwLength);
            DyTile = layout.Take(workers * TileLength);
            DwBlocks = layout.Take(Blocks * DwLength);
            Sums = layout.Take((long)ColumnSums.Blocks(Rows) * Padded);
            Totals = (double*)layout.Take(2L * Padded);
            return layout.Length;
        }
    }

    /// <summary>dx of one block of pixels, and its part of dw and db.</summary>
    private struct BlockWork : IWork
    {
        public BackwardContext Context;

        public readonly void Run(int block, int worker)
        {
            ref readonly BackwardContext c = ref Context;
            int channels = c.Channels;
            float* tile = c.DyTile + worker * c.TileLength;
            nint panel = TileRows * Panels.Width;
            int first = block * c.Block, end = Math.Min(first + c.Block, c.Rows);
            for (int row = first; row < end; row += TileRows)
            {
                int rows = Math.Min(TileRows, end - row);
                float* dy = c.Dy + row * c.DyRow;
                Product input = Product.OfRows(dy, c.DyRow, rows, channels, c.WT, channels);
                input.ToRows(c.Dx + row * c.DxRow, c.DxRow);
                c.Gemm.Multiply(ref input);

                Panels.Copy(dy, c.DyRow, rows, channels, tile, panel);
                Panels.ClearPadding(tile, panel, rows, channels);
                Product weight = new()
                {
                    A = c.X + row * c.XRow,
                    ARow = 1,
                    AStep = c.XRow,
                    B = tile,
                    BPanel = panel,
                    Block = rows,
                    C = c.DwBlocks + block * c.DwLength,
                    CRow = Panels.Width,
                    CPanel = (nint)channels * Panels.Width,
                    Epilogue = row == first ? Epilogue.Store : Epilogue.Accumulate,
                    M = channels,
                    N = c.Padded,
                    K = rows,
                };
                c.Gemm.Multiply(ref weight);

                float* db = c.Sums + (nint)(row / ColumnSums.Block) * c.Padded;
                for (int j = 0; j < c.Padded; j += Panels.Width)
                    ColumnSums.Sum(tile + j / Panels.Width * panel, rows, db + j, c.Padded);
            }
        }
    }

    /// <summary>A worker's rows of dw, summed over the blocks in order; the first also sums db.</summary>
    private struct ReduceWork : IWork
    {
        public BackwardContext Context;

        public readonly void Run(int part, int worker)
        {
            ref readonly BackwardContext c = ref Context;
            int channels = c.Channels;
            (int first, int end) = Workers.Share(channels, part, c.Parts);
            float* sum = stackalloc float[Panels.Width];
            for (int row = first; row < end; row++)
            {
                for (int column = 0; column < channels; column += Panels.Width)
                {
                    SumBlocks(c.DwBlocks + (nint)column * channels + row * Panels.Width, c.DwLength, c.Blocks, sum);
                    int n = Math.Min(Panels.Width, channels - column);
                    new Span<float>(sum, n).CopyTo(new Span<float>(c.Dw + (nint)row * channels + column, n));
                }
            }
            if (part > 0) return;
            new Span<double>(c.Totals, c.Padded).Clear();
            ColumnSums.Add(c.Sums, c.Padded, ColumnSums.Blocks(c.Rows), 0, channels, c.Totals);
            for (int j = 0; j < channels; j++) c.Db[j] = (float)c.Totals[j];
        }

        private static void SumBlocks(float* first, nint distance, int blocks, float* sum)
        {
            Vector256<float> low = Vector256.Load(first), high = Vector256.Load(first + 8);
            for (int block = 1; block < blocks; block++)
            {
                first += distance;
                low += Vector256.Load(first);
                high += Vector256.Load(first + 8);
            }
            low.Store(sum);
            high.Store(sum + 8);
        }
    }
}
