namespace GlowGpu.Kernels.Gpu;

/// <summary>Where <see cref="TapConvolution.Pack"/> puts the parts of a zero convolution, from the start of its window.</summary>
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
/// t = x·W <c>[P, 9·Out]</c>, whose taps are then shifted and added. Shared by the coupling network and the split prior.
/// </summary>
internal sealed class TapConvolution(GpuContext gpu)
{
    private readonly Kernel<PackArguments> pack = gpu.Declare<PackArguments>(LayOut);
    private readonly Kernel<Arguments> sum = gpu.Declare<Arguments>(Sum);
    private readonly Kernel<Arguments> spread = gpu.Declare<Arguments>(Spread);

    internal struct PackArguments
    {
        public Matrix Weight, Bias, Logs, Packed;
        public int In, Out, EdgeBias, Plane, Count;
    }

    internal struct Arguments
    {
        public Matrix Taps, Edge, Bias, Scale, H;
        public int Height, W, Out, Count;
    }

    /// <summary>Lays out W <c>[3,3,In+edge,Out]</c>, bias and logs as <see cref="TapLayout"/> says; without edge bias its part is zero.</summary>
    public void Pack(TapLayout layout, bool edgeBias, Matrix weight, Matrix bias, Matrix logs, Matrix packed) =>
        PackParts(layout, Plane(layout, edgeBias), edgeBias, weight, bias, logs, packed);

    /// <summary>
    /// Lays out all but the weights of a convolution, as the layout without input channels says: for products that keep the
    /// weights in a form of their own.
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

    /// <summary>h <c>[P,Out]</c> from the taps t <c>[P, 9·Out]</c> and what else <paramref name="layout"/> places in packed.</summary>
    public void AddTaps(TapLayout layout, Pixels pixels, Matrix packed, Matrix taps, Matrix h) =>
        sum.ForEach(checked(pixels.Count * layout.Out), Bind(layout, pixels, packed, taps, h));

    /// <summary>
    /// Overwrites the gradients of weight, bias and logs, given x, h and dh <c>[P,Out]</c>; returns the gradient of t
    /// <c>[P, 9·Out]</c> in scratch, of which the caller makes dx = dt·Wᵀ.
    /// </summary>
    public Matrix Backward(TapLayout layout, bool edgeBias, Pixels pixels, Matrix x, Matrix h, Matrix packed, Matrix logs,
        Matrix dh, Matrix dWeight, Matrix dBias, Matrix dLogs)
    {
        int p = pixels.Count, cols = Taps.Count * layout.Out;
        Matrix taps = gpu.Scratch.Take(ScratchSlot.Taps, p, cols);
        spread.ForEach(checked(p * cols), Bind(layout, pixels, packed, taps, dh));
        gpu.Columns.Scaled(dh, p, layout.Out, logs, dBias);
        gpu.Columns.TimesProducts(dh, h, p, layout.Out, 3f, dLogs);
        (Matrix slices, int count) = gpu.Gemm.TransposedSlices(layout.In, cols, p, x, taps);
        gpu.Columns.TapSlices(slices, count, layout.In, layout.Out, Plane(layout, edgeBias), dWeight);
        if (edgeBias) EdgeGradient(layout, pixels, dh, logs, dWeight);
        return taps;
    }

    /// <summary>
    /// Overwrites the edge rows of dWeight <c>[3,3,In+1,Out]</c>: per tap, exp(3·logs) times the sum of dh over the pixels
    /// whose tap lies outside the image.
    /// </summary>
    public void EdgeGradient(TapLayout layout, Pixels pixels, Matrix dh, Matrix logs, Matrix dWeight) =>
        gpu.Columns.ScaledOutside(dh, pixels, layout.Out, logs,
            dWeight.Window((long)layout.In * layout.Out, (layout.In + 1) * layout.Out));

    private void PackParts(TapLayout layout, int plane, bool edgeBias, Matrix weight, Matrix bias, Matrix logs, Matrix packed) =>
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

    private static Arguments Bind(TapLayout layout, Pixels pixels, Matrix packed, Matrix taps, Matrix h) => new()
    {
        Taps = taps,
        Edge = packed.Window(layout.Edge, layout.Out),
        Bias = packed.Window(layout.Bias, layout.Out),
        Scale = packed.Window(layout.Scale, layout.Out),
        H = h,
        Height = pixels.H,
        W = pixels.W,
        Out = layout.Out,
        Count = pixels.Count,
    };

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
    private static void Sum(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count * arguments.Out; i += GridStride.Step)
        {
            int p = i / arguments.Out, o = i % arguments.Out;
            float sum = arguments.Bias[o];
            for (int tap = 0; tap < Taps.Count; tap++)
            {
                sum += Taps.Inside(p, tap, 1, arguments.Height, arguments.W)
                    ? arguments.Taps[p + Taps.Offset(tap, arguments.W), tap * arguments.Out + o]
                    : arguments.Edge[tap, o];
            }
            arguments.H[p, o] = sum * arguments.Scale[o];
        }
    }

    /// <summary>dt[q, tap, o] = dh[q − δ, o]·scale[o], or 0 where q − δ lies outside the image.</summary>
    private static void Spread(Arguments arguments)
    {
        int cols = Taps.Count * arguments.Out;
        for (int i = GridStride.First; i < arguments.Count * cols; i += GridStride.Step)
        {
            int q = i / cols, col = i % cols;
            int tap = col / arguments.Out, o = col % arguments.Out;
            arguments.Taps[q, col] = Taps.Inside(q, tap, -1, arguments.Height, arguments.W)
                ? arguments.H[q - Taps.Offset(tap, arguments.W), o] * arguments.Scale[o]
                : 0f;
        }
    }
}
