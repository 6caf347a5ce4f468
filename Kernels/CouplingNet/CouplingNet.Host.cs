using System.Runtime.Intrinsics.X86;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

/// <summary>
/// The coupling network on the host. Forward: a worker takes a tile of blocks and carries it through the three layers
/// while its hidden activations stay in L2, both 3×3 convolutions by a <see cref="MinimalFilter"/>; a second pass
/// adds up the patches that the last one spreads. Everything per channel is folded into the packed weights, so that a
/// hidden layer ends in bias and ReLU.
/// </summary>
public sealed unsafe partial class HostCouplingNet : ICouplingNet
{
    private const int Taps = 9;

    private readonly Workers workers;
    private const int PackParts = 8, StreamAlignment = 64;

    // Weights of the following network that a worker may fetch, in floats: half of its L2 cache. More would drive out
    // what it works on.
    private const int MostFollowing = 1 << 17;

    private readonly HostGemm gemm;
    private readonly KeptMemory<float> scratch = new();

    /// <summary>The operation on a team of workers, with the widest vectors of the processor.</summary>
    public HostCouplingNet(Workers workers) : this(workers, SimdLevels.Best)
    {
    }

    /// <summary>The operation with vectors of a given width.</summary>
    /// <exception cref="NotSupportedException">The processor does not have such vectors.</exception>
    public HostCouplingNet(Workers workers, SimdLevel level)
    {
        this.workers = workers;
        gemm = new HostGemm(level);
    }

    /// <inheritdoc/>
    public bool BackwardReadsPacked => false;

    /// <inheritdoc/>
    public long PackedLength(CouplingNetShape shape, Pixels pixels) => new Packed(shape, MinimalFilter.For(pixels),
        null).Length;

    /// <inheritdoc/>
    public long SavedLength(CouplingNetShape shape, Pixels pixels)
    {
        Tiles tiles = TrainingTiles(shape, pixels);
        return 2 * tiles.Count * Panels.Length(tiles.Rows, shape.Width);
    }

    /// <inheritdoc/>
    public void Pack(CouplingNetShape shape, Pixels pixels, CouplingNetParameters parameters, View packed)
    {
        Shapes.CheckCouplingNetPack(shape, parameters, packed, PackedLength(shape, pixels));
        MinimalFilter filter = MinimalFilter.For(pixels);
        PackWork work = new()
        {
            Shape = shape,
            Filter = filter,
            Parameters = parameters,
            Scales = new Scales(shape, scratch.Take(Scales.Measure(shape))),
            Packed = new Packed(shape, filter, HostBuffer.Address(packed)),
            ByColumns = DividesWeights(shape, pixels, training: true),
            Streaming = Streams(HostBuffer.Address(packed)),
        };
        work.Parts = work.ByColumns ? workers.Count : PackParts;
        work.Scales.Compute(parameters);
        workers.Run(work.Parts, work);
    }

    /// <inheritdoc/>
    public void Forward(CouplingNetShape shape, Pixels pixels, View z1, View packed, View h, View saved,
        View following = default)
    {
        Shapes.CheckCouplingNet(
            shape, pixels, z1, packed, h, saved, PackedLength(shape, pixels), SavedLength(shape, pixels));
        MinimalFilter filter = MinimalFilter.For(pixels);
        Packed weights = new(shape, filter, HostBuffer.Address(packed));
        float* patches;
        bool far = saved.IsNone || workers.AreApart;
        if (DividesWeights(shape, pixels, training: !saved.IsNone))
        {
            SharedWork work = new()
            {
                Gemm = gemm,
                Filter = filter,
                Shape = shape,
                Pixels = pixels,
                Tiles = SharedTiles(shape, pixels),
                Packed = weights,
                Z1 = HostBuffer.Address(z1),
                Z1Row = z1.Stride,
                Saved = saved.IsNone ? null : HostBuffer.Address(saved),
                Far = far,
                Parts = workers.Count,
            };
            work.Place(scratch);
            for (work.Layer = 0; work.Layer < SharedWork.Layers; work.Layer++) workers.Run(workers.Count, work);
            patches = work.Patches;
        }
        else
        {
            Tiles tiles = Cut(shape, pixels);
            ForwardWork work = new()
            {
                Gemm = gemm,
                Filter = filter,
                Shape = shape,
                Pixels = pixels,
                Tiles = tiles,
                Packed = weights,
                Z1 = HostBuffer.Address(z1),
                Z1Row = z1.Stride,
                Saved = saved.IsNone ? null : HostBuffer.Address(saved),
                Far = far,
                Following = following.IsNone || following.Cols > MostFollowing * workers.Count ? null
                    : HostBuffer.Address(following),
                FollowingLength = following.Cols,
            };
            work.Place(scratch, workers.Count);
            workers.Run(tiles.Count, work);
            patches = work.Patches;
        }
        workers.Run(workers.Count, new PatchSum
        {
            Filter = filter,
            Shape = shape,
            Pixels = pixels,
            Parts = workers.Count,
            Packed = weights,
            Patches = patches,
            H = HostBuffer.Address(h),
            HRow = h.Stride,
        });
    }

    /// <summary>
    /// Whether weights that other workers read are packed past the caches: where cores share none, a line reaches
    /// another sooner by way of memory than from a cache where it lies changed, and one that others still hold is not
    /// asked back from them to be overwritten.
    /// </summary>
    private bool Streams(float* packed) => Sse.IsSupported && (nint)packed % StreamAlignment == 0 && workers.AreApart;

    /// <summary>Floats of two panels of W2.</summary>
    private static nint PairLength(CouplingNetShape shape) => 2 * (nint)shape.Width * Panels.Width;

    /// <summary>The product of the square layer, in halves where that pays.</summary>
    private static void MultiplySquare(HostGemm gemm, ref Product product, float* scratch)
    {
        if (Strassen.Pays(product.N)) Strassen.Multiply(gemm, product, product.B, scratch);
        else gemm.Multiply(ref product);
    }

    /// <summary>Passes of a micro-kernel that <see cref="MultiplySquare"/> takes.</summary>
    private static int SquarePasses(HostGemm gemm, int rows, int width) =>
        Strassen.Pays(width) ? Strassen.Products * gemm.Passes(rows / 2, width / 2) : gemm.Passes(rows, width);

    /// <summary>Scratch of <see cref="MultiplySquare"/>.</summary>
    private static nint SquareScratch(CouplingNetShape shape, Tiles tiles) =>
        Strassen.Pays(shape.Width) ? Strassen.ScratchLength(shape.Width, (nint)tiles.Rows * Panels.Width) : 0;

    /// <summary>Floats of the packed square layer.</summary>
    private static long SquareLength(CouplingNetShape shape) =>
        Strassen.Pays(shape.Width) ? Strassen.PackedLength(shape.Width) : Panels.Length(shape.Width, shape.Width);

    /// <summary>
    /// Where the folded weights lie: W1 and W3 transformed, W2, each in panels; the edge rows of W3 <c>[9, Out]</c>,
    /// padded to panels, and the three biases.
    /// </summary>
    private readonly struct Packed
    {
        public readonly float* W1, Bias1, W2, Bias2, W3, Edge3, Bias3;
        public readonly FilterWeights Layout1, Layout3;
        public readonly long Length;

        public Packed(CouplingNetShape shape, MinimalFilter filter, float* start)
        {
            MemoryLayout layout = new(start);
            Layout1 = FilterWeights.ToWide(filter, shape.In1, shape.Width);
            Layout3 = FilterWeights.ToNarrow(filter, shape.Width, shape.Out);
            W1 = layout.Take(Layout1.Length);
            Bias1 = layout.Take(Panels.Pad(shape.Width));
            W2 = layout.Take(SquareLength(shape));
            Bias2 = layout.Take(Panels.Pad(shape.Width));
            W3 = layout.Take(Layout3.Length);
            Edge3 = layout.Take(Panels.Length(Taps, shape.Out));
            Bias3 = layout.Take(Panels.Pad(shape.Out));
            Length = layout.Length;
        }
    }

    /// <summary>exp(3·logs) of the three layers.</summary>
    private readonly struct Scales
    {
        public readonly float* S1, S2, S3;

        public Scales(CouplingNetShape shape, float* start)
        {
            MemoryLayout layout = new(start);
            S1 = layout.Take(shape.Width);
            S2 = layout.Take(shape.Width);
            S3 = layout.Take(shape.Out);
        }

        public static long Measure(CouplingNetShape shape) => 2 * Panels.Pad(shape.Width) + Panels.Pad(shape.Out);

        public void Compute(CouplingNetParameters parameters)
        {
            LayerScale.Of(parameters.Logs1, S1);
            LayerScale.Of(parameters.Logs2, S2);
            LayerScale.Of(parameters.Logs3, S3);
        }
    }

    /// <summary>Packs, in each part some columns of W1 and some rows of W2 and W3.</summary>
    private struct PackWork : IWork
    {
        public int Parts;

        /// <summary>Whether of W2 a part packs the columns that the worker will multiply by.</summary>
        public bool ByColumns;

        /// <summary>Whether what other workers read goes past the caches.</summary>
        public bool Streaming;

        public CouplingNetShape Shape;
        public MinimalFilter Filter;
        public CouplingNetParameters Parameters;
        public Scales Scales;
        public Packed Packed;

        public readonly void Run(int part, int worker)
        {
            int width = Shape.Width, outs = Shape.Out, in1 = Shape.In1;

            bool streaming = Streaming && !ByColumns;
            (int firstPanel, int endPanel) = Workers.Share(Panels.Count(width), part, Parts);
            int column = firstPanel * Panels.Width, columns = Math.Min(endPanel * Panels.Width, width) - column;
            Filter.TransformWeights(HostBuffer.Address(Parameters.W1) + column, (nint)in1 * width, width, in1, columns,
                Scales.S1 + column, mirrored: false, Packed.W1 + Packed.Layout1.Panel(firstPanel),
                    Packed.Layout1.Point, Packed.Layout1.Slice, streaming);

            float* source2 = HostBuffer.Address(Parameters.W2);
            if (Strassen.Pays(width))
            {
                int half = width / 2, panels = half / Panels.Width;
                (int row, int endRow) = ByColumns ? (0, half) : Workers.Share(half, part, Parts);
                (int panel, int endPair) = ByColumns ? Workers.Share(panels, part, Parts) : (0, panels);
                Strassen.Pack(source2 + panel * Panels.Width, width, Panels.Width, half,
                    Scales.S2 + panel * Panels.Width, width, row, endRow,
                    panel, endPair - panel, Packed.W2, streaming);
            }
            else
            {
                (int first, int end) = Workers.Share(width, part, Parts);
                int rows = end - first;
                nint panel = (nint)width * Panels.Width;
                float* w2 = Packed.W2 + (nint)first * Panels.Width;
                Panels.Pack(source2 + (nint)first * width, width, rows, width, Scales.S2, w2, panel);
                Panels.ClearPadding(w2, panel, rows, width);
            }

            float* w3 = HostBuffer.Address(Parameters.W3);
            nint tap = (nint)Shape.In3 * outs;
            for (int p = firstPanel; p < endPanel; p++)
            {
                int first = p * Panels.Width;
                Filter.TransformWeights(w3 + (nint)first * outs, tap, outs, Math.Min(Panels.Width, width - first),
                    outs, Scales.S3, mirrored: true,
                    Packed.W3 + Packed.Layout3.Panel(p), Packed.Layout3.Point, Packed.Layout3.NarrowPanel, Streaming);
            }
            if (Streaming) Sse.StoreFence();

            if (part > 0) return;
            for (int t = 0; t < Taps && Shape.EdgeBias; t++)
                Bias(w3 + t * tap + (nint)width * outs, Scales.S3, Packed.Edge3 + t * Panels.Pad(outs), outs);
            Bias(HostBuffer.Address(Parameters.Bias1), Scales.S1, Packed.Bias1, width);
            Bias(HostBuffer.Address(Parameters.Bias2), Scales.S2, Packed.Bias2, width);
            Bias(HostBuffer.Address(Parameters.Bias3), Scales.S3, Packed.Bias3, outs);
        }

        private static void Bias(float* bias, float* scale, float* target, int count)
        {
            Panels.Pack(bias, 0, 1, count, scale, target, Panels.Width);
            Panels.ClearPadding(target, Panels.Width, 1, count);
        }
    }

    /// <summary>Carries one tile of blocks from z1 to the patches of the last convolution.</summary>
    private struct ForwardWork : IWork
    {
        public HostGemm Gemm;
        public MinimalFilter Filter;
        public CouplingNetShape Shape;
        public Pixels Pixels;
        public Tiles Tiles;
        public Packed Packed;
        public float* Z1;
        public nint Z1Row;
        public float* Saved, Following;

        /// <summary>Whether weights are fetched from memory, or from another core, before their turn.</summary>
        public bool Far;

        public nint FollowingLength;

        /// <summary>[block, position, Out], rows padded to whole panels.</summary>
        public float* Patches;

        private float* local;
        private nint localLength;

        private readonly nint HiddenLength => (nint)Panels.Length(Tiles.Rows, Shape.Width);

        private readonly int TileBlocks => Tiles.Rows / Filter.Area;

        private readonly nint ImageLength => TileFilter.NarrowLength(Filter, TileBlocks, Shape.In1);

        private readonly nint OutLength => TileFilter.NarrowLength(Filter, TileBlocks, Shape.Out);

        private readonly nint SliceLength => TileFilter.SliceLength(Filter, TileBlocks);

        /// <summary>
        /// Scratch: the patches, and for each worker both narrow sides of a tile, a slice and, unless they are saved,
        /// activations.
        /// </summary>
        public void Place(KeptMemory<float> scratch, int workers)
        {
            nint patches = (nint)Tiles.Pixels / Filter.Area * Filter.Points * Panels.Pad(Shape.Out);
            localLength = ImageLength + OutLength + SliceLength + SquareScratch(Shape, Tiles)
                + (Saved is null ? 2 * HiddenLength : 0);
            Patches = scratch.Take(patches + workers * localLength);
            local = Patches + patches;
        }

        public readonly void Run(int tile, int worker)
        {
            int rows = Tiles.Height(tile), first = Tiles.First(tile) / Filter.Area, count = rows / Filter.Area,
                outRow = Panels.Pad(Shape.Out);
            nint panel = (nint)Tiles.Rows * Panels.Width;
            float* image = local + worker * localLength, outs = image + ImageLength, slice = outs + OutLength;
            float* square = slice + SliceLength;
            float* a1 = Saved is null ? square + SquareScratch(Shape, Tiles) : Saved + tile * 2 * HiddenLength;
            float* a2 = a1 + HiddenLength;
            BlockPatches patches = new(Pixels, Filter);
            TileFilter filter = new()
            {
                Gemm = Gemm,
                Filter = Filter,
                Blocks = count,
                Capacity = TileBlocks,
                Panel = panel,
                Slice = slice,
                Cold = Saved is not null,
                Far = Far
            };

            patches.Gather(Z1, Z1Row, Shape.In, Shape.EdgeBias, first, count, image,
                (nint)TileBlocks * Panels.Pad(Shape.In1));
            filter.ToWideRelu(image, Shape.In1, Packed.W1, Shape.Width, Packed.Bias1, a1);

            Product product = Product.OfPanels(a1, panel, rows, Shape.Width, Packed.W2, Panels.Pad(Shape.Width));
            product.ToPanels(a2, panel);
            product.AddBias(Packed.Bias2, relu: true);
            product.Cold = Saved is not null;
            product.Far = Far;
            Ahead ahead = default;
            if (Following is not null)
            {
                nint share = FollowingLength / Tiles.Count;
                ahead = Ahead.Of(Following + tile * share, share, SquarePasses(Gemm, rows, Shape.Width));
                product.Ahead = &ahead;
            }
            MultiplySquare(Gemm, ref product, square);
            new Blocks(Pixels, Filter.Side).ClearDead(first, count, a2, panel, Shape.Width);

            filter.ToNarrow(a2, Shape.Width, Packed.W3, Shape.Out, outs);
            patches.Spread(outs, (nint)TileBlocks * outRow, outRow, Shape.Out, count,
                Patches + (nint)first * Filter.Points * outRow);
        }
    }

    /// <summary>Adds up the patches, the edge rows and the bias of the last convolution.</summary>
    private struct PatchSum : IWork
    {
        public MinimalFilter Filter;
        public CouplingNetShape Shape;
        public Pixels Pixels;
        public int Parts;
        public Packed Packed;
        public float* Patches, H;
        public nint HRow;

        public readonly void Run(int part, int worker)
        {
            (int first, int end) = Workers.Share(new Blocks(Pixels, Filter.Side).Count, part, Parts);
            new BlockPatches(Pixels, Filter).Sum(Patches, Panels.Pad(Shape.Out), Shape.Out,
                Shape.EdgeBias ? Packed.Edge3 : null, Packed.Bias3, first, end, H, HRow);
        }
    }
}
