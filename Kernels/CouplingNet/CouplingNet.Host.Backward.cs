using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

// Backward, with a = relu(u) saved (u = a wherever the gradient passes), s = exp(3·logs) and W the raw weights:
//
//   dt[q, (tap, o)] = dh[q − δtap, o]                        the taps of the last convolution, gathered
//   g2 = (dt·(W3·diag(s3))ᵀ where a2 > 0)·diag(s2)           g1 = (g2·W2ᵀ where a1 > 0)·diag(s1)
//   dz1[p] += Σ_tap (g1·W1ᵀ)[p − δtap, tap]
//   dW3 = (a2ᵀ·dt)·diag(s3)       dW2 = a1ᵀ·g2               dW1 = patchesᵀ·g1
//   dBias = Σ_p g                 dLogs = 3·Σ_p g·a/s        (last layer: g = dh·s, a = h)
//
// The s after a mask is folded into the columns of the transposed weights before it, so that dW1 and dW2 are sums in place.
//
// The batch is walked in chunks that fit the workers' L2 caches. In a chunk the workers first carry tiles backwards through the
// layers, keeping dt, g2, g1 and the patches; then they divide the weight gradients among themselves, each over all pixels of
// the chunk. No sum over pixels is ever split by worker, so gradients do not depend on the number of threads.
public sealed unsafe partial class HostCouplingNet
{
    // What a worker adds to a chunk: its tiles of a1, a2, g1 and g2, about the size of a core's L2.
    private const int ChunkBytes = 1 << 20;

    /// <inheritdoc/>
    public void Backward(CouplingNetShape shape, Pixels pixels, View z1, View h, View saved, View packed,
        CouplingNetParameters parameters, View dh, View dz1, CouplingNetParameters gradients)
    {
        Shapes.CheckCouplingNetBackward(shape, pixels, z1, h, saved, packed, parameters, dh, dz1, gradients,
            PackedLength(shape), SavedLength(shape, pixels.Count));
        BackwardContext context = new()
        {
            Gemm = gemm,
            Shape = shape,
            Pixels = pixels,
            Tiles = new Tiles(pixels.Count, workers.Count),
            Parts = workers.Count,
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
        };
        int tileBytes = 4 * sizeof(float) * context.Width * context.Tiles.Rows;
        context.ChunkTiles = Math.Min(context.Tiles.Count, Math.Max(ChunkBytes / tileBytes, 1) * workers.Count);
        long length = context.Place(null);
        context.Place(scratch.Take(length));
        context.Scales.Compute(parameters);
        new Span<double>(context.Totals, context.SumCount).Clear();

        workers.Run(Taps, new PackTransposedWork { Context = context });
        for (int tile = 0; tile < context.Tiles.Count; tile += context.ChunkTiles)
        {
            context.FirstTile = tile;
            int tiles = Math.Min(context.ChunkTiles, context.Tiles.Count - tile);
            workers.Run(tiles, new HiddenGradientWork { Context = context });
            workers.Run(workers.Count, new WeightGradientWork { Context = context });
        }
        workers.Run(workers.Count, new InputGradientWork { Context = context });
    }

    /// <summary>Everything the phases of one backward pass share.</summary>
    private struct BackwardContext
    {
        public HostGemm Gemm;
        public CouplingNetShape Shape;
        public Pixels Pixels;
        public Tiles Tiles;
        public int Parts, ChunkTiles, FirstTile;
        public CouplingNetParameters Parameters, Gradients;
        public float* Z1, H, Dh, Dz1, Saved;
        public nint Z1Row, HRow, DhRow, Dz1Row;

        public Scales Scales;

        /// <summary>Scaled weights, transposed, in panels: [Width, 9·In] (no edge), [Width, Width], [9·Out, Width].</summary>
        public float* W1T, W2T, W3T;

        /// <summary>a2ᵀ·dt [Width, 9·Out] in panels.</summary>
        public float* DW3;

        /// <summary>g1·W1ᵀ of all pixels, rows of 9·In padded to whole panels.</summary>
        public float* DPatches;

        /// <summary>Tiles of a chunk, in panels.</summary>
        public float* Dt, G2, G1, Patch;

        /// <summary>
        /// Rows [Σ g1, Σ g1·a1, Σ g2, Σ g2·a2, Σ dt, Σ dh·h] of every block of pixels of a chunk, and their total over all.
        /// </summary>
        public float* Sums;
        public double* Totals;

        public readonly int Width => Panels.Pad(Shape.Width);

        public readonly int Outs => Panels.Pad(Patches.Taps * Shape.Out);

        public readonly int Ins => Panels.Pad(Patches.Taps * Shape.In);

        public readonly int SumCount => 4 * Width + Outs + Panels.Pad(Shape.Out);

        public readonly nint Panel => (nint)Tiles.Rows * Panels.Width;

        public readonly nint HiddenLength => (nint)Panels.Length(Tiles.Rows, Shape.Width);

        public readonly nint OutLength => (nint)Panels.Length(Tiles.Rows, Patches.Taps * Shape.Out);

        public readonly nint PatchLength => (nint)Panels.Length(Tiles.Rows, Patches.Taps * Shape.In1);

        /// <summary>Where Σ dt and Σ dh·h lie in a row of sums.</summary>
        public readonly int DtSums => 4 * Width;

        public readonly int HSums => DtSums + Outs;

        public readonly bool IsFirstChunk => FirstTile == 0;

        public readonly bool IsLastChunk => FirstTile + ChunkTiles >= Tiles.Count;

        public readonly int ChunkFirst => Tiles.First(FirstTile);

        public readonly int ChunkPixels => Math.Min(ChunkTiles * Tiles.Rows, Tiles.Pixels - ChunkFirst);

        /// <summary>Lays the scratch memory out and returns its length.</summary>
        public long Place(float* start)
        {
            MemoryLayout layout = new(start);
            int width = Shape.Width, ins = Patches.Taps * Shape.In, outs = Patches.Taps * Shape.Out;
            Scales = new Scales(Shape, layout.Take(Scales.Measure(Shape)));
            Sums = layout.Take((long)ChunkTiles * (Tiles.Rows / ColumnSums.Block) * SumCount);
            Totals = (double*)layout.Take(2L * SumCount);
            W1T = layout.Take(Panels.Length(width, ins));
            W2T = layout.Take(Panels.Length(width, width));
            W3T = layout.Take(Panels.Length(outs, width));
            DW3 = layout.Take(Panels.Length(width, outs));
            DPatches = layout.Take(Panels.Length(Pixels.Count, ins));
            Dt = layout.Take(ChunkTiles * OutLength);
            G2 = layout.Take(ChunkTiles * HiddenLength);
            G1 = layout.Take(ChunkTiles * HiddenLength);
            Patch = layout.Take(ChunkTiles * PatchLength);
            return layout.Length;
        }
    }

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

        public readonly void Run(int slot, int worker)
        {
            ref readonly BackwardContext c = ref Context;
            int tile = c.FirstTile + slot, first = c.Tiles.First(tile), rows = c.Tiles.Height(tile);
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
            CouplingNetShape shape = c.Shape;
            int pixels = c.ChunkPixels, width = shape.Width, outs = shape.Out;
            nint savedTile = 2 * c.HiddenLength;
            float* a1 = c.Saved + c.FirstTile * savedTile, a2 = a1 + c.HiddenLength;

            TileProduct product = new()
            {
                A = a2,
                ATile = savedTile,
                B = c.Dt,
                BTile = c.OutLength,
                C = c.DW3,
                CRow = Panels.Width,
                CPanel = (nint)width * Panels.Width,
                M = width,
                N = c.Outs,
                TileRows = c.Tiles.Rows,
            };
            product.Run(c.Gemm, pixels, c.IsFirstChunk, part, c.Parts);
            if (c.IsLastChunk)
                product.Finish(Taps, outs, c.Scales.S3, HostBuffer.Address(c.Gradients.W3), (nint)shape.In3 * outs, part, c.Parts);

            product.A = a1;
            product.B = c.G2;
            product.BTile = c.HiddenLength;
            product.C = HostBuffer.Address(c.Gradients.W2);
            product.CRow = width;
            product.CPanel = Panels.Width;
            product.N = width;
            product.Run(c.Gemm, pixels, c.IsFirstChunk, part, c.Parts);

            product.A = c.Patch;
            product.ATile = c.PatchLength;
            product.B = c.G1;
            product.C = HostBuffer.Address(c.Gradients.W1);
            product.M = Taps * shape.In1;
            product.Run(c.Gemm, pixels, c.IsFirstChunk, part, c.Parts);

            // Whole panels, so that no two workers write to one cache line.
            (int first, int end) = Workers.Share(c.SumCount / Panels.Width, part, c.Parts);
            ColumnSums.Add(
                c.Sums, c.SumCount, ColumnSums.Blocks(pixels), first * Panels.Width, end * Panels.Width, c.Totals);
        }
    }

    /// <summary>A worker's pixels of dz1; the first also writes what follows from the column sums.</summary>
    private struct InputGradientWork : IWork
    {
        public BackwardContext Context;

        public readonly void Run(int part, int worker)
        {
            ref readonly BackwardContext c = ref Context;
            (int first, int end) = Workers.Share(c.Tiles.Pixels, part, c.Parts);
            new Patches(c.Pixels, mirrored: true).Sum(
                c.DPatches, c.Ins, c.Shape.In, null, null, first, end - first, c.Dz1, c.Dz1Row);
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
