using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

// Few pixels, one sample or the deeper levels of a small batch. There the weights are what takes time, up to 16 MB a
// network that come from memory, and if each worker carried its own tile through all layers, each would read all of
// them; in training, half of them from the cache of the core that has just packed them. Instead every tile is
// everybody's, and the workers divide the weights: those of the first two layers by columns, each packing its own;
// the last layer by tiles or, when these are too few, by the points of the transformed domain. Between layers
// activations pass from cache to cache. Each element is the same sum as in a tile of its own, so results do not
// change.
public sealed unsafe partial class HostCouplingNet
{
    // Activations that pass between caches are this many rows, the weights that do not are 1.3 times the square of
    // the width at least.
    private const int MostSharedRows = 128, MostSharedTrainingRows = 512, LeastSharedWidth = 256;

    /// <summary>
    /// Whether the workers divide the weights rather than the pixels, in training or in a pass that keeps nothing and
    /// whose weights are packed already.
    /// </summary>
    private bool DividesWeights(CouplingNetShape shape, Pixels pixels, bool training) =>
        workers.Count > 1 && HasFewPixels(shape, pixels, training);

    /// <summary>The same for a team.</summary>
    private static bool HasFewPixels(CouplingNetShape shape, Pixels pixels, bool training) =>
        shape.Width >= LeastSharedWidth
        && new Blocks(pixels, MinimalFilter.For(pixels).Side).Rows <= (training ? MostSharedTrainingRows
        : MostSharedRows);

    /// <summary>The tiles where workers divide the weights: few, and about equally high.</summary>
    private static Tiles SharedTiles(CouplingNetShape shape, Pixels pixels)
    {
        MinimalFilter filter = MinimalFilter.For(pixels);
        return new Tiles(new Blocks(pixels, filter.Side).Rows, workers: 1,
            Math.Max(TileRows(shape, filter), MostSharedRows));
    }

    /// <summary>
    /// Whether so many workers take whole tiles of so many through the last layer; otherwise they divide each.
    /// </summary>
    private static bool TakesTiles(int tiles, int workers) => tiles % workers == 0;

    /// <summary>A worker's share of one layer.</summary>
    private struct SharedWork : IWork
    {
        /// <summary>Layers: both hidden ones, the products of the last, and the patches that these become.</summary>
        public const int Layers = 4;

        public HostGemm Gemm;
        public MinimalFilter Filter;
        public CouplingNetShape Shape;
        public Pixels Pixels;
        public Tiles Tiles;
        public Packed Packed;
        public float* Z1;
        public nint Z1Row;
        public float* Saved;
        public bool Far;
        public int Layer, Parts;

        /// <summary>[block, position, Out], rows padded to whole panels.</summary>
        public float* Patches;

        private float* hidden, outs, local;
        private nint imageLength, sliceLength, localLength;

        private readonly int TileBlocks => Tiles.Rows / Filter.Area;

        private readonly nint Panel => (nint)Tiles.Rows * Panels.Width;

        private readonly nint HiddenLength => (nint)Panels.Length(Tiles.Rows, Shape.Width);

        private readonly nint OutLength => TileFilter.NarrowLength(Filter, TileBlocks, Shape.Out);

        public void Place(KeptMemory<float> scratch)
        {
            imageLength = TileFilter.NarrowLength(Filter, TileBlocks, Shape.In1);
            sliceLength = TileFilter.SliceLength(Filter, TileBlocks);
            localLength = imageLength + sliceLength + SquareScratch(Shape, Tiles);
            nint patches = (nint)Tiles.Pixels / Filter.Area * Filter.Points * Panels.Pad(Shape.Out);
            Patches = scratch.Take(patches + Tiles.Count * OutLength + Parts * localLength
                + (Saved is null ? Tiles.Count * 2 * HiddenLength : 0));
            outs = Patches + patches;
            local = outs + Tiles.Count * OutLength;
            hidden = Saved is null ? local + Parts * localLength : Saved;
        }

        public readonly void Run(int part, int worker)
        {
            bool takesTiles = TakesTiles(Tiles.Count, Parts);
            if (takesTiles && Layer == Layers - 1) return;
            (int tile, int end) = takesTiles && Layer == Layers - 2 ? Workers.Share(Tiles.Count, part, Parts)
                : (0, Tiles.Count);
            for (; tile < end; tile++) Run(tile, part, worker, takesTiles);
        }

        private readonly void Run(int tile, int part, int worker, bool whole)
        {
            int rows = Tiles.Height(tile), first = Tiles.First(tile) / Filter.Area, count = rows / Filter.Area;
            float* image = local + worker * localLength, slice = image + imageLength,
                a1 = hidden + tile * 2 * HiddenLength, a2 = a1 + HiddenLength;
            TileFilter filter = new()
            {
                Gemm = Gemm,
                Filter = Filter,
                Blocks = count,
                Capacity = TileBlocks,
                Panel = Panel,
                Slice = slice,
                Cold = Saved is not null,
                Far = Far
            };
            switch (Layer)
            {
                case 0:
                    (int panel, int endPanel) = Workers.Share(Panels.Count(Shape.Width), part, Parts);
                    if (panel == endPanel) break;
                    new BlockPatches(Pixels, Filter).Gather(
                        Z1, Z1Row, Shape.In, Shape.EdgeBias, first, count, image,
                            (nint)TileBlocks * Panels.Pad(Shape.In1));
                    filter.ToWideRelu(image, Shape.In1, Packed.W1, Shape.Width, Packed.Bias1, a1, panel, endPanel);
                    break;
                case 1:
                    Square(a1, a2, first, rows, part, slice + sliceLength);
                    break;
                case 2:
                    (int point, int endPoint) = whole ? (0, Filter.Points) : Workers.Share(Filter.Points, part, Parts);
                    filter.ToNarrow(a2, Shape.Width, Packed.W3, Shape.Out, outs + tile * OutLength, point, endPoint);
                    if (whole) Spread(tile, first, 0, count);
                    break;
                default:
                    (int block, int endBlock) = Workers.Share(count, part, Parts);
                    Spread(tile, first, block, endBlock - block);
                    break;
            }
        }

        private readonly void Spread(int tile, int first, int block, int count)
        {
            int row = Panels.Pad(Shape.Out);
            new BlockPatches(Pixels, Filter).Spread(outs + tile * OutLength + block * row, (nint)TileBlocks * row,
                row, Shape.Out, count,
                Patches + (nint)(first + block) * Filter.Points * row);
        }

        private readonly void Square(float* a1, float* a2, int firstBlock, int rows, int part, float* scratch)
        {
            int width = Panels.Pad(Shape.Width), count = rows / Filter.Area;
            bool halves = Strassen.Pays(width);
            (int first, int end) = Workers.Share(Panels.Count(width) / (halves ? 2 : 1), part, Parts);
            if (first == end) return;
            Product product = Product.OfPanels(a1, Panel, rows, Shape.Width, Packed.W2, width);
            product.ToPanels(a2, Panel);
            product.AddBias(Packed.Bias2, relu: true);
            product.Cold = Saved is not null;
            product.Far = Far;
            Blocks blocks = new(Pixels, Filter.Side);
            int columns = (end - first) * Panels.Width;
            float* result = a2 + first * Panel;
            if (halves)
            {
                Strassen.Multiply(Gemm, product, Packed.W2, scratch, first, end);
                blocks.ClearDead(firstBlock, count, result + width / 2 / Panels.Width * Panel, Panel, columns);
            }
            else
            {
                product.B += first * product.BPanel;
                product.C = result;
                product.Operand += first * product.OperandPanel;
                product.N = columns;
                Gemm.Multiply(ref product);
            }
            blocks.ClearDead(firstBlock, count, result, Panel, columns);
        }
    }
}
