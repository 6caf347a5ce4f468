using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

// Forward over few pixels, one sample or the deepest level of a small batch. There the weights are what takes time, up to 16 MB a network that come
// from memory, and if each worker carried its own tile through all layers, each would read all of them. Instead all pixels are one tile,
// and the workers divide every layer by weights: the first two by columns, the last by the points of the transformed domain. Between
// layers activations pass from cache to cache. Each element is the same sum as in a tile of its own, so results do not change.
public sealed unsafe partial class HostCouplingNet
{
    private const int MostSharedRows = 128, LeastSharedWidth = 256;

    /// <summary>Whether the workers divide the weights of a forward pass that keeps nothing, rather than its pixels.</summary>
    private bool DividesWeights(CouplingNetShape shape, Tiles tiles) =>
        workers.Count > 1 && tiles.Count <= workers.Count && tiles.Pixels <= MostSharedRows && shape.Width >= LeastSharedWidth;

    /// <summary>A worker's share of one layer.</summary>
    private struct SharedWork : IWork
    {
        /// <summary>Layers: both hidden ones, the products of the last, and the patches that these become.</summary>
        public const int Layers = 4;

        public HostGemm Gemm;
        public MinimalFilter Filter;
        public CouplingNetShape Shape;
        public Pixels Pixels;
        public Packed Packed;
        public float* Z1;
        public nint Z1Row;
        public int Layer, Parts;

        /// <summary>[block, position, Out], rows padded to whole panels.</summary>
        public float* Patches;

        private float* a1, a2, outs, local;
        private nint imageLength, sliceLength, localLength;

        private readonly int Rows => new Blocks(Pixels, Filter.Side).Rows;

        private readonly int BlockCount => Rows / Filter.Area;

        private readonly nint Panel => (nint)Rows * Panels.Width;

        public void Place(KeptMemory<float> scratch)
        {
            Tiles all = Tiles.Full(Rows, Rows);
            imageLength = TileFilter.NarrowLength(Filter, BlockCount, Shape.In1);
            sliceLength = TileFilter.SliceLength(Filter, BlockCount);
            localLength = imageLength + sliceLength + SquareScratch(Shape, all);
            nint hidden = (nint)Panels.Length(Rows, Shape.Width), outsLength = TileFilter.NarrowLength(Filter, BlockCount, Shape.Out);
            nint patches = (nint)BlockCount * Filter.Points * Panels.Pad(Shape.Out);
            a1 = scratch.Take(2 * hidden + outsLength + patches + Parts * localLength);
            a2 = a1 + hidden;
            outs = a2 + hidden;
            Patches = outs + outsLength;
            local = Patches + patches;
        }

        public readonly void Run(int part, int worker)
        {
            float* image = local + worker * localLength, slice = image + imageLength;
            TileFilter filter = new() { Gemm = Gemm, Filter = Filter, Blocks = BlockCount, Capacity = BlockCount, Panel = Panel, Slice = slice };
            switch (Layer)
            {
                case 0:
                    First(part, image, filter);
                    break;
                case 1:
                    Square(part, slice + sliceLength);
                    break;
                case 2:
                    (int point, int endPoint) = Workers.Share(Filter.Points, part, Parts);
                    filter.ToNarrow(a2, Shape.Width, Packed.W3, Shape.Out, outs, point, endPoint);
                    break;
                default:
                    (int block, int end) = Workers.Share(BlockCount, part, Parts);
                    int row = Panels.Pad(Shape.Out);
                    new BlockPatches(Pixels, Filter).Spread(outs + block * row, (nint)BlockCount * row, row, Shape.Out, end - block,
                        Patches + (nint)block * Filter.Points * row);
                    break;
            }
        }

        private readonly void First(int part, float* image, in TileFilter filter)
        {
            (int first, int end) = Workers.Share(Panels.Count(Shape.Width), part, Parts);
            if (first == end) return;
            new BlockPatches(Pixels, Filter).Gather(
                Z1, Z1Row, Shape.In, Shape.EdgeBias, 0, BlockCount, image, (nint)BlockCount * Panels.Pad(Shape.In1));
            filter.ToWideRelu(image, Shape.In1, Packed.W1, Shape.Width, Packed.Bias1, a1, first, end);
        }

        private readonly void Square(int part, float* scratch)
        {
            int width = Panels.Pad(Shape.Width);
            bool halves = Strassen.Pays(width);
            (int first, int end) = Workers.Share(Panels.Count(width) / (halves ? 2 : 1), part, Parts);
            if (first == end) return;
            Product product = Product.OfPanels(a1, Panel, Rows, Shape.Width, Packed.W2, width);
            product.ToPanels(a2, Panel);
            product.AddBias(Packed.Bias2, relu: true);
            Blocks blocks = new(Pixels, Filter.Side);
            int columns = (end - first) * Panels.Width;
            float* result = a2 + first * Panel;
            if (halves)
            {
                Strassen.Multiply(Gemm, product, Packed.W2, scratch, first, end);
                blocks.ClearDead(0, BlockCount, result + width / 2 / Panels.Width * Panel, Panel, columns);
            }
            else
            {
                product.B += first * product.BPanel;
                product.C = result;
                product.Operand += first * product.OperandPanel;
                product.N = columns;
                Gemm.Multiply(ref product);
            }
            blocks.ClearDead(0, BlockCount, result, Panel, columns);
        }
    }
}
