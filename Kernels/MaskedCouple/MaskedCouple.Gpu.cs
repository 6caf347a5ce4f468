namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// <see cref="IMaskedCouple"/> on a GPU: one pass over z and h, the log-determinant summed per image on the way.
/// </summary>
internal sealed class GpuMaskedCouple(GpuContext gpu) : IMaskedCouple
{
    private readonly Kernel<Arguments> forward = gpu.Declare<Arguments>(Forward);
    private readonly Kernel<Arguments> inverse = gpu.Declare<Arguments>(Inverse);
    private readonly Kernel<Arguments> backward = gpu.Declare<Arguments>(Backward);
    private readonly Kernel<Arguments> condition = gpu.Declare<Arguments>(Condition);
    private readonly Kernel<Arguments> addCondition = gpu.Declare<Arguments>(AddCondition);

    internal struct Arguments
    {
        public Matrix Z, H, Factor, DZ, DH, Terms;
        public ImageChunks Chunks;
        public int PixelsPerImage, Width, Channels, Count;

        /// <summary>Parity of y + x that the mask changes; −1: any.</summary>
        public int Parity;
        public float GLogDet;

        /// <summary>Whether the mask changes that pixel.</summary>
        public readonly bool Changes(int pixel) =>
            Parity < 0 || ((pixel / Width % (PixelsPerImage / Width) + pixel % Width) & 1) == Parity;
    }

    /// <inheritdoc/>
    public void Forward(PixelMask mask, Pixels pixels, View z, View h, View factor, View logdet) =>
        Run(forward, mask, pixels, z, h, factor, logdet, 1f);

    /// <inheritdoc/>
    public void Inverse(PixelMask mask, Pixels pixels, View z, View h, View factor, View logdet) =>
        Run(inverse, mask, pixels, z, h, factor, logdet, -1f);

    /// <inheritdoc/>
    public void Backward(PixelMask mask, Pixels pixels, View z, View h, View factor, View dz, View dh,
        View dfactor, float gLogDet)
    {
        Shapes.CheckMaskedCoupleBackward(pixels, z, h, factor, dz, dh, dfactor);
        Arguments arguments = Bind(mask, pixels, z) with
        {
            H = gpu.Matrix(h),
            Factor = gpu.Matrix(factor),
            DZ = gpu.Matrix(dz),
            DH = gpu.Matrix(dh),
            Terms = gpu.Scratch.Take(ScratchSlot.FirstGradient, z.Rows, z.Cols),
            GLogDet = gLogDet,
        };
        backward.ForEach(arguments.Count, arguments);
        gpu.Columns.Times(arguments.Terms, z.Rows, z.Cols, 1f, gpu.Matrix(dfactor));
    }

    /// <inheritdoc/>
    public void Condition(PixelMask mask, Pixels pixels, View z, View target)
    {
        Shapes.CheckCondition(pixels, z, target);
        condition.ForEach((int)z.Count, Bind(mask, pixels, z) with { H = gpu.Matrix(target) });
    }

    /// <inheritdoc/>
    public void AddCondition(PixelMask mask, Pixels pixels, View dcondition, View dz)
    {
        Shapes.CheckCondition(pixels, dz, dcondition);
        addCondition.ForEach((int)dz.Count, Bind(mask, pixels, dz) with { H = gpu.Matrix(dcondition) });
    }

    private void Run(Kernel<Arguments> kernel, PixelMask mask, Pixels pixels, View z, View h, View factor,
        View logdet, float sign)
    {
        Shapes.CheckMaskedCouple(pixels, z, h, factor, logdet);
        Arguments arguments = Bind(mask, pixels, z) with
        {
            H = gpu.Matrix(h),
            Factor = gpu.Matrix(factor),
            Chunks = gpu.Images.Split(pixels.N, checked(pixels.H * pixels.W * z.Cols)),
        };
        gpu.Images.Launch(kernel, pixels.N, arguments.Chunks, arguments);
        if (!logdet.IsNone) gpu.Images.AddTo(gpu.Matrix(logdet), pixels.N, arguments.Chunks, sign);
    }

    private Arguments Bind(PixelMask mask, Pixels pixels, View z) => new()
    {
        Z = gpu.Matrix(z),
        H = gpu.Missing,
        Factor = gpu.Missing,
        DZ = gpu.Missing,
        DH = gpu.Missing,
        Terms = gpu.Missing,
        Chunks = new() { Partials = gpu.Missing },
        PixelsPerImage = pixels.H * pixels.W,
        Width = pixels.W,
        Channels = z.Cols,
        Count = (int)z.Count,
        Parity = mask == PixelMask.All ? -1 : mask == PixelMask.Even ? 0 : 1,
    };

    private static void Forward(Arguments arguments)
    {
        KahanSum logScale = default;
        int firstPixel = arguments.Chunks.Image * arguments.PixelsPerImage;
        for (int i = arguments.Chunks.First; i < arguments.Chunks.End; i += arguments.Chunks.Step)
        {
            int p = firstPixel + i / arguments.Channels, c = i % arguments.Channels;
            if (!arguments.Changes(p)) continue;
            float s = arguments.Factor[c] * GpuMath.Tanh(arguments.H[p, 2 * c + 1]);
            arguments.Z[p, c] = arguments.Z[p, c] * GpuMath.Exp(s) + arguments.H[p, 2 * c];
            logScale.Add(s);
        }
        arguments.Chunks.Store(logScale.Value);
    }

    private static void Inverse(Arguments arguments)
    {
        KahanSum logScale = default;
        int firstPixel = arguments.Chunks.Image * arguments.PixelsPerImage;
        for (int i = arguments.Chunks.First; i < arguments.Chunks.End; i += arguments.Chunks.Step)
        {
            int p = firstPixel + i / arguments.Channels, c = i % arguments.Channels;
            if (!arguments.Changes(p)) continue;
            float s = arguments.Factor[c] * GpuMath.Tanh(arguments.H[p, 2 * c + 1]);
            arguments.Z[p, c] = (arguments.Z[p, c] - arguments.H[p, 2 * c]) * GpuMath.Exp(-s);
            logScale.Add(s);
        }
        arguments.Chunks.Store(logScale.Value);
    }

    private static void Backward(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int p = i / arguments.Channels, c = i % arguments.Channels;
            float dt = 0f, draw = 0f, term = 0f;
            if (arguments.Changes(p))
            {
                float tanh = GpuMath.Tanh(arguments.H[p, 2 * c + 1]), factor = arguments.Factor[c];
                dt = arguments.DZ[p, c];
                float ds = dt * (arguments.Z[p, c] - arguments.H[p, 2 * c]) + arguments.GLogDet;
                draw = ds * factor * (1f - tanh * tanh);
                term = ds * tanh;
                arguments.DZ[p, c] = dt * GpuMath.Exp(factor * tanh);
            }
            arguments.DH[p, 2 * c] = dt;
            arguments.DH[p, 2 * c + 1] = draw;
            arguments.Terms[i] = term;
        }
    }

    private static void Condition(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int p = i / arguments.Channels, c = i % arguments.Channels;
            arguments.H[p, c] = arguments.Changes(p) ? 0f : arguments.Z[p, c];
        }
    }

    private static void AddCondition(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int p = i / arguments.Channels, c = i % arguments.Channels;
            if (!arguments.Changes(p)) arguments.Z[p, c] += arguments.H[p, c];
        }
    }
}
