namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// <see cref="IGaussianScore"/> on a GPU: one pass over z and its statistics, the log-density summed per image on the
/// way.
/// 16 bytes of memory traffic per element, 24 backward.
/// </summary>
internal sealed class GpuGaussianScore(GpuContext gpu) : IGaussianScore
{
    private const float LogTwoPi = 1.83787707f;

    private readonly VectorKernel<Arguments> forward = new(gpu, Forward<Width1>, Forward<Width2>, Forward<Width4>);
    private readonly VectorKernel<Arguments> inverse = new(gpu, Inverse<Width1>, Inverse<Width2>, Inverse<Width4>);
    private readonly VectorKernel<Arguments> backward = new(gpu, Backward<Width1>, Backward<Width2>, Backward<Width4>);

    internal struct Arguments
    {
        public Matrix Z, Stats, Eps, DZ, DStats;
        public ImageChunks Chunks;
        public int PixelsPerImage, Count;

        /// <summary>Vectors of a row of z; all counts are of vectors.</summary>
        public Divisor Row;

        /// <summary>Columns from a channel's mean to its logs; 0: they stand in pairs.</summary>
        public int LogsFirst;
        public int WriteEps;
        public float G;
    }

    /// <inheritdoc/>
    public void Forward(Pixels pixels, StatsLayout layout, View z, View stats, View logp, View eps)
    {
        Shapes.CheckGaussianScore(pixels, z, stats, logp, eps);
        int width = WidthOf(layout, [z, eps], stats);
        Arguments arguments = Bind(width, pixels, layout, z, stats);
        arguments.Eps = gpu.Matrix(eps);
        arguments.WriteEps = eps.IsNone ? 0 : 1;
        arguments.Chunks = gpu.Images.Split(pixels.N, checked(arguments.PixelsPerImage * arguments.Row.Value));
        gpu.Images.Launch(forward.For(width), pixels.N, arguments.Chunks, arguments);
        if (!logp.IsNone) gpu.Images.AddTo(gpu.Matrix(logp), pixels.N, arguments.Chunks, 1f);
    }

    /// <inheritdoc/>
    public void Inverse(Pixels pixels, StatsLayout layout, View eps, View stats, View z)
    {
        Shapes.CheckGaussianScoreInverse(pixels, eps, stats, z);
        int width = WidthOf(layout, [z, eps], stats);
        Arguments arguments = Bind(width, pixels, layout, z, stats);
        arguments.Eps = gpu.Matrix(eps);
        inverse.For(width).ForEach(arguments.Count, arguments);
    }

    /// <inheritdoc/>
    public void Backward(Pixels pixels, StatsLayout layout, View z, View stats, float gLogP, View dz, View dstats)
    {
        Shapes.CheckGaussianScoreBackward(pixels, z, stats, dz, dstats);
        int width = WidthOf(layout, [z, dz], stats, dstats);
        Arguments arguments = Bind(width, pixels, layout, z, stats);
        arguments.DZ = gpu.Matrix(dz);
        arguments.DStats = gpu.Matrix(dstats);
        arguments.G = gLogP;
        backward.For(width).ForEach(arguments.Count, arguments);
    }

    /// <summary>
    /// Pairs hold two floats a channel; halves must each consist of whole vectors, as the columns of z do.
    /// </summary>
    private static int WidthOf(StatsLayout layout, ReadOnlySpan<View> views, params ReadOnlySpan<View> stats) =>
        layout == StatsLayout.Interleaved ? Vectors.WidthOf(views, stats) : Vectors.WidthOf([.. views, .. stats]);

    private Arguments Bind(int width, Pixels pixels, StatsLayout layout, View z, View stats) => new()
    {
        Z = gpu.Matrix(z),
        Stats = gpu.Matrix(stats),
        Eps = gpu.Missing,
        DZ = gpu.Missing,
        DStats = gpu.Missing,
        Chunks = new() { Partials = gpu.Missing },
        PixelsPerImage = pixels.H * pixels.W,
        Count = (int)z.Count / width,
        Row = new Divisor(z.Cols / width),
        LogsFirst = layout == StatsLayout.Interleaved ? 0 : z.Cols,
    };

    [Promises("LD.E.128", "ST.E.128", For = typeof(Width4))]
    private static void Forward<TWidth>(Arguments arguments) where TWidth : struct, IWidth
    {
        ScoreOp op = default;
        Lanes unused = default;
        int firstPixel = arguments.Chunks.Image * arguments.PixelsPerImage;
        for (int i = arguments.Chunks.First; i < arguments.Chunks.End; i += arguments.Chunks.Step)
        {
            int row = arguments.Row.Divide(i), c = (i - row * arguments.Row.Value) * TWidth.Size;
            int p = firstPixel + row;
            LoadStats<TWidth>(arguments, p, c, out Lanes mean, out Lanes logs);
            Lanes eps = TWidth.Load(arguments.Z, p * arguments.Z.Stride + c);
            TWidth.Each(ref op, ref eps, ref mean, ref logs, ref unused);
            if (arguments.WriteEps != 0) TWidth.Store(arguments.Eps, p * arguments.Eps.Stride + c, eps);
        }
        arguments.Chunks.Store(op.LogDensity);
    }

    [Promises("LD.E.128", "ST.E.128", For = typeof(Width4))]
    private static void Inverse<TWidth>(Arguments arguments) where TWidth : struct, IWidth
    {
        SampleOp op = default;
        Lanes unused = default;
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int p = arguments.Row.Divide(i), c = (i - p * arguments.Row.Value) * TWidth.Size;
            LoadStats<TWidth>(arguments, p, c, out Lanes mean, out Lanes logs);
            Lanes z = TWidth.Load(arguments.Eps, p * arguments.Eps.Stride + c);
            TWidth.Each(ref op, ref z, ref mean, ref logs, ref unused);
            TWidth.Store(arguments.Z, p * arguments.Z.Stride + c, z);
        }
    }

    [Promises("LD.E.128", "ST.E.128", For = typeof(Width4))]
    private static void Backward<TWidth>(Arguments arguments) where TWidth : struct, IWidth
    {
        BackwardOp op = new() { G = arguments.G };
        Lanes unused = default;
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int p = arguments.Row.Divide(i), c = (i - p * arguments.Row.Value) * TWidth.Size;
            LoadStats<TWidth>(arguments, p, c, out Lanes mean, out Lanes logs);
            Lanes z = TWidth.Load(arguments.Z, p * arguments.Z.Stride + c);
            TWidth.Each(ref op, ref z, ref mean, ref logs, ref unused);
            TWidth.Store(arguments.DZ, p * arguments.DZ.Stride + c, z);
            int first = p * arguments.DStats.Stride + c;
            if (arguments.LogsFirst == 0)
            {
                TWidth.StorePairs(arguments.DStats, first + c, mean, logs);
            }
            else
            {
                TWidth.Store(arguments.DStats, first, mean);
                TWidth.Store(arguments.DStats, first + arguments.LogsFirst, logs);
            }
        }
    }

    private static void LoadStats<TWidth>(Arguments arguments, int p, int c, out Lanes mean, out Lanes logs)
        where TWidth : struct, IWidth
    {
        int first = p * arguments.Stats.Stride + c;
        if (arguments.LogsFirst == 0)
        {
            TWidth.LoadPairs(arguments.Stats, first + c, out mean, out logs);
        }
        else
        {
            mean = TWidth.Load(arguments.Stats, first);
            logs = TWidth.Load(arguments.Stats, first + arguments.LogsFirst);
        }
    }

    /// <summary>eps in the place of z, and the log-density.</summary>
    private struct ScoreOp : ILaneOp
    {
        private KahanSum logDensity;

        public readonly float LogDensity => logDensity.Value;

        public void Apply(ref float z, ref float mean, ref float logs, ref float unused)
        {
            float eps = (z - mean) * GpuMath.Exp(-logs);
            z = eps;
            logDensity.Add(-0.5f * (LogTwoPi + eps * eps) - logs);
        }
    }

    /// <summary>z in the place of eps.</summary>
    private struct SampleOp : ILaneOp
    {
        public readonly void Apply(ref float eps, ref float mean, ref float logs, ref float unused) =>
            eps = mean + GpuMath.Exp(logs) * eps;
    }

    /// <summary>dz, dmean and dlogs in the place of z, mean and logs.</summary>
    private struct BackwardOp : ILaneOp
    {
        public float G;

        public readonly void Apply(ref float z, ref float mean, ref float logs, ref float unused)
        {
            float precision = GpuMath.Exp(-logs);
            float eps = (z - mean) * precision;
            z = -G * eps * precision;
            mean = -z;
            logs = G * (eps * eps - 1f);
        }
    }
}
