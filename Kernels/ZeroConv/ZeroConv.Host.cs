using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

/// <summary>
/// The zero convolution on the host: a tile of gathered patches times the folded weights, straight into h. Backward
/// multiplies dh by the transposed weights, adds up the taps that meet in a pixel, and sums the weight gradient over
/// all pixels in order.
/// </summary>
public sealed unsafe class HostZeroConv : IZeroConv
{
    private const int Taps = Patches.Taps;

    private readonly Workers workers;
    private readonly HostGemm gemm;
    private readonly KeptMemory<float> scratch = new();

    /// <summary>The operation on a team of workers, with the widest vectors of the processor.</summary>
    public HostZeroConv(Workers workers) : this(workers, SimdLevels.Best)
    {
    }

    /// <summary>The operation with vectors of a given width.</summary>
    /// <exception cref="NotSupportedException">The processor does not have such vectors.</exception>
    public HostZeroConv(Workers workers, SimdLevel level)
    {
        this.workers = workers;
        gemm = new HostGemm(level);
    }

    /// <inheritdoc/>
    public long PackedLength(ZeroConvShape shape) => new Packed(shape, null).Length;

    /// <inheritdoc/>
    public void Pack(ZeroConvShape shape, ZeroConvParameters parameters, View packed)
    {
        Shapes.CheckZeroConvPack(shape, parameters, packed, PackedLength(shape));
        float* scale = scratch.Take(Panels.Pad(shape.Out));
        LayerScale.Of(parameters.Logs, scale);
        Packed p = new(shape, HostBuffer.Address(packed));
        int rows = Taps * shape.In1;
        nint panel = (nint)rows * Panels.Width;
        Panels.Pack(HostBuffer.Address(parameters.W), shape.Out, rows, shape.Out, scale, p.W, panel);
        Panels.ClearPadding(p.W, panel, rows, shape.Out);
        Panels.Pack(HostBuffer.Address(parameters.Bias), 0, 1, shape.Out, scale, p.Bias, Panels.Width);
        Panels.ClearPadding(p.Bias, Panels.Width, 1, shape.Out);
    }

    /// <inheritdoc/>
    public void Forward(ZeroConvShape shape, Pixels pixels, View x, View packed, View h)
    {
        Shapes.CheckZeroConv(shape, pixels, x, packed, h, PackedLength(shape));
        ForwardWork work = new()
        {
            Gemm = gemm,
            Shape = shape,
            Pixels = pixels,
            Tiles = new Tiles(pixels.Count, workers.Count),
            Packed = new Packed(shape, HostBuffer.Address(packed)),
            X = HostBuffer.Address(x),
            XRow = x.Stride,
            H = HostBuffer.Address(h),
            HRow = h.Stride,
        };
        work.Patches = scratch.Take(workers.Count * work.PatchLength);
        workers.Run(work.Tiles.Count, work);
    }

    /// <inheritdoc/>
    public void Backward(ZeroConvShape shape, Pixels pixels, View x, View h, View packed, ZeroConvParameters parameters,
        View dh, View dx, ZeroConvParameters gradients)
    {
        Shapes.CheckZeroConvBackward(shape, pixels, x, h, packed, parameters, dh, dx, gradients, PackedLength(shape));
        BackwardContext context = new()
        {
            Gemm = gemm,
            Shape = shape,
            Pixels = pixels,
            Tiles = new Tiles(pixels.Count, workers.Count),
            Parts = workers.Count,
            Gradients = gradients,
            X = HostBuffer.Address(x),
            XRow = x.Stride,
            H = HostBuffer.Address(h),
            HRow = h.Stride,
            Dh = HostBuffer.Address(dh),
            DhRow = dh.Stride,
            Dx = HostBuffer.Address(dx),
            DxRow = dx.Stride,
        };
        long length = context.Place(null);
        context.Place(scratch.Take(length));
        LayerScale.Of(parameters.Logs, context.Scale);
        nint panel = (nint)shape.Out * Panels.Width;
        for (int tap = 0; tap < Taps; tap++)
            Panels.PackTransposed(HostBuffer.Address(parameters.W) + (nint)tap * shape.In1 * shape.Out, shape.Out,
                shape.Out, shape.In,
                context.Scale, null, context.WT, panel, tap * shape.In);
        Panels.ClearPadding(context.WT, panel, shape.Out, Taps * shape.In);

        workers.Run(context.Tiles.Count, new TileWork { Context = context });
        workers.Run(workers.Count, new GradientWork { Context = context });
    }

    /// <summary>W <c>[9·In1, Out]</c> in panels and the bias, both times exp(3·logs).</summary>
    private readonly struct Packed
    {
        public readonly float* W, Bias;
        public readonly long Length;

        public Packed(ZeroConvShape shape, float* start)
        {
            MemoryLayout layout = new(start);
            W = layout.Take(Panels.Length(Taps * shape.In1, shape.Out));
            Bias = layout.Take(Panels.Pad(shape.Out));
            Length = layout.Length;
        }
    }

    private struct ForwardWork : IWork
    {
        public HostGemm Gemm;
        public ZeroConvShape Shape;
        public Pixels Pixels;
        public Tiles Tiles;
        public Packed Packed;
        public float* X, H, Patches;
        public nint XRow, HRow;

        public readonly nint PatchLength => (nint)Panels.Length(Tiles.Rows, Taps * Shape.In1);

        public readonly void Run(int tile, int worker)
        {
            int first = Tiles.First(tile), rows = Tiles.Height(tile);
            nint panel = (nint)Tiles.Rows * Panels.Width;
            float* patches = Patches + worker * PatchLength;
            new Patches(Pixels, mirrored: false).Gather(X, XRow, Shape.In, Shape.EdgeBias, first, rows, patches, panel);
            Product product = Product.OfPanels(patches, panel, rows, Taps * Shape.In1, Packed.W, Shape.Out);
            product.ToRows(H + first * HRow, HRow);
            product.AddBias(Packed.Bias, relu: false);
            Gemm.Multiply(ref product);
        }
    }

    /// <summary>Everything the two phases of a backward pass share.</summary>
    private struct BackwardContext
    {
        public HostGemm Gemm;
        public ZeroConvShape Shape;
        public Pixels Pixels;
        public Tiles Tiles;
        public int Parts;
        public ZeroConvParameters Gradients;
        public float* X, H, Dh, Dx;
        public nint XRow, HRow, DhRow, DxRow;

        /// <summary>exp(3·logs); the folded weights transposed, <c>[Out, 9·In]</c> (no edge).</summary>
        public float* Scale, WT;

        /// <summary>
        /// dh·Wᵀ of all pixels, rows of 9·In padded to whole panels; all tiles of patches and of g = dh·exp(3·logs),
        /// in panels.
        /// </summary>
        public float* DPatches, Patch, G;

        /// <summary>Rows [Σ g, Σ dh·h] of every block of pixels, and their total over all.</summary>
        public float* Sums;
        public double* Totals;

        public readonly int SumCount => 2 * Panels.Pad(Shape.Out);

        public readonly int Ins => Panels.Pad(Taps * Shape.In);

        public readonly nint PatchLength => (nint)Panels.Length(Tiles.Rows, Taps * Shape.In1);

        public readonly nint OutLength => (nint)Panels.Length(Tiles.Rows, Shape.Out);

        /// <summary>Lays the scratch memory out and returns its length.</summary>
        public long Place(float* start)
        {
            MemoryLayout layout = new(start);
            Scale = layout.Take(Shape.Out);
            WT = layout.Take(Panels.Length(Shape.Out, Taps * Shape.In));
            DPatches = layout.Take(Panels.Length(Pixels.Count, Taps * Shape.In));
            Patch = layout.Take(Tiles.Count * PatchLength);
            G = layout.Take(Tiles.Count * OutLength);
            Sums = layout.Take((long)ColumnSums.Blocks(Pixels.Count) * SumCount);
            Totals = (double*)layout.Take(2L * SumCount);
            return layout.Length;
        }
    }

    /// <summary>One tile of dh·Wᵀ, and of the two factors of the weight gradient.</summary>
    private struct TileWork : IWork
    {
        public BackwardContext Context;

        public readonly void Run(int tile, int worker)
        {
            ref readonly BackwardContext c = ref Context;
            ZeroConvShape shape = c.Shape;
            int first = c.Tiles.First(tile), rows = c.Tiles.Height(tile);
            nint panel = (nint)c.Tiles.Rows * Panels.Width;
            new Patches(c.Pixels, mirrored: false).Gather(
                c.X, c.XRow, shape.In, shape.EdgeBias, first, rows, c.Patch + tile * c.PatchLength, panel);
            float* dh = c.Dh + first * c.DhRow;
            Product product = Product.OfRows(dh, c.DhRow, rows, shape.Out, c.WT, c.Ins);
            product.ToRows(c.DPatches + (nint)first * c.Ins, c.Ins);
            c.Gemm.Multiply(ref product);

            float* g = c.G + tile * c.OutLength;
            Panels.Pack(dh, c.DhRow, rows, shape.Out, c.Scale, g, panel);
            Panels.ClearPadding(g, panel, rows, shape.Out);

            int padded = Panels.Pad(shape.Out);
            float* sums = c.Sums + (nint)(first / ColumnSums.Block) * c.SumCount;
            for (int j = 0; j < padded; j += Panels.Width)
                ColumnSums.Sum(g + j / Panels.Width * panel, rows, sums + j, c.SumCount);
            ColumnSums.DotRows(
                dh, c.DhRow, c.H + first * c.HRow, c.HRow, rows, shape.Out, sums + padded, c.SumCount);
        }
    }

    /// <summary>
    /// A worker's pixels of dx and its share of the weight gradient; the first also sums the small gradients.
    /// </summary>
    private struct GradientWork : IWork
    {
        public BackwardContext Context;

        public readonly void Run(int part, int worker)
        {
            ref readonly BackwardContext c = ref Context;
            int count = c.Tiles.Pixels, outs = c.Shape.Out;
            (int first, int end) = Workers.Share(count, part, c.Parts);
            new Patches(c.Pixels, mirrored: true).Sum(
                c.DPatches, c.Ins, c.Shape.In, null, null, first, end - first, c.Dx, c.DxRow);

            TileProduct weight = new()
            {
                A = c.Patch,
                ATile = c.PatchLength,
                B = c.G,
                BTile = c.OutLength,
                C = HostBuffer.Address(c.Gradients.W),
                CRow = outs,
                CPanel = Panels.Width,
                M = Taps * c.Shape.In1,
                N = outs,
                TileRows = c.Tiles.Rows,
            };
            weight.Run(c.Gemm, count, begin: true, part, c.Parts);
            if (part > 0) return;

            new Span<double>(c.Totals, c.SumCount).Clear();
            ColumnSums.Add(c.Sums, c.SumCount, ColumnSums.Blocks(count), 0, c.SumCount, c.Totals);
            float* dBias = HostBuffer.Address(c.Gradients.Bias), dLogs = HostBuffer.Address(c.Gradients.Logs);
            for (int o = 0; o < outs; o++)
            {
                dBias[o] = (float)c.Totals[o];
                dLogs[o] = (float)(3 * c.Totals[Panels.Pad(outs) + o]);
            }
        }
    }
}
