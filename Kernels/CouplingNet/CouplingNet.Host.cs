using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

/// <summary>
/// The coupling network on the host. Forward: a worker takes a tile of pixels and carries it through the three products while
/// its hidden activations stay in L2; a second pass adds up the nine taps of the last convolution. Everything per channel is folded
/// into the packed weights, so that a hidden layer ends in bias and ReLU.
/// </summary>
public sealed unsafe partial class HostCouplingNet : ICouplingNet
{
    private const int Taps = Patches.Taps;

    private readonly Workers workers;
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
    public long PackedLength(CouplingNetShape shape) => new Packed(shape, null).Length;

    /// <inheritdoc/>
    public long SavedLength(CouplingNetShape shape, int pixels)
    {
        Tiles tiles = Cut(shape, pixels);
        return 2 * tiles.Count * Panels.Length(tiles.Rows, shape.Width);
    }

    /// <inheritdoc/>
    public void Pack(CouplingNetShape shape, CouplingNetParameters parameters, View packed)
    {
        Shapes.CheckCouplingNetPack(shape, parameters, packed, PackedLength(shape));
        float* memory = scratch.Take(Scales.Measure(shape));
        Scales scales = new(shape, memory);
        scales.Compute(parameters);
        PackInto(shape, parameters, scales, new Packed(shape, HostBuffer.Address(packed)));
    }

    /// <inheritdoc/>
    public void Forward(CouplingNetShape shape, Pixels pixels, View z1, View packed, View h, View saved)
    {
        Shapes.CheckCouplingNet(
            shape, pixels, z1, packed, h, saved, PackedLength(shape), SavedLength(shape, pixels.Count));
        ForwardWork work = new()
        {
            Gemm = gemm,
            Shape = shape,
            Pixels = pixels,
            Tiles = Cut(shape, pixels.Count),
            Packed = new Packed(shape, HostBuffer.Address(packed)),
            Z1 = HostBuffer.Address(z1),
            Z1Row = z1.Stride,
            Saved = saved.IsNone ? null : HostBuffer.Address(saved),
        };
        work.Place(scratch, workers.Count);
        workers.Run(work.Tiles.Count, work);
        workers.Run(workers.Count, new TapSum
        {
            Shape = shape,
            Pixels = pixels,
            Parts = workers.Count,
            Packed = work.Packed,
            Taps = work.Taps,
            H = HostBuffer.Address(h),
            HRow = h.Stride,
        });
    }

    private void PackInto(CouplingNetShape shape, CouplingNetParameters parameters, Scales scales, Packed packed)
    {
        workers.Run(Taps, new PackWork { Shape = shape, Parameters = parameters, Scales = scales, Packed = packed });
    }

    /// <summary>
    /// Where the folded weights lie: W1, W2, W3 in panels (W3 as <c>[Width, 9·Out]</c>, a block of columns for each tap), the edge rows
    /// of W3 <c>[9·Out]</c> and the three biases.
    /// </summary>
    private readonly struct Packed
    {
        public readonly float* W1, Bias1, W2, Bias2, W3, Edge3, Bias3;
        public readonly long Length;

        public Packed(CouplingNetShape shape, float* start)
        {
            MemoryLayout layout = new(start);
            W1 = layout.Take(Panels.Length(Patches.Taps * shape.In1, shape.Width));
            Bias1 = layout.Take(Panels.Pad(shape.Width));
            W2 = layout.Take(Panels.Length(shape.Width, shape.Width));
            Bias2 = layout.Take(Panels.Pad(shape.Width));
            W3 = layout.Take(Panels.Length(shape.Width, Patches.Taps * shape.Out));
            Edge3 = layout.Take(Panels.Pad(Patches.Taps * shape.Out));
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

    /// <summary>Packs, a ninth of everything in each part: a tap of W1 and W3, some rows of W2.</summary>
    private struct PackWork : IWork
    {
        public CouplingNetShape Shape;
        public CouplingNetParameters Parameters;
        public Scales Scales;
        public Packed Packed;

        public readonly void Run(int tap, int worker)
        {
            int width = Shape.Width, outs = Shape.Out, in1 = Shape.In1;

            float* w1 = Packed.W1 + (nint)tap * in1 * Panels.Width;
            nint panel = (nint)Taps * in1 * Panels.Width;
            Panels.Pack(HostBuffer.Address(Parameters.W1) + (nint)tap * in1 * width, width, in1, width, Scales.S1, w1, panel);
            Panels.ClearPadding(w1, panel, in1, width);

            (int first, int end) = Workers.Share(width, tap, Taps);
            int rows = end - first;
            float* w2 = Packed.W2 + (nint)first * Panels.Width;
            panel = (nint)width * Panels.Width;
            Panels.Pack(HostBuffer.Address(Parameters.W2) + (nint)first * width, width, rows, width, Scales.S2, w2, panel);
            Panels.ClearPadding(w2, panel, rows, width);

            float* w3 = HostBuffer.Address(Parameters.W3) + (nint)tap * Shape.In3 * outs;
            Panels.Pack(w3, outs, width, outs, Scales.S3, Packed.W3, panel, tap * outs);
            if (tap == Taps - 1) Panels.ClearPadding(Packed.W3, panel, width, Taps * outs);
            if (Shape.EdgeBias)
                for (int o = 0; o < outs; o++) Packed.Edge3[tap * outs + o] = w3[(nint)width * outs + o] * Scales.S3[o];

            if (tap > 0) return;
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

    /// <summary>Carries one tile of pixels from z1 to the taps of the last convolution.</summary>
    private struct ForwardWork : IWork
    {
        public HostGemm Gemm;
        public CouplingNetShape Shape;
        public Pixels Pixels;
        public Tiles Tiles;
        public Packed Packed;
        public float* Z1;
        public nint Z1Row;
        public float* Saved;

        /// <summary>[P, 9·Out], rows padded to whole panels.</summary>
        public float* Taps;

        private float* local;
        private nint localLength;

        private readonly nint PatchLength => (nint)Panels.Length(Tiles.Rows, Patches.Taps * Shape.In1);

        private readonly nint HiddenLength => (nint)Panels.Length(Tiles.Rows, Shape.Width);

        /// <summary>Scratch: the taps, and for each worker a tile's patches and, unless they are saved, activations.</summary>
        public void Place(KeptMemory<float> scratch, int workers)
        {
            nint taps = (nint)Panels.Length(Pixels.Count, Patches.Taps * Shape.Out);
            localLength = PatchLength + (Saved is null ? 2 * HiddenLength : 0);
            Taps = scratch.Take(taps + workers * localLength);
            local = Taps + taps;
        }

        public readonly void Run(int tile, int worker)
        {
            int first = Tiles.First(tile), rows = Tiles.Height(tile), in1 = Shape.In1;
            int width = Panels.Pad(Shape.Width), outs = Panels.Pad(Patches.Taps * Shape.Out);
            nint panel = (nint)Tiles.Rows * Panels.Width;
            float* patches = local + worker * localLength;
            float* a1 = Saved is null ? patches + PatchLength : Saved + tile * 2 * HiddenLength;
            float* a2 = a1 + HiddenLength;

            new Patches(Pixels, mirrored: false).Gather(Z1, Z1Row, Shape.In, Shape.EdgeBias, first, rows, patches, panel);

            Product product = Product.OfPanels(patches, panel, rows, Patches.Taps * in1, Packed.W1, width);
            product.ToPanels(a1, panel);
            product.AddBias(Packed.Bias1, relu: true);
            Gemm.Multiply(ref product);

            product = Product.OfPanels(a1, panel, rows, Shape.Width, Packed.W2, width);
            product.ToPanels(a2, panel);
            product.AddBias(Packed.Bias2, relu: true);
            Gemm.Multiply(ref product);

            product = Product.OfPanels(a2, panel, rows, Shape.Width, Packed.W3, outs);
            product.ToRows(Taps + (nint)first * outs, outs);
            Gemm.Multiply(ref product);
        }
    }

    /// <summary>Adds up the taps, the edge rows and the bias of the last convolution.</summary>
    private struct TapSum : IWork
    {
        public CouplingNetShape Shape;
        public Pixels Pixels;
        public int Parts;
        public Packed Packed;
        public float* Taps, H;
        public nint HRow;

        public readonly void Run(int part, int worker)
        {
            (int first, int end) = Workers.Share(Pixels.Count, part, Parts);
            new Patches(Pixels, mirrored: false).Sum(Taps, Panels.Pad(Patches.Taps * Shape.Out), Shape.Out,
                Shape.EdgeBias ? Packed.Edge3 : null, Packed.Bias3, first, end - first, H, HRow);
        }
    }
}
