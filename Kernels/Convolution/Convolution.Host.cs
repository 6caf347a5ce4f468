using System.Runtime.Intrinsics;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

/// <summary>
/// The plain convolution on the host: a tile of gathered patches (of a 1×1 convolution, of the pixels themselves)
/// times the packed weights, straight into y. Backward goes over the batch a few images at a time, so that its
/// patches and their gradients stay small; the weight gradient is one sum over all pixels in order, whatever the
/// number of threads.
/// </summary>
public sealed unsafe class HostConvolution : IConvolution
{
    // Patches and their gradients of a piece of the batch, 8 MB each: more gains nothing and costs memory.
    private const int PieceFloats = 1 << 21;

    private readonly Workers workers;
    private readonly HostGemm gemm;
    private readonly KeptMemory<float> scratch = new();

    /// <summary>The operation on a team of workers, with the widest vectors of the processor.</summary>
    public HostConvolution(Workers workers) : this(workers, SimdLevels.Best)
    {
    }

    /// <summary>The operation with vectors of a given width.</summary>
    /// <exception cref="NotSupportedException">The processor does not have such vectors.</exception>
    public HostConvolution(Workers workers, SimdLevel level)
    {
        this.workers = workers;
        gemm = new HostGemm(level);
    }

    /// <inheritdoc/>
    public long PackedLength(ConvolutionShape shape) => new Packed(shape, null).Length;

    /// <inheritdoc/>
    public void Pack(ConvolutionShape shape, ConvolutionParameters parameters, View packed)
    {
        Shapes.CheckConvolutionPack(shape, parameters, packed, PackedLength(shape));
        workers.Run(shape.Taps, new PackWork
        {
            Shape = shape,
            W = HostBuffer.Address(parameters.W),
            Bias = HostBuffer.Address(parameters.Bias),
            Packed = new Packed(shape, HostBuffer.Address(packed)),
        });
    }

    /// <inheritdoc/>
    public void Forward(ConvolutionShape shape, Pixels pixels, View x, View packed, View y)
    {
        Shapes.CheckConvolution(shape, pixels, x, packed, y, PackedLength(shape));
        ForwardWork work = new()
        {
            Gemm = gemm,
            Shape = shape,
            Pixels = pixels,
            Tiles = new Tiles(pixels.Count, workers.Count),
            Packed = new Packed(shape, HostBuffer.Address(packed)),
            X = new HostRows(x),
            Y = new HostRows(y),
        };
        if (shape.Size > 1) work.Patches = scratch.Take(workers.Count * work.PatchLength);
        workers.Run(work.Tiles.Count, work);
    }

    /// <inheritdoc/>
    public void Backward(ConvolutionShape shape, Pixels pixels, View x, View y, View packed, View dy, View dx,
        ConvolutionParameters gradients)
    {
        Shapes.CheckConvolutionBackward(shape, pixels, x, y, packed, dy, dx, gradients, PackedLength(shape));
        int perImage = pixels.H * pixels.W;
        int images = (int)Math.Clamp(PieceFloats / ((long)perImage * shape.Rows), 1, pixels.N);
        BackwardContext context = new()
        {
            Gemm = gemm,
            Shape = shape,
            Parts = workers.Count,
            Packed = new Packed(shape, HostBuffer.Address(packed)),
            Gradients = gradients,
        };
        context.Begin(new Pixels(images, pixels.H, pixels.W), workers.Count);
        context.Place(scratch.Take(context.Place(null)));
        new Span<double>(context.Totals, context.SumCount).Clear();
        for (int image = 0; image < pixels.N; image += images)
        {
            context.Begin(new Pixels(Math.Min(images, pixels.N - image), pixels.H, pixels.W), workers.Count);
            int first = image * perImage;
            context.X = RowsFrom(x, first);
            if (shape.Relu) context.Y = RowsFrom(y, first);
            context.Dy = RowsFrom(dy, first);
            context.Dx = RowsFrom(dx, first);
            context.IsFirst = image == 0;
            context.IsLast = image + images >= pixels.N;
            workers.Run(context.Tiles.Count, new TileWork { Context = context });
            workers.Run(workers.Count, new GradientWork { Context = context });
        }
    }

    private static HostRows RowsFrom(View view, int row) => new(HostBuffer.Address(view) + (long)row * view.Stride,
        view.Cols, view.Stride);

    /// <summary>
    /// W <c>[Taps·In, Out]</c> in panels, its transpose <c>[Out, Taps·In]</c> in panels, and the bias.
    /// </summary>
    private readonly struct Packed
    {
        public readonly float* W, WT, Bias;
        public readonly long Length;

        public Packed(ConvolutionShape shape, float* start)
        {
            MemoryLayout layout = new(start);
            W = layout.Take(Panels.Length(shape.Rows, shape.Out));
            WT = layout.Take(Panels.Length(shape.Out, shape.Rows));
            Bias = layout.Take(Panels.Pad(shape.Out));
            Length = layout.Length;
        }
    }

    /// <summary>Packs one tap of the weights in each part.</summary>
    private struct PackWork : IWork
    {
        public ConvolutionShape Shape;
        public float* W, Bias;
        public Packed Packed;

        public readonly void Run(int tap, int worker)
        {
            int ins = Shape.In, outs = Shape.Out;
            float* from = W + (nint)tap * ins * outs;
            nint panel = (nint)Shape.Rows * Panels.Width;
            float* to = Packed.W + (nint)tap * ins * Panels.Width;
            Panels.Copy(from, outs, ins, outs, to, panel);
            Panels.ClearPadding(to, panel, ins, outs);

            panel = (nint)outs * Panels.Width;
            Panels.PackTransposed(from, outs, outs, ins, null, null, Packed.WT, panel, tap * ins);
            if (tap < Shape.Taps - 1) return;
            Panels.ClearPadding(Packed.WT, panel, outs, Shape.Rows);
            Panels.Copy(Bias, 0, 1, outs, Packed.Bias, Panels.Width);
            Panels.ClearPadding(Packed.Bias, Panels.Width, 1, outs);
        }
    }

    private struct ForwardWork : IWork
    {
        public HostGemm Gemm;
        public ConvolutionShape Shape;
        public Pixels Pixels;
        public Tiles Tiles;
        public Packed Packed;
        public HostRows X, Y;
        public float* Patches;

        public readonly nint PatchLength => (nint)Panels.Length(Tiles.Rows, Shape.Rows);

        public readonly void Run(int tile, int worker)
        {
            int first = Tiles.First(tile), rows = Tiles.Height(tile);
            Product product;
            if (Shape.Size == 1)
            {
                product = Product.OfRows(X.Row(first), X.Stride, rows, Shape.In, Packed.W, Shape.Out);
            }
            else
            {
                nint panel = (nint)Tiles.Rows * Panels.Width;
                float* patches = Patches + worker * PatchLength;
                new Patches(Pixels, mirrored: false).Gather(X.Address, X.Stride, Shape.In, edge: false, first, rows,
                    patches, panel);
                product = Product.OfPanels(patches, panel, rows, Shape.Rows, Packed.W, Shape.Out);
            }
            product.ToRows(Y.Row(first), Y.Stride);
            product.AddBias(Packed.Bias, Shape.Relu);
            Gemm.Multiply(ref product);
        }
    }

    /// <summary>Everything the two phases of a backward pass share over one piece of the batch.</summary>
    private struct BackwardContext
    {
        public HostGemm Gemm;
        public ConvolutionShape Shape;
        public Pixels Pixels;
        public Tiles Tiles;
        public int Parts;
        public Packed Packed;
        public ConvolutionParameters Gradients;
        public HostRows X, Y, Dy, Dx;
        public bool IsFirst, IsLast;

        /// <summary>
        /// All tiles of patches and of dy behind the ReLU, in panels; the gradient of the patches, rows padded to
        /// whole panels.
        /// </summary>
        public float* Patch, G, DPatches;

        /// <summary>Σ g of every block of pixels, and the total over all pieces so far.</summary>
        public float* Sums;
        public double* Totals;

        private nint patchLength, outLength;

        public readonly int SumCount => Panels.Pad(Shape.Out);

        public readonly int Ins => Panels.Pad(Shape.Rows);

        public readonly float* PatchOf(int tile) => Patch + tile * patchLength;

        public readonly float* GOf(int tile) => G + tile * outLength;

        /// <summary>Turns to a piece of so many images.</summary>
        public void Begin(Pixels pixels, int workers)
        {
            Pixels = pixels;
            Tiles = new Tiles(pixels.Count, workers);
            patchLength = (nint)Panels.Length(Tiles.Rows, Shape.Rows);
            outLength = (nint)Panels.Length(Tiles.Rows, Shape.Out);
        }

        /// <summary>Lays the scratch memory of the largest piece out and returns its length.</summary>
        public long Place(float* start)
        {
            // The last piece may be cut into other tiles; whole tiles never reach further than one of them beyond the
            // pixels.
            long rows = Pixels.Count + (long)Tiles.MaxRows;
            MemoryLayout layout = new(start);
            Patch = layout.Take(rows * Panels.Pad(Shape.Rows));
            G = layout.Take(rows * Panels.Pad(Shape.Out));
            DPatches = layout.Take(Shape.Size == 1 ? 0 : Panels.Length(Pixels.Count, Shape.Rows));
            Sums = layout.Take((long)ColumnSums.Blocks(Pixels.Count) * SumCount);
            Totals = (double*)layout.Take(2L * SumCount);
            return layout.Length;
        }

        public readonly TileProduct WeightGradient() => new()
        {
            A = Patch,
            ATile = patchLength,
            B = G,
            BTile = outLength,
            C = HostBuffer.Address(Gradients.W),
            CRow = Shape.Out,
            CPanel = Panels.Width,
            M = Shape.Rows,
            N = Shape.Out,
            TileRows = Tiles.Rows,
        };
    }

    /// <summary>
    /// One tile of both factors of the weight gradient, and of the gradient of what the convolution read.
    /// </summary>
    private struct TileWork : IWork
    {
        public BackwardContext Context;

        public readonly void Run(int tile, int worker)
        {
            ref readonly BackwardContext c = ref Context;
            ConvolutionShape shape = c.Shape;
            int first = c.Tiles.First(tile), rows = c.Tiles.Height(tile);
            nint panel = (nint)c.Tiles.Rows * Panels.Width;
            float* patch = c.PatchOf(tile), g = c.GOf(tile);
            if (shape.Size == 1)
            {
                Panels.Copy(c.X.Row(first), c.X.Stride, rows, shape.In, patch, panel);
                Panels.ClearPadding(patch, panel, rows, shape.In);
            }
            else
            {
                new Patches(c.Pixels, mirrored: false).Gather(
                    c.X.Address, c.X.Stride, shape.In, edge: false, first, rows, patch, panel);
            }

            if (shape.Relu) CopyWhereOpen(c.Dy.Row(first), c.Y.Row(first), rows, shape.Out, g, panel);
            else Panels.Copy(c.Dy.Row(first), c.Dy.Stride, rows, shape.Out, g, panel);
            Panels.ClearPadding(g, panel, rows, shape.Out);
            float* sums = c.Sums + (nint)(first / ColumnSums.Block) * c.SumCount;
            for (int j = 0; j < c.SumCount; j += Panels.Width)
                ColumnSums.Sum(g + j / Panels.Width * panel, rows, sums + j, c.SumCount);

            Product product = Product.OfPanels(g, panel, rows, shape.Out, c.Packed.WT,
                shape.Size == 1 ? shape.In : c.Ins);
            if (shape.Size == 1)
            {
                product.ToRows(c.Dx.Row(first), c.Dx.Stride);
                product.Epilogue = Epilogue.Accumulate;
            }
            else
            {
                product.ToRows(c.DPatches + (nint)first * c.Ins, c.Ins);
            }
            c.Gemm.Multiply(ref product);
        }

        /// <summary>Panels of dy where y is above zero, elsewhere 0.</summary>
        private static void CopyWhereOpen(float* dy, float* y, int rows, int columns, float* target, nint panel)
        {
            for (int c = 0; c < columns; c += Panels.Width, target += panel)
            {
                int n = Math.Min(Panels.Width, columns - c);
                for (int r = 0; r < rows; r++)
                {
                    float* from = dy + c + (long)r * columns, gate = y + c + (long)r * columns,
                        to = target + r * Panels.Width;
                    int i = 0;
                    for (; i + 8 <= n; i += 8)
                    {
                        Vector256<float> open = Vector256.GreaterThan(Vector256.Load(gate + i), Vector256<float>.Zero);
                        (Vector256.Load(from + i) & open).Store(to + i);
                    }
                    for (; i < n; i++) to[i] = gate[i] > 0 ? from[i] : 0;
                }
            }
        }
    }

    /// <summary>
    /// A worker's pixels of dx and its share of the weight gradient; the first also sums the bias gradient.
    /// </summary>
    private struct GradientWork : IWork
    {
        public BackwardContext Context;

        public readonly void Run(int part, int worker)
        {
            ref readonly BackwardContext c = ref Context;
            int count = c.Tiles.Pixels;
            if (c.Shape.Size > 1)
            {
                (int first, int end) = Workers.Share(count, part, c.Parts);
                new Patches(c.Pixels, mirrored: true).Sum(
                    c.DPatches, c.Ins, c.Shape.In, null, null, first, end - first, c.Dx.Address, c.Dx.Stride);
            }
            c.WeightGradient().Run(c.Gemm, count, c.IsFirst, part, c.Parts);
            if (part > 0) return;

            ColumnSums.Add(c.Sums, c.SumCount, ColumnSums.Blocks(count), 0, c.SumCount, c.Totals);
            if (!c.IsLast) return;
            float* dBias = HostBuffer.Address(c.Gradients.Bias);
            for (int o = 0; o < c.Shape.Out; o++) dBias[o] = (float)c.Totals[o];
        }
    }
}
