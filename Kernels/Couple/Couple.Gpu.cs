namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// <see cref="ICouple"/> on a GPU: one pass over z2 and h, each thread's ln scale summed per image on the way. 16 (24
/// backward) bytes of memory traffic per element of z2; all arithmetic hides behind it.
/// </summary>
internal sealed class GpuCouple(GpuContext gpu) : ICouple
{
    private readonly Kernel<Arguments> forwardAffine = gpu.Declare<Arguments>(ForwardAffine);
    private readonly Kernel<Arguments> inverseAffine = gpu.Declare<Arguments>(InverseAffine);
    private readonly Kernel<Arguments> backwardAffine = gpu.Declare<Arguments>(BackwardAffine);
    private readonly Kernel<Arguments> addScaled = gpu.Declare<Arguments>(AddScaled);
    private readonly Kernel<Arguments> backwardAdditive = gpu.Declare<Arguments>(BackwardAdditive);

    internal struct Arguments
    {
        public Matrix Z, H, DZ, DH;
        public ImageChunks Chunks;
        public int PixelsPerImage, Channels, Count;

        /// <summary>Sign of h in the additive coupling, derivative by the log-determinant backward.</summary>
        public float Factor;
    }

    /// <inheritdoc/>
    public void Forward(CouplingKind kind, Pixels pixels, View z2, View h, View logdet)
    {
        Shapes.CheckCouple(kind, pixels, z2, h, logdet);
        if (kind == CouplingKind.Affine) Reduce(forwardAffine, pixels, z2, h, logdet, 1f);
        else addScaled.ForEach((int)z2.Count, Bind(pixels, z2, h, 1f));
    }

    /// <inheritdoc/>
    public void Inverse(CouplingKind kind, Pixels pixels, View z2, View h, View logdet)
    {
        Shapes.CheckCouple(kind, pixels, z2, h, logdet);
        if (kind == CouplingKind.Affine) Reduce(inverseAffine, pixels, z2, h, logdet, -1f);
        else addScaled.ForEach((int)z2.Count, Bind(pixels, z2, h, -1f));
    }

    /// <inheritdoc/>
    public void Backward(CouplingKind kind, Pixels pixels, View z2, View h, View dz2, View dh, float gLogDet)
    {
        Shapes.CheckCoupleBackward(kind, pixels, z2, h, dz2, dh);
        Arguments arguments = Bind(pixels, z2, h, gLogDet);
        arguments.DZ = gpu.Matrix(dz2);
        arguments.DH = gpu.Matrix(dh);
        (kind == CouplingKind.Affine ? backwardAffine : backwardAdditive).ForEach((int)z2.Count, arguments);
    }

    private void Reduce(Kernel<Arguments> kernel, Pixels pixels, View z2, View h, View logdet, float sign)
    {
        Arguments arguments = Bind(pixels, z2, h, sign);
        arguments.Chunks = gpu.Images.Split(pixels.N, checked(arguments.PixelsPerImage * z2.Cols));
        gpu.Images.Launch(kernel, pixels.N, arguments.Chunks, arguments);
        if (!logdet.IsNone) gpu.Images.AddTo(gpu.Matrix(logdet), pixels.N, arguments.Chunks, sign);
    }

    private Arguments Bind(Pixels pixels, View z2, View h, float factor) => new()
    {
        Z = gpu.Matrix(z2),
        H = gpu.Matrix(h),
        DZ = gpu.Missing,
        DH = gpu.Missing,
        Chunks = new() { Partials = gpu.Missing },
        PixelsPerImage = pixels.H * pixels.W,
        Channels = z2.Cols,
        Count = (int)z2.Count,
        Factor = factor,
    };

    private static void ForwardAffine(Arguments arguments)
    {
        KahanSum logScale = default;
        int firstPixel = arguments.Chunks.Image * arguments.PixelsPerImage;
        for (int i = arguments.Chunks.First; i < arguments.Chunks.End; i += arguments.Chunks.Step)
        {
            int p = firstPixel + i / arguments.Channels, c = i % arguments.Channels;
            float s = arguments.H[p, 2 * c + 1] + 2f;
            arguments.Z[p, c] = (arguments.Z[p, c] + arguments.H[p, 2 * c]) * GpuMath.Sigmoid(s);
            logScale.Add(GpuMath.LogSigmoid(s));
        }
        arguments.Chunks.Store(logScale.Value);
    }

    private static void InverseAffine(Arguments arguments)
    {
        KahanSum logScale = default;
        int firstPixel = arguments.Chunks.Image * arguments.PixelsPerImage;
        for (int i = arguments.Chunks.First; i < arguments.Chunks.End; i += arguments.Chunks.Step)
        {
            int p = firstPixel + i / arguments.Channels, c = i % arguments.Channels;
            float s = arguments.H[p, 2 * c + 1] + 2f;
            arguments.Z[p, c] = arguments.Z[p, c] / GpuMath.Sigmoid(s) - arguments.H[p, 2 * c];
            logScale.Add(GpuMath.LogSigmoid(s));
        }
        arguments.Chunks.Store(logScale.Value);
    }

    private static void BackwardAffine(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int p = i / arguments.Channels, c = i % arguments.Channels;
            float s = arguments.H[p, 2 * c + 1] + 2f;
            float dz = arguments.DZ[p, c];
            float dshift = dz * GpuMath.Sigmoid(s);
            arguments.DH[p, 2 * c] = dshift;
            // 1 − sigmoid(s) = sigmoid(−s), without cancellation.
            arguments.DH[p, 2 * c + 1] = (dz * arguments.Z[p, c] + arguments.Factor) * GpuMath.Sigmoid(-s);
            arguments.DZ[p, c] = dshift;
        }
    }

    private static void AddScaled(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int p = i / arguments.Channels, c = i % arguments.Channels;
            arguments.Z[p, c] += arguments.Factor * arguments.H[p, c];
        }
    }

    private static void BackwardAdditive(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int p = i / arguments.Channels, c = i % arguments.Channels;
            arguments.DH[p, c] = arguments.DZ[p, c];
        }
    }
}
