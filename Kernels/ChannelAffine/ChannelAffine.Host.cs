using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

/// <summary>
/// The channel GEMM on the host. x, y and their gradients are read and written in place as rows; only w (both ways round) and, tile by
/// tile, dy are laid out in panels. Backward walks the pixels once: fixed blocks of them each add up their own dw and
/// db, which are then summed in order, so that results do not depend on the number of workers.
/// </summary>
public sealed unsafe class HostChannelAffine : IChannelAffine, IDisposable
{
    // Rows of a tile: 64 × 384 channels of x and dy are 192 KB, inside L2.
    private const int TileRows = 64;

    // A block's dw costs C² additions at the end; at least 32 pixels repay it, and at most 32 blocks bound the memory.
    private const int MinBlock = 32;
    private const int MaxBlocks = 32;

    private readonly Workers workers;
    private readonly HostGemm gemm;
    private readonly Scratch scratch = new();

    /// <summary>The operation on a team of workers, with this machine's widest vectors.</summary>
    public HostChannelAffine(Workers workers) : this(workers, SimdLevels.Best)
    {
    }

    /// <summary>The operation with vectors of a given width.</summary>
    /// <exception cref="NotSupportedException">The machine does not have such vectors.</exception>
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
        float* packed = scratch.Reserve(Panels.Length(channels, channels) + padded);
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
        context.Place(scratch.Reserve(length), workers.Count);
        new Span<float>(context.Ones, channels).Fill(1);
        nint panel = (nint)channels * Panels.Width;
        Panels.PackTransposed(HostBuffer.Address(w), channels, channels, channels, context.Ones, context.WT, panel);
        Panels.ClearPadding(context.WT, panel, channels, channels);
        workers.Run(context.Blocks, new BlockWork { Context = context });
        workers.Run(workers.Count, new ReduceWork { Context = context });
    }

    /// <inheritdoc/>
    public void Dispose() => scratch.Dispose();

    private struct ApplyWork : IWork
    {
        public HostGemm Gemm;
        public Tiles Tiles;
        public int Channels;
        public float* X, W, B, Y;
        public nint XRow, YRow;

        public readonly void Run(int tile, int worker)
        {
            Product product = new()
            {
                A = X + Tiles.First(tile) * XRow,
                ARow = XRow,
                AStep = 1,
                B = W,
                BPanel = (nint)Channels * Panels.Width,
                Block = Channels,
                C = Y + Tiles.First(tile) * YRow,
                CRow = YRow,
                CPanel = Panels.Width,
                Operand = B,
                OperandPanel = Panels.Width,
                Epilogue = Epilogue.Bias,
                M = Tiles.Height(tile),
                N = Channels,
                K = Channels,
            };
            Gemm.Multiply(ref product);
        }
    }

    private struct BackwardContext
    {
        public HostGemm Gemm;
        public int Channels, Rows, Block, Blocks, Parts;
        public float* Dy, X, Dx, Dw, Db;
        public nint DyRow, XRow, DxRow;

        /// <summary>Ones; wᵀ in panels; a tile of dy in panels for each worker; dw in panels for each block.</summary>
        public float* Ones, WT, DyTile, DwBlocks;

        /// <summary>db for each block.</summary>
        public double* DbBlocks;

        public readonly int Padded => Panels.Pad(Channels);

        public readonly nint DwLength => (nint)Panels.Length(Channels, Channels);

        public readonly nint TileLength => (nint)Panels.Length(TileRows, Channels);

        /// <summary>Lays the scratch memory out and returns its length.</summary>
        public long Place(float* start, int workers)
        {
            ScratchLayout layout = new(start);
            Ones = layout.Take(Channels);
            WT = layout.Take(DwLength);
            DyTile = layout.Take(workers * TileLength);
            DwBlocks = layout.Take(Blocks * DwLength);
            DbBlocks = (double*)layout.Take(2L * Blocks * Padded);
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
            double* db = c.DbBlocks + (nint)block * c.Padded;
            new Span<double>(db, c.Padded).Clear();
            int first = block * c.Block, end = Math.Min(first + c.Block, c.Rows);
            for (int row = first; row < end; row += TileRows)
            {
                int rows = Math.Min(TileRows, end - row);
                float* dy = c.Dy + row * c.DyRow;
                Product input = new()
                {
                    A = dy,
                    ARow = c.DyRow,
                    AStep = 1,
                    B = c.WT,
                    BPanel = (nint)channels * Panels.Width,
                    Block = channels,
                    C = c.Dx + row * c.DxRow,
                    CRow = c.DxRow,
                    CPanel = Panels.Width,
                    Epilogue = Epilogue.Store,
                    M = rows,
                    N = channels,
                    K = channels,
                };
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
                for (int j = 0; j < c.Padded; j += Panels.Width)
                    ColumnSums.Add(tile + j / Panels.Width * panel, 0, null, 0, rows, TileRows, db + j, null);
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
            nint panel = (nint)channels * Panels.Width;
            int first = channels * part / c.Parts, rows = channels * (part + 1) / c.Parts - first;
            float* total = c.DwBlocks + first * Panels.Width;
            for (int j = 0; j < c.Padded / Panels.Width; j++)
            {
                Span<float> sum = new(total + j * panel, rows * Panels.Width);
                for (int block = 1; block < c.Blocks; block++)
                    Add(sum, new ReadOnlySpan<float>(total + block * c.DwLength + j * panel, rows * Panels.Width));
            }
            Panels.Unpack(total, panel, 0, rows, channels, c.Ones, c.Dw + (nint)first * channels, channels);
            if (part > 0) return;
            for (int j = 0; j < channels; j++)
            {
                double sum = 0;
                for (int block = 0; block < c.Blocks; block++) sum += c.DbBlocks[(nint)block * c.Padded + j];
                c.Db[j] = (float)sum;
            }
        }

        private static void Add(Span<float> sum, ReadOnlySpan<float> x)
        {
            int i = 0;
            for (; i <= sum.Length - System.Numerics.Vector<float>.Count; i += System.Numerics.Vector<float>.Count)
                (new System.Numerics.Vector<float>(sum[i..]) + new System.Numerics.Vector<float>(x[i..])).CopyTo(sum[i..]);
            for (; i < sum.Length; i++) sum[i] += x[i];
        }
    }
}
