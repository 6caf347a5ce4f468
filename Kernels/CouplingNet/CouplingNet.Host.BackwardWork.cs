using System.Runtime.Intrinsics;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

// What the workers do in a backward pass; the formulas are in CouplingNet.Host.Backward.cs.
public sealed unsafe partial class HostCouplingNet
{
    /// <summary>Packs the transposed weights, a ninth of each in every part.</summary>
    private struct PackTransposedWork : IWork
    {
        public BackwardContext Context;

        public readonly void Run(int tap, int worker)
        {
            CouplingNetShape shape = Context.Shape;
            int width = shape.Width, outs = shape.Out;
            nint panel = (nint)width * Panels.Width;
            float* w1 = HostBuffer.Address(Context.Parameters.W1) + (nint)tap * shape.In1 * width;
            Panels.PackTransposed(w1, width, width, shape.In, null, null, Context.W1T, panel, tap * shape.In);
            if (tap == Taps - 1) Panels.ClearPadding(Context.W1T, panel, width, Taps * shape.In);

            // Whole panels, so that no two parts write to one cache line.
            (int first, int end) = Workers.Share(Panels.Count(width), tap, Taps);
            (first, end) = (first * Panels.Width, Math.Min(end * Panels.Width, width));
            float* w2 = HostBuffer.Address(Context.Parameters.W2) + (nint)first * width;
            if (end > first)
                Panels.PackTransposed(w2, width, width, end - first, null, Context.Scales.S1 + first, Context.W2T, panel, first);
            if (end == width) Panels.ClearPadding(Context.W2T, panel, width, width);

            float* w3 = HostBuffer.Address(Context.Parameters.W3) + (nint)tap * shape.In3 * outs;
            float* w3T = Context.W3T + (nint)tap * outs * Panels.Width;
            panel = (nint)Taps * outs * Panels.Width;
            Panels.PackTransposed(w3, outs, outs, width, Context.Scales.S3, Context.Scales.S2, w3T, panel);
            Panels.ClearPadding(w3T, panel, outs, width);
        }
    }

    /// <summary>Carries one tile of a chunk from dh to the gradient of its patches.</summary>
    private struct HiddenGradientWork : IWork
    {
        // Columns that are masked and then summed while they are in L1: what a micro-kernel pass writes.
        private const int Group = 3 * Panels.Width;

        public BackwardContext Context;

        public readonly void Run(int slot, int worker) => Carry(Context.FirstTile + slot, slot);

        public readonly void Carry(int tile, int slot)
        {
            ref readonly BackwardContext c = ref Context;
            int first = c.Tiles.First(tile), rows = c.Tiles.Height(tile);
            CouplingNetShape shape = c.Shape;
            nint panel = c.Panel, sumsRow = c.SumCount;
            float* dt = c.Dt + slot * c.OutLength;
            float* g2 = c.G2 + slot * c.HiddenLength, g1 = c.G1 + slot * c.HiddenLength;
            float* a1 = c.Saved + tile * 2 * c.HiddenLength, a2 = a1 + c.HiddenLength;
            float* sums = c.Sums + (nint)slot * (c.Tiles.Rows / ColumnSums.Block) * sumsRow;

            new Patches(c.Pixels, mirrored: false).Gather(
                c.Z1, c.Z1Row, shape.In, shape.EdgeBias, first, rows, c.Patch + slot * c.PatchLength, panel);
            new Patches(c.Pixels, mirrored: true).Gather(c.Dh, c.DhRow, shape.Out, false, first, rows, dt, panel);
            for (int j = 0; j < c.Outs; j += Panels.Width)
                ColumnSums.Sum(dt + j / Panels.Width * panel, rows, sums + c.DtSums + j, sumsRow);
            ColumnSums.DotRows(c.Dh + first * c.DhRow, c.DhRow, c.H + first * c.HRow, c.HRow, rows, shape.Out, sums + c.HSums, sumsRow);

            Masked(dt, Taps * shape.Out, rows, c.W3T, a2, g2, sums + 2 * c.Width);
            Masked(g2, shape.Width, rows, c.W2T, a1, g1, sums);
            Product product = Product.OfPanels(g1, panel, rows, shape.Width, c.W1T, c.Ins);
            product.ToRows(c.DPatches + (nint)first * c.Ins, c.Ins);
            c.Gemm.Multiply(ref product);
        }

        /// <summary>to = (g·weight where a > 0), and the sums Σ to, Σ to·a.</summary>
        private readonly void Masked(float* g, int depth, int rows, float* weight, float* a, float* to, float* sums)
        {
            ref readonly BackwardContext c = ref Context;
            for (int column = 0; column < c.Width; column += Group)
            {
                nint at = column / Panels.Width * c.Panel;
                int columns = Math.Min(Group, c.Width - column);
                Product product = Product.OfPanels(g, c.Panel, rows, depth, weight + (nint)column * depth, columns);
                product.ToPanels(to + at, c.Panel);
                product.Mask(a + at, c.Panel);
                c.Gemm.Multiply(ref product);
                for (int j = column; j < column + columns; j += Panels.Width, at += c.Panel)
                {
                    ColumnSums.Sum(to + at, rows, sums + j, c.SumCount);
                    ColumnSums.Dot(to + at, a + at, rows, sums + c.Width + j, c.SumCount);
                }
            }
        }
    }

    /// <summary>A worker's share of the weight gradients and of the column sums over one chunk.</summary>
    private struct WeightGradientWork : IWork
    {
        public BackwardContext Context;

        public readonly void Run(int part, int worker)
        {
            ref readonly BackwardContext c = ref Context;
            int tiles = Math.Min(c.ChunkTiles, c.Tiles.Count - c.FirstTile);
            Add(c.FirstTile, tiles, 0, 0, c.FirstTile == 0, part, c.Parts);
        }

        /// <summary>Adds some tiles, in slots of the chunk from one on, to the sums of a group (or begins these).</summary>
        public readonly void Add(int firstTile, int tiles, int slot, int group, bool begin, int part, int parts)
        {
            ref readonly BackwardContext c = ref Context;
            CouplingNetShape shape = c.Shape;
            int pixels = Math.Min(tiles * c.Tiles.Rows, c.Tiles.Pixels - c.Tiles.First(firstTile)), width = shape.Width;
            nint savedTile = 2 * c.HiddenLength;
            float* a1 = c.Saved + firstTile * savedTile, a2 = a1 + c.HiddenLength;

            TileProduct product = c.LastLayer(group);
            product.A = a2;
            product.ATile = savedTile;
            product.B = c.Dt + slot * c.OutLength;
            product.BTile = c.OutLength;
            product.Run(c.Gemm, pixels, begin, part, parts);

            product.A = a1;
            product.B = c.G2 + slot * c.HiddenLength;
            product.BTile = c.HiddenLength;
            product.C = c.DW2 + group * c.DW2Length;
            product.CRow = width;
            product.CPanel = Panels.Width;
            product.N = width;
            product.Run(c.Gemm, pixels, begin, part, parts);

            product.A = c.Patch + slot * c.PatchLength;
            product.ATile = c.PatchLength;
            product.B = c.G1 + slot * c.HiddenLength;
            product.C = c.DW1 + group * c.DW1Length;
            product.M = Taps * shape.In1;
            product.Run(c.Gemm, pixels, begin, part, parts);

            // Whole panels, so that no two workers write to one cache line.
            (int first, int end) = Workers.Share(c.SumCount / Panels.Width, part, parts);
            ColumnSums.Add(c.Sums + (nint)slot * (c.Tiles.Rows / ColumnSums.Block) * c.SumCount, c.SumCount, ColumnSums.Blocks(pixels),
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
            int begin = group * c.GroupTiles, end = Math.Min(begin + c.GroupTiles, c.Tiles.Count), slot = worker * c.ChunkTiles;
            for (int tile = begin; tile < end; tile += c.ChunkTiles)
            {
                int tiles = Math.Min(c.ChunkTiles, end - tile);
                for (int i = 0; i < tiles; i++) hidden.Carry(tile + i, slot + i);
                weights.Add(tile, tiles, slot, group, tile == begin, part: 0, parts: 1);
            }
        }
    }

    /// <summary>A worker's share of the sums of all groups, added up in their order.</summary>
    private struct GroupSumWork : IWork
    {
        public BackwardContext Context;

        public readonly void Run(int part, int worker)
        {
            ref readonly BackwardContext c = ref Context;
            Sum(c.DW3, c.DW3Length, part, c.DW3);
            Sum(c.DW2, c.DW2Length, part, HostBuffer.Address(c.Gradients.W2));
            Sum(c.DW1, c.DW1Length, part, HostBuffer.Address(c.Gradients.W1));
            if (part > 0) return;
            for (int group = 1; group < c.Groups; group++)
                for (int i = 0; i < c.SumCount; i++) c.Totals[i] += c.Totals[(nint)group * c.SumCount + i];
        }

        /// <summary>target[i] = Σ over groups of sums[group, i] for a worker's share of i.</summary>
        private readonly void Sum(float* sums, nint length, int part, float* target)
        {
            ref readonly BackwardContext c = ref Context;

            // Whole cache lines, so that no two workers write to one.
            int lines = (int)((length + Panels.Width - 1) / Panels.Width);
            (int first, int end) = Workers.Share(lines, part, c.Parts);
            nint i = (nint)first * Panels.Width, stop = Math.Min((nint)end * Panels.Width, length);
            for (; i + 8 <= stop; i += 8)
            {
                Vector256<float> sum = Vector256.Load(sums + i);
                for (int group = 1; group < c.Groups; group++) sum += Vector256.Load(sums + group * length + i);
                sum.Store(target + i);
            }
            for (; i < stop; i++)
            {
                float sum = sums[i];
                for (int group = 1; group < c.Groups; group++) sum += sums[group * length + i];
                target[i] = sum;
            }
        }
    }

    /// <summary>A worker's pixels of dz1 and its share of the gradient of W3; the first also writes what follows from the column sums.</summary>
    private struct InputGradientWork : IWork
    {
        public BackwardContext Context;

        public readonly void Run(int part, int worker)
        {
            ref readonly BackwardContext c = ref Context;
            (int first, int end) = Workers.Share(c.Tiles.Pixels, part, c.Parts);
            new Patches(c.Pixels, mirrored: true).Sum(
                c.DPatches, c.Ins, c.Shape.In, null, null, first, end - first, c.Dz1, c.Dz1Row);
            c.LastLayer(group: 0).Finish(Taps, c.Shape.Out, c.Scales.S3, HostBuffer.Address(c.Gradients.W3),
                (nint)c.Shape.In3 * c.Shape.Out, part, c.Parts);
            if (part > 0) return;
            HiddenLayer(c.Totals, c.Scales.S1, c.Gradients.Bias1, c.Gradients.Logs1);
            HiddenLayer(c.Totals + 2 * c.Width, c.Scales.S2, c.Gradients.Bias2, c.Gradients.Logs2);
            LastLayer();
        }

        private readonly void HiddenLayer(double* totals, float* scale, View bias, View logs)
        {
            float* dBias = HostBuffer.Address(bias), dLogs = HostBuffer.Address(logs);
            for (int j = 0; j < Context.Shape.Width; j++)
            {
                dBias[j] = (float)totals[j];

                // A scale that underflows leaves neither activation nor gradient.
                dLogs[j] = scale[j] == 0 ? 0 : (float)(3 * totals[Context.Width + j] / scale[j]);
            }
        }

        private readonly void LastLayer()
        {
            ref readonly BackwardContext c = ref Context;
            int outs = c.Shape.Out;
            float* dBias = HostBuffer.Address(c.Gradients.Bias3), dLogs = HostBuffer.Address(c.Gradients.Logs3);
            float* dw3 = HostBuffer.Address(c.Gradients.W3);
            double* taps = c.Totals + c.DtSums, total = taps + Taps / 2 * outs, products = c.Totals + c.HSums;
            for (int o = 0; o < outs; o++)
            {
                double scale = c.Scales.S3[o];
                dBias[o] = (float)(total[o] * scale);
                dLogs[o] = (float)(3 * products[o]);

                // A tap that a pixel misses is its dh in no dt; the centre tap misses none.
                if (!c.Shape.EdgeBias) continue;
                for (int tap = 0; tap < Taps; tap++)
                    dw3[((nint)tap * c.Shape.In3 + c.Shape.Width) * outs + o] = (float)((total[o] - taps[tap * outs + o]) * scale);
            }
        }
    }
}
