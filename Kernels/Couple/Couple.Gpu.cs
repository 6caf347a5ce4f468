namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// <see cref="ICouple"/> on a GPU: one pass over z2 and h, each thread's ln scale summed per image on the way. 16 (28
/// backward) bytes of memory traffic per element of z2; all arithmetic hides behind it.
/// </summary>
internal sealed class GpuCouple(GpuContext gpu) : ICouple
{
    private readonly VectorKernel<Arguments> forwardAffine = new(gpu, ForwardAffine<Width1>, ForwardAffine<Width2>,
        ForwardAffine<Width4>);
    private readonly VectorKernel<Arguments> inverseAffine = new(gpu, InverseAffine<Width1>, InverseAffine<Width2>,
        InverseAffine<Width4>);
    private readonly VectorKernel<Arguments> backwardAffine = new(gpu, BackwardAffine<Width1>, BackwardAffine<Width2>,
        BackwardAffine<Width4>);
    private readonly VectorKernel<Arguments> addScaled = new(gpu, AddScaled<Width1>, AddScaled<Width2>,
        AddScaled<Width4>);
    private readonly VectorKernel<Arguments> backwardAdditive = new(gpu, BackwardAdditive<Width1>,
        BackwardAdditive<Width2>, BackwardAdditive<Width4>);

    internal struct Arguments
    {
        public Matrix Z, H, DZ, DH;
        public ImageChunks Chunks;
        public int PixelsPerImage, Count;

        /// <summary>Vectors of a row of z2; all counts are of vectors.</summary>
        public Divisor Row;

        /// <summary>Sign of h in the additive coupling, derivative by the log-determinant backward.</summary>
        public float Factor;
    }

    /// <inheritdoc/>
    public void Forward(CouplingKind kind, Pixels pixels, View z2, View h, View logdet)
    {
        Shapes.CheckCouple(kind, pixels, z2, h, logdet);
        if (kind == CouplingKind.Affine) Reduce(forwardAffine, pixels, z2, h, logdet, 1f);
        else Add(pixels, z2, h, 1f);
    }

    /// <inheritdoc/>
    public void Inverse(CouplingKind kind, Pixels pixels, View z2, View h, View logdet)
    {
        Shapes.CheckCouple(kind, pixels, z2, h, logdet);
        if (kind == CouplingKind.Affine) Reduce(inverseAffine, pixels, z2, h, logdet, -1f);
        else Add(pixels, z2, h, -1f);
    }

    /// <inheritdoc/>
    public void Backward(CouplingKind kind, Pixels pixels, View z2, View h, View dz2, View dh, float gLogDet)
    {
        Shapes.CheckCoupleBackward(kind, pixels, z2, h, dz2, dh);
        bool affine = kind == CouplingKind.Affine;
        int width = affine ? Vectors.WidthOf([z2, dz2], [h, dh]) : Vectors.WidthOf([dz2, dh]);
        Arguments arguments = Bind(width, pixels, z2, h, gLogDet);
        arguments.DZ = gpu.Matrix(dz2);
        arguments.DH = gpu.Matrix(dh);
        (affine ? backwardAffine : backwardAdditive).For(width).ForEach(arguments.Count, arguments);
    }

    private void Add(Pixels pixels, View z2, View h, float sign)
    {
        int width = Vectors.WidthOf([z2, h]);
        Arguments arguments = Bind(width, pixels, z2, h, sign);
        addScaled.For(width).ForEach(arguments.Count, arguments);
    }

    private void Reduce(VectorKernel<Arguments> kernel, Pixels pixels, View z2, View h, View logdet, float sign)
    {
        int width = Vectors.WidthOf([z2], [h]);
        Arguments arguments = Bind(width, pixels, z2, h, sign);
        arguments.Chunks = gpu.Images.Split(pixels.N, checked(arguments.PixelsPerImage * arguments.Row.Value));
        gpu.Images.Launch(kernel.For(width), pixels.N, arguments.Chunks, arguments);
        if (!logdet.IsNone) gpu.Images.AddTo(gpu.Matrix(logdet), pixels.N, arguments.Chunks, sign);
    }

    private Arguments Bind(int width, Pixels pixels, View z2, View h, float factor) => new()
    {
        Z = gpu.Matrix(z2),
        H = gpu.Matrix(h),
        DZ = gpu.Missing,
        DH = gpu.Missing,
        Chunks = new() { Partials = gpu.Missing },
        PixelsPerImage = pixels.H * pixels.W,
        Count = (int)z2.Count / width,
        Row = new Divisor(z2.Cols / width),
        Factor = factor,
    };

    [Promises("LD.E.128", "ST.E.128", For = typeof(Width4))]
    private static void ForwardAffine<TWidth>(Arguments arguments) where TWidth : struct, IWidth =>
        arguments.Chunks.Store(Walk<TWidth, ForwardOp>(arguments));

    [Promises("LD.E.128", "ST.E.128", For = typeof(Width4))]
    private static void InverseAffine<TWidth>(Arguments arguments) where TWidth : struct, IWidth =>
        arguments.Chunks.Store(Walk<TWidth, InverseOp>(arguments));

    /// <summary>Transforms the running group's chunk; returns the thread's Σ ln scale.</summary>
    private static float Walk<TWidth, TOp>(Arguments arguments)
        where TWidth : struct, IWidth
        where TOp : struct, ILaneOp, ILogScale
    {
        TOp op = default;
        int firstPixel = arguments.Chunks.Image * arguments.PixelsPerImage;
        Lanes unused = default;
        for (int i = arguments.Chunks.First; i < arguments.Chunks.End; i += arguments.Chunks.Step)
        {
            int row = arguments.Row.Divide(i), c = (i - row * arguments.Row.Value) * TWidth.Size;
            int p = firstPixel + row, at = p * arguments.Z.Stride + c;
            TWidth.LoadPairs(arguments.H, p * arguments.H.Stride + 2 * c, out Lanes shift, out Lanes s);
            Lanes z = TWidth.Load(arguments.Z, at);
            TWidth.Each(ref op, ref z, ref shift, ref s, ref unused);
            TWidth.Store(arguments.Z, at, z);
        }
        return op.LogScale;
    }

    [Promises("LD.E.128", "ST.E.128", For = typeof(Width4))]
    private static void BackwardAffine<TWidth>(Arguments arguments) where TWidth : struct, IWidth
    {
        BackwardOp op = new() { G = arguments.Factor };
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int p = arguments.Row.Divide(i), c = (i - p * arguments.Row.Value) * TWidth.Size;
            TWidth.LoadPairs(arguments.H, p * arguments.H.Stride + 2 * c, out Lanes shift, out Lanes s);
            Lanes z = TWidth.Load(arguments.Z, p * arguments.Z.Stride + c);
            Lanes dz = TWidth.Load(arguments.DZ, p * arguments.DZ.Stride + c);
            TWidth.Each(ref op, ref z, ref shift, ref s, ref dz);
            TWidth.StorePairs(arguments.DH, p * arguments.DH.Stride + 2 * c, shift, s);
            TWidth.Store(arguments.DZ, p * arguments.DZ.Stride + c, dz);
        }
    }

    [Promises("LD.E.128", "ST.E.128", For = typeof(Width4))]
    private static void AddScaled<TWidth>(Arguments arguments) where TWidth : struct, IWidth
    {
        AddOp op = new() { Factor = arguments.Factor };
        Lanes unused = default;
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int p = arguments.Row.Divide(i), c = (i - p * arguments.Row.Value) * TWidth.Size;
            int at = p * arguments.Z.Stride + c;
            Lanes z = TWidth.Load(arguments.Z, at), h = TWidth.Load(arguments.H, p * arguments.H.Stride + c);
            TWidth.Each(ref op, ref z, ref h, ref unused, ref unused);
            TWidth.Store(arguments.Z, at, z);
        }
    }

    [Promises("LD.E.128", "ST.E.128", For = typeof(Width4))]
    private static void BackwardAdditive<TWidth>(Arguments arguments) where TWidth : struct, IWidth
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int p = arguments.Row.Divide(i), c = (i - p * arguments.Row.Value) * TWidth.Size;
            TWidth.Store(arguments.DH, p * arguments.DH.Stride + c,
                TWidth.Load(arguments.DZ, p * arguments.DZ.Stride + c));
        }
    }

    /// <summary>What an affine coupling adds to the log-determinant on its way.</summary>
    private interface ILogScale
    {
        float LogScale { get; }
    }

    /// <summary>z ← (z + shift)·scale.</summary>
    private struct ForwardOp : ILaneOp, ILogScale
    {
        private KahanSum logScale;

        public readonly float LogScale => logScale.Value;

        public void Apply(ref float z, ref float shift, ref float h, ref float unused)
        {
            float s = h + 2f;
            z = (z + shift) * GpuMath.Sigmoid(s);
            logScale.Add(GpuMath.LogSigmoid(s));
        }
    }

    /// <summary>z ← z/scale − shift.</summary>
    private struct InverseOp : ILaneOp, ILogScale
    {
        private KahanSum logScale;

        public readonly float LogScale => logScale.Value;

        public void Apply(ref float z, ref float shift, ref float h, ref float unused)
        {
            float s = h + 2f;
            z = z / GpuMath.Sigmoid(s) - shift;
            logScale.Add(GpuMath.LogSigmoid(s));
        }
    }

    /// <summary>From z, s and dz: dshift and ds in the place of shift and s, and the new dz.</summary>
    private struct BackwardOp : ILaneOp
    {
        public float G;

        public readonly void Apply(ref float z, ref float shift, ref float h, ref float dz)
        {
            float s = h + 2f;
            shift = dz * GpuMath.Sigmoid(s);
            // 1 − sigmoid(s) = sigmoid(−s), without cancellation.
            h = (dz * z + G) * GpuMath.Sigmoid(-s);
            dz = shift;
        }
    }

    /// <summary>z ← z + factor·h.</summary>
    private struct AddOp : ILaneOp
    {
        public float Factor;

        public readonly void Apply(ref float z, ref float h, ref float unused, ref float unusedToo) => z += Factor * h;
    }
}
