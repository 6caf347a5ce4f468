using System.Runtime.Intrinsics.X86;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

// What the workers do in a backward pass; the formulas are in CouplingNet.Host.Backward.cs.
public sealed unsafe partial class HostCouplingNet
{
    /// <summary>Packs the transposed weights of 16 hidden channels.</summary>
    private struct PackTransposedWork : IWork
    {
        private const int Block = Panels.Width * Panels.Width;

        public BackwardContext Context;

        public readonly void Run(int panel, int worker)
        {
            ref readonly BackwardContext c = ref Context;
            CouplingNetShape shape = c.Shape;
            int first = panel * Panels.Width, count = Math.Min(Panels.Width, shape.Width - first), outs = shape.Out;
            float* taps = stackalloc float[Taps * Block];

            float* w1 = HostBuffer.Address(c.Parameters.W1) + first, to = c.W1T + c.Layout1T.Panel(panel);
            nint tap = (nint)shape.In1 * shape.Width;
            for (int i = 0; i < shape.In; i += Panels.Width, to += c.Layout1T.NarrowPanel)
            {
                int columns = Math.Min(Panels.Width, shape.In - i);
                for (int t = 0; t < Taps; t++)
                    Panels.PackTransposedPanel(w1 + t * tap + (nint)i * shape.Width, shape.Width, count, columns,
                        c.Scales.S1 + first, null, taps + t * Block, next: Panels.Width);
                c.Filter.TransformRows(taps, Block, count, to, c.Layout1T.Point, c.Streams);
            }

            float* w3 = HostBuffer.Address(c.Parameters.W3) + (nint)first * outs;
            to = c.W3T + c.Layout3T.Panel(panel);
            tap = (nint)shape.In3 * outs;
            for (int o = 0; o < outs; o += Panels.Width, to += Block)
            {
                int rows = Math.Min(Panels.Width, outs - o);
                for (int t = 0; t < Taps; t++)
                    Panels.PackTransposedPanel(w3 + (Taps - 1 - t) * tap + o, outs, rows, count, c.Scales.S3 + o,
                        c.Scales.S2 + first, taps + t * Block, next: Panels.Width * outs);
                c.Filter.TransformRows(taps, Block, rows, to, c.Layout3T.Point, c.StreamsDivided);
            }

            if (c.Halves) PackHalves(panel, c.Square(worker));
            else PackSquare(first, count);
            if (c.Streams) Sse.StoreFence();
        }

        private readonly void PackSquare(int first, int count)
        {
            ref readonly BackwardContext c = ref Context;
            int width = c.Shape.Width;
            nint panel = (nint)width * Panels.Width;
            Panels.PackTransposed(HostBuffer.Address(c.Parameters.W2) + (nint)first * width, width, width, count,
                null, null, c.W2T, panel, first, panel);
            if (first + count == width) Panels.ClearPadding(c.W2T, panel, width, width);
        }

        private readonly void PackHalves(int part, float* pair)
        {
            ref readonly BackwardContext c = ref Context;
            int width = c.Shape.Width, half = width / 2;
            nint panelLength = (nint)width * Panels.Width;
            float* w2 = HostBuffer.Address(c.Parameters.W2);
            (int panel, int end) = Workers.Share(half / Panels.Width, part, width / Panels.Width);
            for (; panel < end; panel++)
            {
                float* upper = w2 + panel * panelLength;
                Panels.PackTransposed(upper, width, width, Panels.Width, null, null, pair, panelLength,
                    next: panelLength);
                Panels.PackTransposed(upper + (nint)half * width, width, width, Panels.Width, null, null,
                    pair + panelLength, panelLength, next: panelLength);
                Strassen.Pack(pair, Panels.Width, 0, panelLength, null, width, 0, half, panel, 1, c.W2T,
                    c.StreamsDivided);
            }
        }
    }

    /// <summary>Carries one tile of a chunk from dh to the gradient of its patches.</summary>
    private struct HiddenGradientWork : IWork
    {
        // Columns that are masked and then summed while they are in L1: what a micro-kernel pass writes.
        private const int Group = 3 * Panels.Width;

        public BackwardContext Context;

        public readonly void Run(int slot, int worker) => Carry(Context.FirstTile + slot, slot, worker);

        public readonly void Carry(int tile, int slot, int worker)
        {
            ref readonly BackwardContext c = ref Context;
            int rows = c.Tiles.Height(tile), first = c.Tiles.First(tile) / c.Filter.Area, count = rows / c.Filter.Area;
            CouplingNetShape shape = c.Shape;
            nint panel = c.Panel;
            float* g2 = c.G2 + slot * c.HiddenLength, g1 = c.G1 + slot * c.HiddenLength;
            float* a1 = c.Saved + tile * 2 * c.HiddenLength, a2 = a1 + c.HiddenLength;
            float* sums = c.Sums + (nint)slot * (c.Tiles.Rows / ColumnSums.Block) * c.SumCount;
            float* image = c.Image + slot * c.ImageLength, dh = c.DhPoints + slot * c.DhLength,
                dImage = c.DImage(worker);
            int inRow = Panels.Pad(shape.In);
            nint blocks = c.TileBlocks;
            BlockPatches patches = new(c.Pixels, c.Filter);
            TileFilter filter = new()
            {
                Gemm = c.Gemm,
                Filter = c.Filter,
                Blocks = count,
                Capacity = c.TileBlocks,
                Panel = panel,
                Far = c.Apart,
                Slice = c.Slice(worker),
            };

            patches.Gather(c.Z1, c.Z1Row, shape.In, shape.EdgeBias, first, count, image,
                blocks * Panels.Pad(shape.In1));
            patches.Gather(c.Dh, c.DhRow, shape.Out, edge: false, first, count, dh, blocks * Panels.Pad(shape.Out));
            SumOutputs(c.Tiles.First(tile), rows, sums);

            for (int p = 0, panels; p < Panels.Count(shape.Width); p += panels)
            {
                panels = filter.ToWideMasked(dh, shape.Out, c.W3T, shape.Width, p, Panels.Count(shape.Width), a2, g2);
                Sum(g2, a2, p, panels, rows, sums + 2 * c.Width);
            }
            if (c.Halves)
            {
                Square(g2, a1, g1, 0, c.Width, rows, c.Square(worker));
                Sum(g1, a1, 0, Panels.Count(c.Width), rows, sums);
            }
            else
            {
                for (int column = 0; column < c.Width; column += Group)
                {
                    int columns = Math.Min(Group, c.Width - column);
                    Square(g2, a1, g1, column, columns, rows, null);
                    Sum(g1, a1, column / Panels.Width, columns / Panels.Width, rows, sums);
                }
            }
            filter.ToNarrow(g1, shape.Width, c.W1T, shape.In, dImage);
            patches.Spread(dImage, blocks * inRow, inRow, shape.In, count,
                c.DPatches + (nint)first * c.Filter.Points * inRow);
        }

        /// <summary>Some columns of g1 = g2·W2ᵀ where a1 > 0.</summary>
        private readonly void Square(float* g2, float* a1, float* g1, int column, int columns, int rows, float* scratch)
        {
            ref readonly BackwardContext c = ref Context;
            nint at = column / Panels.Width * c.Panel;
            Product product = Product.OfPanels(g2, c.Panel, rows, c.Shape.Width, c.W2T + (nint)column * c.Shape.Width,
                columns);
            product.ToPanels(g1 + at, c.Panel);
            product.Mask(a1 + at, c.Panel);
            product.Cold = true;
            product.Far = c.Apart;
            MultiplySquare(c.Gemm, ref product, scratch);
        }

        /// <summary>The sums Σ g, Σ g·a of some panels.</summary>
        public readonly void Sum(float* g, float* a, int firstPanel, int panels, int rows, float* sums)
        {
            ref readonly BackwardContext c = ref Context;
            for (int p = firstPanel; p < firstPanel + panels; p++)
            {
                float* to = sums + p * Panels.Width;
                ColumnSums.SumAndDot(g + p * c.Panel, a + p * c.Panel, rows, to, to + c.Width, c.SumCount);
            }
        }

        /// <summary>
        /// Σ dh and Σ dh·h of as many pixels of the image as the tile has rows; there are fewer pixels than rows of
        /// tiles.
        /// </summary>
        public readonly void SumOutputs(int first, int rows, float* sums)
        {
            ref readonly BackwardContext c = ref Context;
            int pixels = Math.Clamp(c.Pixels.Count - first, 0, rows), outs = c.Shape.Out;
            for (int block = ColumnSums.Blocks(pixels); block < ColumnSums.Blocks(rows); block++)
                new Span<float>(sums + block * c.SumCount + c.DhSums, 2 * Panels.Pad(outs)).Clear();
            float* dh = c.Dh + first * c.DhRow;
            ColumnSums.SumRows(dh, c.DhRow, pixels, outs, sums + c.DhSums, c.SumCount);
            ColumnSums.DotRows(dh, c.DhRow, c.H + first * c.HRow, c.HRow, pixels, outs, sums + c.HSums, c.SumCount);
        }
    }

    /// <summary>A worker's share of the weight gradients and of the column sums over one chunk.</summary>
    private struct WeightGradientWork : IWork
    {
        public BackwardContext Context;

        public readonly void Run(int part, int worker)
        {
            ref readonly BackwardContext c = ref Context;
            Add(c.FirstTile, c.Chunk, 0, c.Group, c.FirstTile % c.GroupTiles == 0, part, c.Parts, worker);
        }

        /// <summary>
        /// Adds some tiles, in slots of the chunk from one on, to the sums of a group (or begins these).
        /// </summary>
        public readonly void Add(int firstTile, int tiles, int slot, int group, bool begin, int part,
            int parts, int worker)
        {
            ref readonly BackwardContext c = ref Context;
            int rows = Math.Min(tiles * c.Tiles.Rows, c.Tiles.Pixels - c.Tiles.First(firstTile)), width = c.Shape.Width;
            nint savedTile = 2 * c.HiddenLength;
            float* a1 = c.Saved + firstTile * savedTile, a2 = a1 + c.HiddenLength;
            float* g2 = c.G2 + slot * c.HiddenLength, g1 = c.G1 + slot * c.HiddenLength, slice = c.Slice(worker);

            c.Last(group).Add(c.DhPoints + slot * c.DhLength, c.DhLength, a2, savedTile, rows / c.Filter.Area, begin,
                slice, part, parts);
            c.First(group).Add(c.Image + slot * c.ImageLength, c.ImageLength, g1, c.HiddenLength,
                rows / c.Filter.Area, begin, slice, part, parts);
            TileProduct product = new()
            {
                A = a1,
                ATile = savedTile,
                B = g2,
                BTile = c.HiddenLength,
                C = c.Middle(group),
                CRow = width,
                CPanel = Panels.Width,
                M = width,
                N = width,
                TileRows = c.Tiles.Rows,
            };
            product.Run(c.Gemm, rows, begin, part, parts);

            // Whole panels, so that no two workers write to one cache line.
            (int first, int end) = Workers.Share(c.SumCount / Panels.Width, part, parts);
            ColumnSums.Add(c.Sums + (nint)slot * (c.Tiles.Rows / ColumnSums.Block) * c.SumCount, c.SumCount,
                ColumnSums.Blocks(rows),
                first * Panels.Width, end * Panels.Width, c.Totals + (nint)group * c.SumCount);
        }
    }

    /// <summary>A whole group, chunk by chunk.</summary>
    private struct GroupWork : IWork
    {
        public BackwardContext Context;

        public readonly void Run(int group, int worker)
        {
            ref readonly BackwardContext c = ref Context;
            HiddenGradientWork hidden = new() { Context = c };
            WeightGradientWork weights = new() { Context = c };
            int begin = group * c.GroupTiles, end = Math.Min(begin + c.GroupTiles, c.Tiles.Count),
                slot = worker * c.ChunkTiles;
            for (int tile = begin; tile < end; tile += c.ChunkTiles)
            {
                int tiles = Math.Min(c.ChunkTiles, end - tile);
                for (int i = 0; i < tiles; i++) hidden.Carry(tile + i, slot + i, worker);
                weights.Add(tile, tiles, slot, group, tile == begin, part: 0, parts: 1, worker);
            }
        }
    }

    /// <summary>
    /// A worker's quads of dz1 and its share of the gradients of W1 and W3; the first also writes what follows from
    /// the column sums.
    /// </summary>
    private struct InputGradientWork : IWork
    {
        public BackwardContext Context;

        public readonly void Run(int part, int worker)
        {
            ref readonly BackwardContext c = ref Context;
            CouplingNetShape shape = c.Shape;
            (int first, int end) = Workers.Share(new Blocks(c.Pixels, c.Filter.Side).Count, part, c.Parts);
            new BlockPatches(c.Pixels, c.Filter).Sum(c.DPatches, Panels.Pad(shape.In), shape.In, null, null, first,
                end, c.Dz1, c.Dz1Row);
            SumMiddle(part);
            c.First(group: 0).FinishByNarrow(
                c.Scales.S1, HostBuffer.Address(c.Gradients.W1), (nint)shape.In1 * shape.Width, part, c.Parts);
            c.Last(group: 0).FinishByWide(
                c.Scales.S3, HostBuffer.Address(c.Gradients.W3), (nint)shape.In3 * shape.Out, part, c.Parts);
            if (part > 0) return;
            for (int group = 1; group < c.Groups; group++)
                for (int i = 0; i < c.SumCount; i++) c.Totals[i] += c.Totals[(nint)group * c.SumCount + i];
            FirstLayer();
            MiddleLayer();
            LastLayer();
        }

        /// <summary>A worker's share of the sum of the gradients of W2 of all groups, in order.</summary>
        private readonly void SumMiddle(int part)
        {
            ref readonly BackwardContext c = ref Context;
            (int first, int end) = Workers.Share(c.Shape.Width, part, c.Parts);
            nint at = (nint)first * c.Shape.Width, length = (nint)(end - first) * c.Shape.Width;
            HostReduce.Add(c.Middle(0) + at, c.DW2 + at, c.DW2Length, c.Groups - 1, length);
        }

        private readonly void FirstLayer()
        {
            ref readonly BackwardContext c = ref Context;
            float* dBias = HostBuffer.Address(c.Gradients.Bias1), dLogs = HostBuffer.Address(c.Gradients.Logs1);
            for (int j = 0; j < c.Shape.Width; j++)
            {
                dBias[j] = (float)(c.Totals[j] * c.Scales.S1[j]);
                dLogs[j] = (float)(3 * c.Totals[c.Width + j]);
            }
        }

        private readonly void MiddleLayer()
        {
            ref readonly BackwardContext c = ref Context;
            float* dBias = HostBuffer.Address(c.Gradients.Bias2), dLogs = HostBuffer.Address(c.Gradients.Logs2);
            double* sums = c.Totals + 2 * c.Width, products = sums + c.Width;
            for (int j = 0; j < c.Shape.Width; j++)
            {
                dBias[j] = (float)sums[j];

                // A scale that underflows leaves neither activation nor gradient.
                dLogs[j] = c.Scales.S2[j] == 0 ? 0 : (float)(3 * products[j] / c.Scales.S2[j]);
            }
        }

        private readonly void LastLayer()
        {
            ref readonly BackwardContext c = ref Context;
            int outs = c.Shape.Out;
            float* dBias = HostBuffer.Address(c.Gradients.Bias3), dLogs = HostBuffer.Address(c.Gradients.Logs3);
            double* total = c.Totals + c.DhSums, products = c.Totals + c.HSums;
            for (int o = 0; o < outs; o++)
            {
                dBias[o] = (float)(total[o] * c.Scales.S3[o]);
                dLogs[o] = (float)(3 * products[o]);
            }
            if (!c.Shape.EdgeBias) return;

            // The edge channel is 1 where a tap leads out of the image.
            float* dw3 = HostBuffer.Address(c.Gradients.W3) + (nint)c.Shape.Width * outs;
            double* missing = stackalloc double[Taps * outs];
            new BlockPatches(c.Pixels, c.Filter).SumMissing(c.Dh, c.DhRow, outs, missing, outs);
            for (int tap = 0; tap < Taps; tap++)
                for (int o = 0; o < outs; o++) dw3[(nint)tap * c.Shape.In3 * outs
                    + o] = (float)(missing[tap * outs + o] * c.Scales.S3[o]);
        }
    }
}
