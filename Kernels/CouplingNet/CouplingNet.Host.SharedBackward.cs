using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

// The way back over few pixels, divided as in CouplingNet.Host.Shared.cs. All tiles are one chunk.
public sealed unsafe partial class HostCouplingNet
{
    /// <summary>A worker's share of one step from dh to the gradient of the patches.</summary>
    private struct SharedGradientWork : IWork
    {
        /// <summary>
        /// Steps: both narrow sides; g2; g1; the products that lead to dz1; and the patches that these become.
        /// </summary>
        public const int Steps = 5;

        private const int Narrow = 0, Wide = 1, Middle = 2, Products = 3;

        public BackwardContext Context;
        public int Step;

        public readonly void Run(int part, int worker)
        {
            ref readonly BackwardContext c = ref Context;
            bool takesTiles = TakesTiles(c.Tiles.Count, c.Parts), whole = takesTiles && Step is Narrow or Products;
            if (takesTiles && Step == Steps - 1) return;
            (int tile, int end) = whole ? Workers.Share(c.Tiles.Count, part, c.Parts) : (0, c.Tiles.Count);
            for (; tile < end; tile++) Run(tile, whole ? 0 : part, whole ? 1 : c.Parts, worker);
        }

        /// <summary>One of so many parts of a tile.</summary>
        private readonly void Run(int tile, int part, int parts, int worker)
        {
            ref readonly BackwardContext c = ref Context;
            CouplingNetShape shape = c.Shape;
            HiddenGradientWork hidden = new() { Context = c };
            int rows = c.Tiles.Height(tile), count = rows / c.Filter.Area;
            (int block, int endBlock) = Workers.Share(count, part, parts);
            float* sums = c.Sums + (nint)tile * (c.Tiles.Rows / ColumnSums.Block) * c.SumCount;
            float* a1 = c.Saved + tile * 2 * c.HiddenLength, a2 = a1 + c.HiddenLength;
            float* g1 = c.G1 + tile * c.HiddenLength, g2 = c.G2 + tile * c.HiddenLength,
                dh = c.DhPoints + tile * c.DhLength;
            TileFilter filter = new()
            {
                Gemm = c.Gemm,
                Filter = c.Filter,
                Blocks = count,
                Capacity = c.TileBlocks,
                Panel = c.Panel,
                Far = c.Apart,
                Slice = c.Slice(worker),
            };
            switch (Step)
            {
                case Narrow:
                    Gather(tile, block, endBlock - block, dh);
                    if (part == 0) hidden.SumOutputs(c.Tiles.First(tile), rows, sums);
                    break;
                case Wide:
                    (int first, int end) = Workers.Share(Panels.Count(shape.Width), part, parts);
                    for (int panels; first < end; first += panels)
                    {
                        panels = filter.ToWideMasked(dh, shape.Out, c.W3T, shape.Width, first, end, a2, g2);
                        hidden.Sum(g2, a2, first, panels, rows, sums + 2 * c.Width);
                    }
                    break;
                case Middle:
                    Square(g2, a1, g1, rows, part, parts, c.Square(worker));
                    (first, end) = Columns(part, parts);
                    hidden.Sum(g1, a1, first, end - first, rows, sums);
                    if (c.Halves) hidden.Sum(g1, a1, first + Panels.Count(c.Width) / 2, end - first, rows, sums);
                    break;
                case Products:
                    (int point, int endPoint) = Workers.Share(c.Filter.Points, part, parts);
                    filter.ToNarrow(g1, shape.Width, c.W1T, shape.In, c.DImage(tile), point, endPoint);
                    if (parts == 1) Spread(tile, 0, count);
                    break;
                default:
                    Spread(tile, block, endBlock - block);
                    break;
            }
        }

        private readonly void Gather(int tile, int block, int count, float* dh)
        {
            ref readonly BackwardContext c = ref Context;
            BlockPatches patches = new(c.Pixels, c.Filter);
            int first = c.Tiles.First(tile) / c.Filter.Area + block, inRow = Panels.Pad(c.Shape.In1),
                outRow = Panels.Pad(c.Shape.Out);
            patches.Gather(c.Z1, c.Z1Row, c.Shape.In, c.Shape.EdgeBias, first, count,
                c.Image + tile * c.ImageLength + block * inRow, (nint)c.TileBlocks * inRow);
            patches.Gather(c.Dh, c.DhRow, c.Shape.Out, edge: false, first, count, dh + block * outRow,
                (nint)c.TileBlocks * outRow);
        }

        /// <summary>A worker's panels of g1; in halves, those of the left half.</summary>
        private readonly (int First, int End) Columns(int part, int parts) =>
            Workers.Share(Panels.Count(Context.Width) / (Context.Halves ? 2 : 1), part, parts);

        private readonly void Square(float* g2, float* a1, float* g1, int rows, int part, int parts, float* scratch)
        {
            ref readonly BackwardContext c = ref Context;
            (int first, int end) = Columns(part, parts);
            if (first == end) return;
            Product product = Product.OfPanels(g2, c.Panel, rows, c.Shape.Width, c.W2T, c.Width);
            product.ToPanels(g1, c.Panel);
            product.Mask(a1, c.Panel);
            product.Cold = true;
            product.Far = c.Apart;
            if (c.Halves)
            {
                Strassen.Multiply(c.Gemm, product, c.W2T, scratch, first, end);
                return;
            }
            product.B += first * product.BPanel;
            product.C += first * c.Panel;
            product.Operand += first * c.Panel;
            product.N = (end - first) * Panels.Width;
            c.Gemm.Multiply(ref product);
        }

        private readonly void Spread(int tile, int block, int count)
        {
            ref readonly BackwardContext c = ref Context;
            int row = Panels.Pad(c.Shape.In);
            new BlockPatches(c.Pixels, c.Filter).Spread(c.DImage(tile) + block * row, (nint)c.TileBlocks * row, row,
                c.Shape.In, count,
                c.DPatches + (c.Tiles.First(tile) / c.Filter.Area + block) * (nint)c.Filter.Points * row);
        }
    }
}
