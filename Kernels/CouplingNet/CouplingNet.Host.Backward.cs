using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

// Backward, with a = relu(u) saved (u = a wherever the gradient passes), s = exp(3·logs) and the folded weights W·diag(s):
//
//   dt[q, (tap, o)] = dh[q − δtap, o]            the taps of the last convolution, gathered
//   g2 = (dt·W3ᵀ) where a2 > 0                    g1 = (g2·W2ᵀ) where a1 > 0
//   dz1[p] += Σ_tap (g1·W1ᵀ)[p − δtap, tap]
//   dW3 = (a2ᵀ·dt)·diag(s3)                       dW2 = (a1ᵀ·g2)·diag(s2)        dW1 = (patchesᵀ·g1)·diag(s1)
//   dBias = s·Σ_p g,  dLogs = 3·Σ_p g·a           (last layer: g = dh, a = h)
//
// The batch is walked in chunks of about a thousand pixels. In a chunk the workers first carry tiles backwards through the layers,
// keeping dt, g2, g1 and the patches; then they divide the weight gradients among themselves, each over all pixels of the
// chunk, which are still in L3. No sum over pixels is ever split, so gradients do not depend on the number of threads.
public sealed unsafe partial class HostCouplingNet
{
    private const int ChunkPixels = 1024;

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
        context.ChunkTiles = Math.Min(context.Tiles.Count, Math.Max(ChunkPixels / context.Tiles.Rows, 1));
        long length = context.Place(null);
        context.Place(scratch.Reserve(length));
        context.Scales.Fold(shape, parameters);
        new Span<double>(context.Sums, context.SumCount).Clear();

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

        /// <summary>Folded weights, transposed, in panels: [Width, 9·In] (no edge), [Width, Width], [9·Out, Width].</summary>
        public float* W1T, W2T, W3T;

        /// <summary>Weight gradients before scaling, in panels.</summary>
        public float* DW1, DW2, DW3;

        /// <summary>g1·W1ᵀ of all pixels, rows of 9·In padded to whole panels.</summary>
        public float* DPatches;

        /// <summary>Tiles of a chunk, in panels.</summary>
        public float* Dt, G2, G1, Patch;

        /// <summary>Σ g and Σ g·a of the two hidden layers, Σ dt, Σ dh·h.</summary>
        public double* Sums;

        public readonly int Width => Panels.Pad(Shape.Width);

        public readonly int Outs => Panels.Pad(Patches.Taps * Shape.Out);

        public readonly int Ins => Panels.Pad(Patches.Taps * Shape.In);

        public readonly int SumCount => 4 * Width + Outs + Shape.Out;

        public readonly nint Panel => (nint)Tiles.Rows * Panels.Width;

        public readonly nint HiddenLength => (nint)Panels.Length(Tiles.Rows, Shape.Width);

        public readonly nint OutLength => (nint)Panels.Length(Tiles.Rows, Patches.Taps * Shape.Out);

        public readonly nint PatchLength => (nint)Panels.Length(Tiles.Rows, Patches.Taps * Shape.In1);

        public readonly bool IsFirstChunk => FirstTile == 0;

        public readonly bool IsLastChunk => FirstTile + ChunkTiles >= Tiles.Count;

        public readonly int ChunkFirst => Tiles.First(FirstTile);

        public readonly int ChunkPixels => Math.Min(ChunkTiles * Tiles.Rows, Tiles.Pixels - ChunkFirst);

        /// <summary>Lays the scratch memory out and returns its length.</summary>
        public long Place(float* start)
        {
            ScratchLayout layout = new(start);
            int width = Shape.Width, ins = Patches.Taps * Shape.In, in1 = Patches.Taps * Shape.In1, outs = Patches.Taps * Shape.Out;
            Scales = new Scales(Shape, layout.Take(Scales.Measure(Shape)));
            Sums = (double*)layout.Take(2L * SumCount);
            W1T = layout.Take(Panels.Length(width, ins));
            W2T = layout.Take(Panels.Length(width, width));
            W3T = layout.Take(Panels.Length(outs, width));
            DW1 = layout.Take(Panels.Length(in1, width));
            DW2 = layout.Take(Panels.Length(width, width));
            DW3 = layout.Take(Panels.Length(width, outs));
            DPatches = layout.Take(Panels.Length(Pixels.Count, ins));
            Dt = layout.Take(ChunkTiles * OutLength);
            G2 = layout.Take(ChunkTiles * HiddenLength);
            G1 = layout.Take(ChunkTiles * HiddenLength);
            Patch = layout.Take(ChunkTiles * PatchLength);
            return layout.Length;
        }
    }

    /// <summary>Packs the transposed folded weights, a ninth of each in every part.</summary>
    private struct PackTransposedWork : IWork
    {
        public BackwardContext Context;

        public readonly void Run(int tap, int worker)
        {
            CouplingNetShape shape = Context.Shape;
            int width = shape.Width, outs = shape.Out;
            nint panel = (nint)width * Panels.Width;
            float* w1 = HostBuffer.Address(Context.Parameters.W1) + (nint)tap * shape.In1 * width;
            Panels.PackTransposed(w1, width, width, shape.In, Context.Scales.S1, Context.W1T, panel, tap * shape.In);
            if (tap == Taps - 1) Panels.ClearPadding(Context.W1T, panel, width, Taps * shape.In);

            // Whole panels, so that no two parts write to one cache line.
            int panels = Panels.Count(width);
            int first = panels * tap / Taps * Panels.Width, end = Math.Min(panels * (tap + 1) / Taps * Panels.Width, width);
            float* w2 = HostBuffer.Address(Context.Parameters.W2) + (nint)first * width;
            if (end > first) Panels.PackTransposed(w2, width, width, end - first, Context.Scales.S2, Context.W2T, panel, first);
            if (end == width) Panels.ClearPadding(Context.W2T, panel, width, width);

            float* w3 = HostBuffer.Address(Context.Parameters.W3) + (nint)tap * shape.In3 * outs;
            float* w3T = Context.W3T + (nint)tap * outs * Panels.Width;
            panel = (nint)Taps * outs * Panels.Width;
            Panels.PackTransposed(w3, outs, outs, width, Context.Scales.S3, w3T, panel);
            Panels.ClearPadding(w3T, panel, outs, width);
        }
    }

    /// <summary>Carries one tile of a chunk from dh to the gradient of its patches.</summary>
    private struct HiddenGradientWork : IWork
    {
        public BackwardContext Context;

        public readonly void Run(int slot, int worker)
        {
            ref readonly BackwardContext c = ref Context;
            int tile = c.FirstTile + slot, first = c.Tiles.First(tile), rows = c.Tiles.Height(tile);
            CouplingNetShape shape = c.Shape;
            nint panel = c.Panel;
            float* dt = c.Dt + slot * c.OutLength;
            float* g2 = c.G2 + slot * c.HiddenLength, g1 = c.G1 + slot * c.HiddenLength;
            float* a1 = c.Saved + tile * 2 * c.HiddenLength, a2 = a1 + c.HiddenLength;

            new Patches(c.Pixels, mirrored: false).Gather(
                c.Z1, c.Z1Row, shape.In, shape.EdgeBias, first, rows, c.Patch + slot * c.PatchLength, panel);
            new Patches(c.Pixels, mirrored: true).Gather(c.Dh, c.DhRow, shape.Out, false, first, rows, dt, panel);

            Product product = new()
            {
                A = dt,
                ARow = Panels.Width,
                AStep = 1,
                ABlock = panel,
                B = c.W3T,
                BBlock = Panels.Width * Panels.Width,
                BPanel = (nint)Taps * shape.Out * Panels.Width,
                Block = Panels.Width,
                C = g2,
                CRow = Panels.Width,
                CPanel = panel,
                Operand = a2,
                OperandRow = Panels.Width,
                OperandPanel = panel,
                Epilogue = Epilogue.Mask,
                M = rows,
                N = c.Width,
                K = Taps * shape.Out,
            };
            c.Gemm.Multiply(ref product);

            product.A = g2;
            product.B = c.W2T;
            product.BPanel = (nint)shape.Width * Panels.Width;
            product.C = g1;
            product.Operand = a1;
            product.K = shape.Width;
            c.Gemm.Multiply(ref product);

            product.A = g1;
            product.B = c.W1T;
            product.C = c.DPatches + (nint)first * c.Ins;
            product.CRow = c.Ins;
            product.CPanel = Panels.Width;
            product.Epilogue = Epilogue.Store;
            product.N = c.Ins;
            c.Gemm.Multiply(ref product);
        }
    }

    /// <summary>A worker's share of the weight gradients over one chunk; after the last, of writing them out.</summary>
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

            TileProduct w3 = new() { A = a2, ATile = savedTile, B = c.Dt, BTile = c.OutLength, C = c.DW3, M = width, N = Taps * outs, TileRows = c.Tiles.Rows };
            TileProduct w2 = new() { A = a1, ATile = savedTile, B = c.G2, BTile = c.HiddenLength, C = c.DW2, M = width, N = width, TileRows = c.Tiles.Rows };
            TileProduct w1 = new() { A = c.Patch, ATile = c.PatchLength, B = c.G1, BTile = c.HiddenLength, C = c.DW1, M = Taps * shape.In1, N = width, TileRows = c.Tiles.Rows };
            w3.Run(c.Gemm, pixels, c.IsFirstChunk, part, c.Parts);
            w2.Run(c.Gemm, pixels, c.IsFirstChunk, part, c.Parts);
            w1.Run(c.Gemm, pixels, c.IsFirstChunk, part, c.Parts);

            double* sums2 = c.Sums + 2 * c.Width, sumsT = c.Sums + 4 * c.Width;
            (int hiddenFirst, int hiddenEnd) = Share(c.Width / Panels.Width, part);
            for (int j = hiddenFirst; j < hiddenEnd; j++)
            {
                nint at = j * c.Panel;
                int column = j * Panels.Width;
                ColumnSums.Add(c.G1 + at, c.HiddenLength, a1 + at, savedTile, pixels, c.Tiles.Rows,
                    c.Sums + column, c.Sums + c.Width + column);
                ColumnSums.Add(c.G2 + at, c.HiddenLength, a2 + at, savedTile, pixels, c.Tiles.Rows,
                    sums2 + column, sums2 + c.Width + column);
            }
            (int outFirst, int outEnd) = Share(c.Outs / Panels.Width, part);
            for (int j = outFirst; j < outEnd; j++)
                ColumnSums.Add(c.Dt + j * c.Panel, c.OutLength, null, 0, pixels, c.Tiles.Rows, sumsT + j * Panels.Width, null);

            if (!c.IsLastChunk) return;
            w3.Finish(c.Scales.S3, outs, HostBuffer.Address(c.Gradients.W3), (nint)shape.In3 * outs, outs, part, c.Parts);
            w2.Finish(c.Scales.S2, HostBuffer.Address(c.Gradients.W2), part, c.Parts);
            w1.Finish(c.Scales.S1, HostBuffer.Address(c.Gradients.W1), part, c.Parts);
            Finish(c.Sums, c.Scales.S1, c.Gradients.Bias1, c.Gradients.Logs1, hiddenFirst, hiddenEnd);
            Finish(sums2, c.Scales.S2, c.Gradients.Bias2, c.Gradients.Logs2, hiddenFirst, hiddenEnd);
        }

        private readonly void Finish(double* sums, float* scale, View bias, View logs, int firstPanel, int endPanel)
        {
            float* dBias = HostBuffer.Address(bias), dLogs = HostBuffer.Address(logs);
            int end = Math.Min(endPanel * Panels.Width, Context.Shape.Width);
            for (int j = firstPanel * Panels.Width; j < end; j++)
            {
                dBias[j] = (float)(sums[j] * scale[j]);
                dLogs[j] = (float)(3 * sums[Context.Width + j]);
            }
        }

        private readonly (int First, int End) Share(int count, int part) =>
            (count * part / Context.Parts, count * (part + 1) / Context.Parts);
    }

    /// <summary>A worker's pixels of dz1; the first also finishes the last layer's small gradients.</summary>
    private struct InputGradientWork : IWork
    {
        public BackwardContext Context;

        public readonly void Run(int part, int worker)
        {
            ref readonly BackwardContext c = ref Context;
            int count = c.Tiles.Pixels, outs = c.Shape.Out;
            int first = (int)((long)count * part / c.Parts), end = (int)((long)count * (part + 1) / c.Parts);
            new Patches(c.Pixels, mirrored: true).Sum(
                c.DPatches, c.Ins, c.Shape.In, null, null, first, end - first, c.Dz1, c.Dz1Row);
            if (part > 0) return;

            double* sumsT = c.Sums + 4 * c.Width, total = sumsT + Taps / 2 * outs;
            float* dBias = HostBuffer.Address(c.Gradients.Bias3), dLogs = HostBuffer.Address(c.Gradients.Logs3);
            float* dw3 = HostBuffer.Address(c.Gradients.W3);
            double* products = sumsT + c.Outs;
            ColumnSums.Dot(c.Dh, c.DhRow, c.H, c.HRow, count, outs, products);
            for (int o = 0; o < outs; o++)
            {
                double scale = c.Scales.S3[o];
                dBias[o] = (float)(total[o] * scale);
                dLogs[o] = (float)(3 * products[o]);

                // A tap that pixel p misses is dh[p] that no dt holds; the centre tap misses none.
                if (!c.Shape.EdgeBias) continue;
                for (int tap = 0; tap < Taps; tap++)
                    dw3[((nint)tap * c.Shape.In3 + c.Shape.Width) * outs + o] =
                        (float)((total[o] - sumsT[tap * outs + o]) * scale);
            }
        }
    }
}
