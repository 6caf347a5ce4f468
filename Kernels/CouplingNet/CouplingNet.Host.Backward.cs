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
// The pixels are cut into groups, as many as the shape says, and a group is walked in chunks that fit an L2 cache: tiles are carried
// backwards through the layers, keeping dt, g2, g1 and the patches, then added to the group's weight gradients. The groups' sums are
// added up in order at the end. With several groups a worker takes whole ones, and nothing but their sums ever leaves its cache; with
// one (few pixels for so many weights) the workers divide the tiles of a chunk, and then the weight gradients over all of its pixels.
// No sum over pixels is ever split by worker, so gradients do not depend on the number of threads.
public sealed unsafe partial class HostCouplingNet
{
    // What a worker adds to a chunk: its tiles of a1, a2, g1 and g2, about the size of a core's L2.
    private const int ChunkBytes = 1 << 20;

    private const int MaxGroups = 16, MinGroups = 4;

    // What a group's weight gradients may cost: at most a third of the bytes of its tiles.
    private const int TilesOverWeights = 3;

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
            Tiles = Cut(shape, pixels.Count),
            Parts = workers.Count,
            GroupTiles = Math.Min(GroupTiles(shape, pixels.Count), Cut(shape, pixels.Count).Count),
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
        context.Groups = (context.Tiles.Count + context.GroupTiles - 1) / context.GroupTiles;
        int tileBytes = 4 * sizeof(float) * context.Width * context.Tiles.Rows;
        int chunk = Math.Max(ChunkBytes / tileBytes, 1);
        context.ChunkTiles = Math.Min(context.GroupTiles, context.Groups > 1 ? chunk : chunk * workers.Count);
        context.Slots = context.Groups > 1 ? context.ChunkTiles * workers.Count : context.ChunkTiles;
        long length = context.Place(null);
        context.Place(scratch.Take(length));
        context.Scales.Compute(parameters);
        new Span<double>(context.Totals, context.Groups * context.SumCount).Clear();

        workers.Run(Taps, new PackTransposedWork { Context = context });
        if (context.Groups > 1)
        {
            workers.Run(context.Groups, new GroupWork { Context = context });
            workers.Run(workers.Count, new GroupSumWork { Context = context });
        }
        else
        {
            for (int tile = 0; tile < context.Tiles.Count; tile += context.ChunkTiles)
            {
                context.FirstTile = tile;
                workers.Run(Math.Min(context.ChunkTiles, context.Tiles.Count - tile), new HiddenGradientWork { Context = context });
                workers.Run(workers.Count, new WeightGradientWork { Context = context });
            }
        }
        workers.Run(workers.Count, new InputGradientWork { Context = context });
    }

    /// <summary>
    /// Tiles of a group of pixels. A group costs its weight gradients written and read once; it saves the workers from reading
    /// each other's tiles. Several groups only where their pixels are so many that the first is little beside the second; the
    /// number of workers must not matter.
    /// </summary>
    private static int GroupTiles(CouplingNetShape shape, int pixels)
    {
        double weights = shape.Width * (Taps * shape.In1 + shape.Width + Taps * shape.Out);
        double perPixel = 4 * shape.Width + Taps * (shape.In1 + shape.Out);
        int groups = 1;
        while (2 * groups <= MaxGroups && pixels * perPixel >= TilesOverWeights * 2 * groups * weights) groups *= 2;
        int tiles = (pixels + Tiles.MaxRows - 1) / Tiles.MaxRows;
        return groups < MinGroups ? int.MaxValue : (tiles + groups - 1) / groups;
    }

    /// <summary>The tiles of forward and backward: of full height where there are several groups, which whole tiles must make up.</summary>
    private Tiles Cut(CouplingNetShape shape, int pixels) =>
        GroupTiles(shape, pixels) == int.MaxValue ? new Tiles(pixels, workers.Count) : Tiles.Full(pixels);

    /// <summary>Everything the phases of one backward pass share.</summary>
    private struct BackwardContext
    {
        public HostGemm Gemm;
        public CouplingNetShape Shape;
        public Pixels Pixels;
        public Tiles Tiles;
        public int Parts, Groups, GroupTiles, ChunkTiles, Slots, FirstTile;
        public CouplingNetParameters Parameters, Gradients;
        public float* Z1, H, Dh, Dz1, Saved;
        public nint Z1Row, HRow, DhRow, Dz1Row;

        public Scales Scales;

        /// <summary>Scaled weights, transposed, in panels: [Width, 9·In] (no edge), [Width, Width], [9·Out, Width].</summary>
        public float* W1T, W2T, W3T;

        /// <summary>a2ᵀ·dt [Width, 9·Out] in panels, of every group.</summary>
        public float* DW3;

        /// <summary>The gradients of W2 and W1 of every group, in rows; with one group they are made in place.</summary>
        public float* DW2, DW1;

        /// <summary>g1·W1ᵀ of all pixels, rows of 9·In padded to whole panels.</summary>
        public float* DPatches;

        /// <summary>Tiles of a chunk, in panels; with several groups a chunk for each worker.</summary>
        public float* Dt, G2, G1, Patch;

        /// <summary>
        /// Rows [Σ g1, Σ g1·a1, Σ g2, Σ g2·a2, Σ dt, Σ dh·h] of every block of pixels of a chunk, and their total over a group.
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

        public readonly nint DW3Length => (nint)Panels.Length(Shape.Width, Patches.Taps * Shape.Out);

        public readonly nint DW2Length => (nint)Shape.Width * Shape.Width;

        public readonly nint DW1Length => (nint)Patches.Taps * Shape.In1 * Shape.Width;

        /// <summary>The product a2ᵀ·dt of a group; A and B are still to be set.</summary>
        public readonly TileProduct LastLayer(int group) => new()
        {
            C = DW3 + group * DW3Length,
            CRow = Panels.Width,
            CPanel = (nint)Shape.Width * Panels.Width,
            M = Shape.Width,
            N = Outs,
            TileRows = Tiles.Rows,
        };

        /// <summary>Lays the scratch memory out and returns its length.</summary>
        public long Place(float* start)
        {
            MemoryLayout layout = new(start);
            int width = Shape.Width, ins = Patches.Taps * Shape.In, outs = Patches.Taps * Shape.Out;
            Scales = new Scales(Shape, layout.Take(Scales.Measure(Shape)));
            Sums = layout.Take((long)Slots * (Tiles.Rows / ColumnSums.Block) * SumCount);
            Totals = (double*)layout.Take(2L * Groups * SumCount);
            W1T = layout.Take(Panels.Length(width, ins));
            W2T = layout.Take(Panels.Length(width, width));
            W3T = layout.Take(Panels.Length(outs, width));
            DW3 = layout.Take(Groups * DW3Length);
            if (Groups > 1)
            {
                DW2 = layout.Take(Groups * DW2Length);
                DW1 = layout.Take(Groups * DW1Length);
            }
            else
            {
                DW2 = HostBuffer.Address(Gradients.W2);
                DW1 = HostBuffer.Address(Gradients.W1);
            }
            DPatches = layout.Take(Panels.Length(Pixels.Count, ins));
            Dt = layout.Take(Slots * OutLength);
            G2 = layout.Take(Slots * HiddenLength);
            G1 = layout.Take(Slots * HiddenLength);
            Patch = layout.Take(Slots * PatchLength);
            return layout.Length;
        }
    }
}
