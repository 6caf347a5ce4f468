using System.Runtime.Intrinsics.X86;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

// Backward, with a = relu(u) saved (u = a wherever the gradient passes), s = exp(3·logs), W the raw weights, and
// conv, convᵀ the 3×3 convolution and its transpose by a MinimalFilter:
//
//   g2 = (convᵀ(dh; W3·diag(s3)) where a2 > 0)·diag(s2)      g1 = g2·W2ᵀ where a1 > 0
//   dz1 += convᵀ(g1; W1·diag(s1))
//   dW3 = (a2 * dh)·diag(s3)       dW2 = a1ᵀ·g2              dW1 = (z1 * g1)·diag(s1)
//   dBias2 = Σ_p g2                dLogs2 = 3·Σ_p g2·a2/s2
//   dBias1 = s1·Σ_p g1             dLogs1 = 3·Σ_p g1·a1
//   dBias3 = s3·Σ_p dh             dLogs3 = 3·Σ_p dh·h
//
// s2 is folded into the columns of the transposed W3, so that dW2 is a sum in place.
//
// The pixels are cut into groups, as many as the shape says, and a group is walked in chunks that fit an L2 cache:
// tiles are carried backwards through the layers, keeping g2, g1 and both transformed narrow sides, then added to the
// group's weight gradients. The groups' sums are added up in order at the end. Where that divides the work evenly a
// worker takes whole groups, and nothing but their sums ever leaves its cache; otherwise, and where there is one
// group (few pixels for so many weights), the workers divide the tiles of a chunk, and then the weight gradients over
// all of its pixels. No sum over pixels is ever split by worker, so gradients do not depend on the number of threads.
public sealed unsafe partial class HostCouplingNet
{
    // What a worker adds to a chunk: its tiles of a1, a2, g1 and g2, about the size of a core's L2, or one tile where
    // that is more.
    private const int ChunkBytes = 1 << 20;

    private const int FullTileBlocks = 16, MostTileFloats = 1 << 17;

    private const int MaxGroups = 16;

    // Of so few groups a worker takes a whole one only where it would else read what another core, far away, has just
    // written: each group's weight gradients are read and written for every tile.
    private const int FewGroups = 2;

    // A worker may get so much more than its even share of the tiles where workers take whole groups.
    private const double MostUneven = 1.15;

    // What a group's weight gradients may cost: at most a third of the bytes of its tiles.
    private const int TilesOverWeights = 3;

    /// <inheritdoc/>
    public void Backward(CouplingNetShape shape, Pixels pixels, View z1, View h, View saved, View packed,
        CouplingNetParameters parameters, View dh, View dz1, CouplingNetParameters gradients)
    {
        Shapes.CheckCouplingNetBackward(shape, pixels, z1, h, saved, packed, parameters, dh, dz1, gradients,
            PackedLength(shape, pixels), SavedLength(shape, pixels), mayLackPacked: true);
        MinimalFilter filter = MinimalFilter.For(pixels);
        BackwardContext context = new()
        {
            Gemm = gemm,
            Filter = filter,
            Shape = shape,
            Pixels = pixels,
            Tiles = TrainingTiles(shape, pixels),
            Parts = workers.Count,
            Divides = DividesWeights(shape, pixels, training: true),
            GroupTiles = Math.Min(GroupTiles(shape, pixels), TrainingTiles(shape, pixels).Count),
            Parameters = parameters,
            Gradients = gradients,
            Z1 = HostBuffer.Address(z1),
            Z1Row = z1.Stride,
            H = HostBuffer.Address(h),
            HRow = h.Stride,
            Dh = HostBuffer.Address(dh),
            DhRow = dh.Stride,
            Dz1 = HostBuffer.Address(dz1),
            Dz1Row = dz1.Stride,
            Saved = HostBuffer.Address(saved),
            Apart = workers.AreApart,
        };
        context.Groups = (context.Tiles.Count + context.GroupTiles - 1) / context.GroupTiles;
        int tileBytes = 4 * sizeof(float) * context.Width * context.Tiles.Rows;
        int chunk = Math.Max(ChunkBytes / tileBytes, 1);
        bool mayTakeGroups = context.Groups > 1 && context.DividesEvenly, takesGroups = mayTakeGroups
            && context.Groups > (context.Apart ? 1 : FewGroups);

        // Where cores lie changes while a model is trained; the memory should not.
        long length = 0;
        if (mayTakeGroups && context.Groups <= FewGroups) length = context.Arrange(!takesGroups, chunk).Place(null);
        context = context.Arrange(takesGroups, chunk);
        length = Math.Max(length, context.Place(null));
        context.Place(scratch.Take(length));
        context.Scales.Compute(parameters);
        new Span<double>(context.Totals, context.Groups * context.SumCount).Clear();

        workers.Run(Panels.Count(shape.Width), new PackTransposedWork { Context = context });
        if (context.Divides)
        {
            SharedGradientWork work = new() { Context = context };
            for (; work.Step < SharedGradientWork.Steps; work.Step++) workers.Run(workers.Count, work);
            workers.Run(workers.Count, new WeightGradientWork { Context = context });
        }
        else if (takesGroups)
        {
            workers.Run(context.Groups, new GroupWork { Context = context });
        }
        else
        {
            while (context.FirstTile < context.Tiles.Count)
            {
                workers.Run(context.Chunk, new HiddenGradientWork { Context = context });
                workers.Run(workers.Count, new WeightGradientWork { Context = context });
                context.FirstTile += context.Chunk;
            }
        }
        workers.Run(workers.Count, new InputGradientWork { Context = context });
    }

    /// <summary>
    /// Tiles of a group of pixels. A group costs its weight gradients written and read once; it saves the workers
    /// from reading each other's tiles. Several groups only where their pixels are so many that the first is little
    /// beside the second; the number of workers must not matter.
    /// </summary>
    private static int GroupTiles(CouplingNetShape shape, Pixels size)
    {
        if (HasFewPixels(shape, size, training: true)) return int.MaxValue;
        int pixels = size.Count;
        MinimalFilter filter = MinimalFilter.For(size);
        double weights = shape.Width * (filter.Points * shape.In1 + shape.Width + filter.Points * shape.Out);
        double perPixel = 4 * shape.Width + (double)filter.Points / filter.Area * (shape.In1 + shape.Out);
        int groups = 1;
        while (2 * groups <= MaxGroups && pixels * perPixel >= TilesOverWeights * 2 * groups * weights) groups *= 2;
        int rows = TileRows(shape, filter), tiles = (pixels + rows - 1) / rows;
        return groups == 1 ? int.MaxValue : (tiles + groups - 1) / groups;
    }

    /// <summary>The tiles of a forward pass that keeps them and of the way back.</summary>
    private Tiles TrainingTiles(CouplingNetShape shape, Pixels pixels) =>
        DividesWeights(shape, pixels, training: true) ? SharedTiles(shape, pixels) : Cut(shape, pixels);

    /// <summary>
    /// The tiles that workers divide among themselves: of full height where there are several groups, which whole
    /// tiles must make up.
    /// </summary>
    private Tiles Cut(CouplingNetShape shape, Pixels pixels)
    {
        MinimalFilter filter = MinimalFilter.For(pixels);
        int rows = new Blocks(pixels, filter.Side).Rows, most = TileRows(shape, filter);
        return GroupTiles(shape, pixels) == int.MaxValue ? new Tiles(rows, workers.Count, most)
            : Tiles.Full(rows, most);
    }

    /// <summary>
    /// The largest height of a tile: 16 blocks give a micro-kernel two full passes, and transformed weights, more
    /// than an L2 cache holds, are read once a tile; but a layer of a tile must fit half such a cache.
    /// </summary>
    private static int TileRows(CouplingNetShape shape, MinimalFilter filter)
    {
        int rows = FullTileBlocks * filter.Area;
        while (rows > Tiles.MaxRows && rows * Panels.Pad(shape.Width) > MostTileFloats) rows /= 2;
        return rows;
    }

    /// <summary>Everything the phases of one backward pass share.</summary>
    private struct BackwardContext
    {
        public HostGemm Gemm;
        public MinimalFilter Filter;
        public CouplingNetShape Shape;
        public Pixels Pixels;
        public Tiles Tiles;
        public int Parts, Groups, GroupTiles, ChunkTiles, Slots, FirstTile;

        /// <summary>Whether the workers divide the weights.</summary>
        public bool Divides;

        /// <summary>Whether the workers' cores lie apart.</summary>
        public bool Apart;

        public CouplingNetParameters Parameters, Gradients;
        public float* Z1, H, Dh, Dz1, Saved;
        public nint Z1Row, HRow, DhRow, Dz1Row;

        public Scales Scales;

        /// <summary>
        /// Transposed weights: from wide to In channels (no edge), a square matrix in panels, and from Out channels
        /// to wide.
        /// </summary>
        public float* W1T, W2T, W3T;
        public FilterWeights Layout1T, Layout3T;

        /// <summary>The sums of a <see cref="FilterGradient"/> for W3 and W1, of every group.</summary>
        public float* DW3, DW1;

        /// <summary>The gradient of W2 of every group but the first, in rows.</summary>
        public float* DW2;

        /// <summary>What g1 spreads over the image: [block, position, In], rows padded to whole panels.</summary>
        public float* DPatches;

        /// <summary>
        /// Tiles of a chunk; with several groups a chunk for each worker: g2 and g1 in panels, z1 and dh gathered into
        /// [g, block, channel].
        /// </summary>
        public float* G2, G1, Image, DhPoints;

        /// <summary>
        /// Rows [Σ g1, Σ g1·a1, Σ g2, Σ g2·a2, Σ dh, Σ dh·h] of every block of pixels of a chunk, and their total
        /// over a group.
        /// </summary>
        public float* Sums;
        public double* Totals;

        /// <summary>For each worker, or tile where these are divided, the products that become its DPatches.</summary>
        public float* DImages;

        /// <summary>For each worker a slice of a chunk's wide channels, and what the square layer needs.</summary>
        public float* Local;

        /// <summary>
        /// Whether packed weights that others read go past the caches; all of the scratch memory is aligned for it.
        /// </summary>
        public readonly bool Streams => Apart && Sse.IsSupported;

        /// <summary>The same for weights that nobody else reads where the workers divide them.</summary>
        public readonly bool StreamsDivided => Streams && !Divides;

        /// <summary>
        /// The same with workers that take whole groups, each by chunks of so many tiles, or divide chunks that are
        /// as many times larger.
        /// </summary>
        public readonly BackwardContext Arrange(bool takesGroups, int chunk)
        {
            BackwardContext arranged = this;
            arranged.ChunkTiles = Math.Min(GroupTiles, Divides ? Tiles.Count : takesGroups ? chunk : chunk * Parts);
            arranged.Slots = takesGroups ? arranged.ChunkTiles * Parts : arranged.ChunkTiles;
            return arranged;
        }

        /// <summary>Whether runs of whole groups are about equal shares of the tiles.</summary>
        public readonly bool DividesEvenly
        {
            get
            {
                int most = 0;
                for (int part = 0; part < Parts; part++)
                {
                    (int first, int end) = Workers.Share(Groups, part, Parts);
                    most = Math.Max(most, Math.Min(end * GroupTiles, Tiles.Count) - first * GroupTiles);
                }
                return most * Parts <= MostUneven * Tiles.Count;
            }
        }

        /// <summary>
        /// The group of the first tile of a chunk that the workers divide, and the tiles of that chunk.
        /// </summary>
        public readonly int Group => FirstTile / GroupTiles;

        public readonly int Chunk => Math.Min(ChunkTiles, Math.Min((Group + 1) * GroupTiles, Tiles.Count) - FirstTile);

        public readonly int Width => Panels.Pad(Shape.Width);

        public readonly int TileBlocks => Tiles.Rows / Filter.Area;

        public readonly int SumCount => HSums + Panels.Pad(Shape.Out);

        public readonly nint Panel => (nint)Tiles.Rows * Panels.Width;

        public readonly nint HiddenLength => (nint)Panels.Length(Tiles.Rows, Shape.Width);

        public readonly nint DhLength => TileFilter.NarrowLength(Filter, TileBlocks, Shape.Out);

        public readonly nint ImageLength => TileFilter.NarrowLength(Filter, TileBlocks, Shape.In1);

        /// <summary>Where Σ dh and Σ dh·h lie in a row of sums.</summary>
        public readonly int DhSums => 4 * Width;

        public readonly int HSums => DhSums + Panels.Pad(Shape.Out);

        public readonly nint DW3Length => Layout3T.Length;

        public readonly bool Halves => Strassen.Pays(Shape.Width);

        public readonly nint DW2Length => (nint)Shape.Width * Shape.Width;

        /// <summary>Where a group's gradient of W2 is made: that of the first in place.</summary>
        public readonly float* Middle(int group) => group == 0 ? HostBuffer.Address(Gradients.W2)
            : DW2 + (group - 1) * DW2Length;

        public readonly nint DW1Length => FilterWeights.ToWide(Filter, Shape.In1, Shape.Width).Length;

        private readonly nint SliceLength => TileFilter.SliceLength(Filter, ChunkTiles * TileBlocks);

        private readonly nint ImageGradientLength => TileFilter.NarrowLength(Filter, TileBlocks, Shape.In);

        private readonly nint LocalLength => SliceLength + Math.Max(SquareScratch(Shape, Tiles), PairLength(Shape));

        public readonly float* Slice(int worker) => Local + worker * LocalLength;

        public readonly float* DImage(int slot) => DImages + slot * ImageGradientLength;

        public readonly float* Square(int worker) => Slice(worker) + SliceLength;

        /// <summary>The gradient of W3 over a group.</summary>
        public readonly FilterGradient Last(int group) => new()
        {
            Gemm = Gemm,
            Filter = Filter,
            Channels = Shape.Out,
            Width = Shape.Width,
            TileBlocks = TileBlocks,
            MaxTiles = ChunkTiles,
            Groups = Groups,
            Sums = DW3 + group * DW3Length,
            Mirrored = true,
        };

        /// <summary>The gradient of W1 over a group.</summary>
        public readonly FilterGradient First(int group) => Last(group) with
        {
            Channels = Shape.In1,
            Sums = DW1 + group * DW1Length,
            Mirrored = false,
        };

        /// <summary>Lays the scratch memory out and returns its length.</summary>
        public long Place(float* start)
        {
            MemoryLayout layout = new(start);
            Scales = new Scales(Shape, layout.Take(Scales.Measure(Shape)));
            Sums = layout.Take((long)Slots * (Tiles.Rows / ColumnSums.Block) * SumCount);
            Totals = (double*)layout.Take(2L * Groups * SumCount);
            Layout1T = FilterWeights.ToNarrow(Filter, Shape.Width, Shape.In);
            Layout3T = FilterWeights.ToWide(Filter, Shape.Out, Shape.Width);
            W1T = layout.Take(Layout1T.Length);
            W2T = layout.Take(SquareLength(Shape));
            W3T = layout.Take(Layout3T.Length);
            DW3 = layout.Take(Groups * DW3Length);
            DW2 = layout.Take((Groups - 1) * DW2Length);
            DW1 = layout.Take(Groups * DW1Length);
            DPatches = layout.Take((long)Tiles.Pixels / Filter.Area * Filter.Points * Panels.Pad(Shape.In));
            G2 = layout.Take(Slots * HiddenLength);
            G1 = layout.Take(Slots * HiddenLength);
            Image = layout.Take(Slots * ImageLength);
            DhPoints = layout.Take(Slots * DhLength);
            DImages = layout.Take(Math.Max(Parts, Divides ? Tiles.Count : 0) * ImageGradientLength);
            Local = layout.Take(Parts * LocalLength);
            return layout.Length;
        }
    }
}
