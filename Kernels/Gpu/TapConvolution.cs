namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// Where <see cref="TapConvolution.Pack"/> puts the parts of a zero convolution, from the start of its window.
/// </summary>
internal readonly record struct TapLayout(int In, int Out)
{
    /// <summary>Weights <c>[In, 9·Out]</c>.</summary>
    public int WeightLength => checked(In * Taps.Count * Out);

    /// <summary>Edge-bias weights <c>[9, Out]</c>.</summary>
    public int Edge => WeightLength;

    /// <summary>Bias <c>[Out]</c>.</summary>
    public int Bias => Edge + Taps.Count * Out;

    /// <summary>exp(3·logs) <c>[Out]</c>.</summary>
    public int Scale => Bias + Out;

    public int Length => Scale + Out;
}

/// <summary>
/// The zero-initialised 3×3 convolution h = (conv(x) + bias)·exp(3·logs) as a product with all nine taps at once,
/// t = x·W <c>[P, 9·Out]</c>, whose taps are then shifted and added. Shared by the coupling network and the split
/// prior.
/// </summary>
internal sealed class TapConvolution(GpuContext gpu)
{
    private readonly Kernel<PackArguments> pack = gpu.Declare<PackArguments>(LayOut);
    private readonly VectorKernel<Arguments> sum = new(gpu, Sum<Width1>, Sum<Width2>, Sum<Width4>);
    private readonly VectorKernel<Arguments> spread = new(gpu, Spread<Width1>, Spread<Width2>, Spread<Width4>);

    internal struct PackArguments
    {
        public Matrix Weight, Bias, Logs, Packed;
        public int In, Out, EdgeBias, Plane, Count;
    }

    internal struct Arguments
    {
        public Matrix Taps, Edge, Bias, Scale, H;
        public Divisor Height, W;
        public int Out, Count;

        /// <summary>Vectors of Out channels, and of a row of t.</summary>
        public Divisor Vectors, RowVectors;
    }

    /// <summary>
    /// Lays out W <c>[3,3,In+edge,Out]</c>, bias and logs as <see cref="TapLayout"/> says; without edge bias its part
    /// is zero.
    /// </summary>
    public void Pack(TapLayout layout, bool edgeBias, Matrix weight, Matrix bias, Matrix logs, Matrix packed) =>
        PackParts(layout, Plane(layout, edgeBias), edgeBias, weight, bias, logs, packed);

    /// <summary>
    /// Lays out all but the weights of a convolution, as the layout without input channels says: for products that
    /// keep the weights in a form of their own.
    /// </summary>
    public void PackTail(TapLayout layout, bool edgeBias, Matrix weight, Matrix bias, Matrix logs, Matrix packed) =>
        PackParts(layout with { In = 0 }, Plane(layout, edgeBias), edgeBias,
            weight.Window((long)layout.In * layout.Out, layout.Out), bias, logs, packed);

    /// <summary>h <c>[P,Out]</c> from x <c>[P,In]</c>.</summary>
    public void Forward(TapLayout layout, Pixels pixels, Matrix x, Matrix packed, Matrix h)
    {
        int cols = Taps.Count * layout.Out;
        Matrix taps = gpu.Scratch.Take(ScratchSlot.Taps, pixels.Count, cols);
        gpu.Gemm.Multiply(pixels.Count, cols, layout.In, x, packed.Window(0, cols), taps);
        AddTaps(layout, pixels, packed, taps, h);
    }

    /// <summary>
    /// h <c>[P,Out]</c> from the taps t <c>[P, 9·Out]</c> and what else <paramref name="layout"/> places in packed.
    /// </summary>
    public void AddTaps(TapLayout layout, Pixels pixels, Matrix packed, Matrix taps, Matrix h) =>
        Launch(sum, layout, pixels, packed, taps, h, 1);

    /// <summary>
    /// Overwrites the gradients of weight, bias and logs, given x, h and dh <c>[P,Out]</c>; returns the gradient of t
    /// <c>[P, 9·Out]</c> in scratch, of which the caller makes dx = dt·Wᵀ.
    /// </summary>
    public Matrix Backward(TapLayout layout, bool edgeBias, Pixels pixels, Matrix x, Matrix h,
        Matrix packed, Matrix logs,
        Matrix dh, Matrix dWeight, Matrix dBias, Matrix dLogs)
    {
        int p = pixels.Count, cols = Taps.Count * layout.Out;
        Matrix taps = gpu.Scratch.Take(ScratchSlot.Taps, p, cols);
        Launch(spread, layout, pixels, packed, taps, dh, Taps.Count);
        gpu.Columns.Scaled(dh, p, layout.Out, logs, dBias);
        gpu.Columns.TimesProducts(dh, h, p, layout.Out, 3f, dLogs);
        (Matrix slices, int count) = gpu.Gemm.TransposedSlices(layout.In, cols, p, x, taps);
        gpu.Columns.TapSlices(slices, count, layout.In, layout.Out, Plane(layout, edgeBias), dWeight);
        if (edgeBias) EdgeGradient(layout, pixels, dh, logs, dWeight);
        return taps;
    }

    /// <summary>
    /// Overwrites the edge rows of dWeight <c>[3,3,In+1,Out]</c>: per tap, exp(3·logs) times the sum of dh over the
    /// pixels whose tap lies outside the image.
    /// </summary>
    public void EdgeGradient(TapLayout layout, Pixels pixels, Matrix dh, Matrix logs, Matrix dWeight) =>
        gpu.Columns.ScaledOutside(dh, pixels, layout.Out, logs,
            dWeight.Window((long)layout.In * layout.Out, (layout.In + 1) * layout.Out));

    private void PackParts(TapLayout layout, int plane, bool edgeBias, Matrix weight, Matrix bias,
        Matrix logs, Matrix packed) =>
        pack.ForEach(layout.Length, new()
        {
            Weight = weight,
            Bias = bias,
            Logs = logs,
            Packed = packed,
            In = layout.In,
            Out = layout.Out,
            EdgeBias = edgeBias ? 1 : 0,
            Plane = plane,
            Count = layout.Length,
        });

    // Elements from tap to tap of the weights.
    private static int Plane(TapLayout layout, bool edgeBias) => checked((layout.In + (edgeBias ? 1 : 0)) * layout.Out);

    /// <summary>Queues a kernel over <paramref name="planes"/>·Out channels of each pixel.</summary>
    private static void Launch(VectorKernel<Arguments> kernel, TapLayout layout, Pixels pixels, Matrix packed,
        Matrix taps, Matrix h, int planes)
    {
        Arguments arguments = new()
        {
            Taps = taps,
            Edge = packed.Window(layout.Edge, layout.Out),
            Bias = packed.Window(layout.Bias, layout.Out),
            Scale = packed.Window(layout.Scale, layout.Out),
            H = h,
            Height = new Divisor(pixels.H),
            W = new Divisor(pixels.W),
            Out = layout.Out,
        };
        // The parts of the packed weights begin at multiples of Out from its beginning, and so do the taps in their
        // rows.
        int width = 4;
        while (width > 1 && !(Vectors.Fits(h, layout.Out, width) && Vectors.Fits(arguments.Edge, layout.Out,
            width))) width /= 2;
        int vectors = layout.Out / width;
        arguments.Vectors = new Divisor(vectors);
        arguments.RowVectors = new Divisor(Taps.Count * vectors);
        arguments.Count = checked(pixels.Count * planes * vectors);
        kernel.For(width).ForEach(arguments.Count, arguments);
    }

    private static void LayOut(PackArguments arguments)
    {
        int taps = Taps.Count * arguments.Out;
        int edge = arguments.In * taps;
        int bias = edge + taps;
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int o = i % arguments.Out;
            float value;
            if (i < bias)
            {
                // Row In holds the edge weights, in the packed order and (if there are any) in the parameter alike.
                int row = i / taps, tap = i / arguments.Out % Taps.Count;
                value = row < arguments.In + arguments.EdgeBias
                    ? arguments.Weight[tap * arguments.Plane + row * arguments.Out + o]
                    : 0f;
            }
            else
            {
                value = i < bias + arguments.Out ? arguments.Bias[o] : GpuMath.Exp(3f * arguments.Logs[o]);
            }
            arguments.Packed[i] = value;
        }
    }

    /// <summary>h[p,o] = (Σ_tap (inside ? t[p + δ, tap, o] : edge[tap, o]) + bias[o])·scale[o].</summary>
    [Promises("LD.E.128", "ST.E.128", For = typeof(Width4))]
    private static void Sum<TWidth>(Arguments arguments) where TWidth : struct, IWidth
    {
        AddOp add = default;
        ScaleOp scale = default;
        Lanes unused = default;
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int p = arguments.Vectors.Divide(i), o = (i - p * arguments.Vectors.Value) * TWidth.Size;
            PixelPlace place = new(p, arguments.W, arguments.Height);
            Lanes sum = TWidth.Load(arguments.Bias, o);
            for (int tap = 0; tap < Taps.Count; tap++)
            {
                Lanes term = place.Inside(tap, 1, arguments.W, arguments.Height)
                    ? TWidth.Load(arguments.Taps, (p + Taps.Offset(tap, arguments.W.Value)) * arguments.Taps.Stride
                    + tap * arguments.Out + o)
                    : TWidth.Load(arguments.Edge, tap * arguments.Out + o);
                TWidth.Each(ref add, ref sum, ref term, ref unused, ref unused);
            }
            Lanes factor = TWidth.Load(arguments.Scale, o);
            TWidth.Each(ref scale, ref sum, ref factor, ref unused, ref unused);
            TWidth.Store(arguments.H, p * arguments.H.Stride + o, sum);
        }
    }

    /// <summary>dt[q, tap, o] = dh[q − δ, o]·scale[o], or 0 where q − δ lies outside the image.</summary>
    [Promises("LD.E.128", "ST.E.128", For = typeof(Width4))]
    private static void Spread<TWidth>(Arguments arguments) where TWidth : struct, IWidth
    {
        ScaleOp scale = default;
        Lanes unused = default;
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int q = arguments.RowVectors.Divide(i), vector = i - q * arguments.RowVectors.Value;
            int tap = arguments.Vectors.Divide(vector), o = (vector - tap * arguments.Vectors.Value) * TWidth.Size;
            PixelPlace place = new(q, arguments.W, arguments.Height);
            Lanes value = default;
            if (place.Inside(tap, -1, arguments.W, arguments.Height))
            {
                value = TWidth.Load(arguments.H, (q - Taps.Offset(tap, arguments.W.Value)) * arguments.H.Stride + o);
                Lanes factor = TWidth.Load(arguments.Scale, o);
                TWidth.Each(ref scale, ref value, ref factor, ref unused, ref unused);
            }
            TWidth.Store(arguments.Taps, q * arguments.Taps.Stride + vector * TWidth.Size, value);
        }
    }

    private struct AddOp : ILaneOp
    {
        public readonly void Apply(ref float sum, ref float term, ref float unused, ref float unusedToo) => sum += term;
    }

    private struct ScaleOp : ILaneOp
    {
        public readonly void Apply(ref float value, ref float factor, ref float unused, ref float unusedToo) =>
            value *= factor;
    }
}
