namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// <see cref="IGaussianScore"/> on a GPU: one pass over z and its statistics, the log-density summed per image on the way.
/// 16 bytes of memory traffic per element.
/// </summary>
internal sealed class GpuGaussianScore(GpuContext gpu) : IGaussianScore
{
    private const float LogTwoPi = 1.83787707f;

    private readonly Kernel<Arguments> forward = gpu.Declare<Arguments>(Forward);
    private readonly Kernel<Arguments> inverse = gpu.Declare<Arguments>(Inverse);
    private readonly Kernel<Arguments> backward = gpu.Declare<Arguments>(Backward);

    internal struct Arguments
    {
        public Matrix Z, Stats, Eps, DZ, DStats;
        public ImageChunks Chunks;
        public int PixelsPerImage, Channels, Count;

        /// <summary>Column of channel c's mean is c·MeanStep, that of its logs LogsFirst columns further on.</summary>
        public int MeanStep, LogsFirst;
        public int WriteEps;
        public float G;
    }

    /// <inheritdoc/>
    public void Forward(Pixels pixels, StatsLayout layout, View z, View stats, View logp, View eps)
    {
        Shapes.CheckGaussianScore(pixels, z, stats, logp, eps);
        Arguments arguments = Bind(pixels, layout, z, stats);
        arguments.Eps = gpu.Matrix(eps);
        arguments.WriteEps = eps.IsNone ? 0 : 1;
        arguments.Chunks = gpu.Images.Split(pixels.N, checked(arguments.PixelsPerImage * z.Cols));
        gpu.Images.Launch(forward, pixels.N, arguments.Chunks, arguments);
        if (!logp.IsNone) gpu.Images.AddTo(gpu.Matrix(logp), pixels.N, arguments.Chunks, 1f);
    }

    /// <inheritdoc/>
    public void Inverse(Pixels pixels, StatsLayout layout, View eps, View stats, View z)
    {
        Shapes.CheckGaussianScoreInverse(pixels, eps, stats, z);
        Arguments arguments = Bind(pixels, layout, z, stats);
        arguments.Eps = gpu.Matrix(eps);
        inverse.ForEach(arguments.Count, arguments);
    }

    /// <inheritdoc/>
    public void Backward(Pixels pixels, StatsLayout layout, View z, View stats, float gLogP, View dz, View dstats)
    {
        Shapes.CheckGaussianScoreBackward(pixels, z, stats, dz, dstats);
        Arguments arguments = Bind(pixels, layout, z, stats);
        arguments.DZ = gpu.Matrix(dz);
        arguments.DStats = gpu.Matrix(dstats);
        arguments.G = gLogP;
        backward.ForEach(arguments.Count, arguments);
    }

    private Arguments Bind(Pixels pixels, StatsLayout layout, View z, View stats) => new()
    {
        Z = gpu.Matrix(z),
        Stats = gpu.Matrix(stats),
        Eps = gpu.Missing,
        DZ = gpu.Missing,
        DStats = gpu.Missing,
        Chunks = new() { Partials = gpu.Missing },
        PixelsPerImage = pixels.H * pixels.W,
        Channels = z.Cols,
        Count = (int)z.Count,
        MeanStep = layout == StatsLayout.Interleaved ? 2 : 1,
        LogsFirst = layout == StatsLayout.Interleaved ? 1 : z.Cols,
    };

    private static void Forward(Arguments arguments)
    {
        KahanSum logDensity = default;
        int firstPixel = arguments.Chunks.Image * arguments.PixelsPerImage;
        for (int i = arguments.Chunks.First; i < arguments.Chunks.End; i += arguments.Chunks.Step)
        {
            int p = firstPixel + i / arguments.Channels, c = i % arguments.Channels;
            int mean = c * arguments.MeanStep;
            float logs = arguments.Stats[p, mean + arguments.LogsFirst];
            float eps = (arguments.Z[p, c] - arguments.Stats[p, mean]) * GpuMath.Exp(-logs);
            if (arguments.WriteEps != 0) arguments.Eps[p, c] = eps;
            logDensity.Add(-0.5f * (LogTwoPi + eps * eps) - logs);
        }
        arguments.Chunks.Store(logDensity.Value);
    }

    private static void Inverse(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int p = i / arguments.Channels, c = i % arguments.Channels;
            int mean = c * arguments.MeanStep;
            float scale = GpuMath.Exp(arguments.Stats[p, mean + arguments.LogsFirst]);
            arguments.Z[p, c] = arguments.Stats[p, mean] + scale * arguments.Eps[p, c];
        }
    }

    private static void Backward(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int p = i / arguments.Channels, c = i % arguments.Channels;
            int mean = c * arguments.MeanStep;
            float precision = GpuMath.Exp(-arguments.Stats[p, mean + arguments.LogsFirst]);
            float eps = (arguments.Z[p, c] - arguments.Stats[p, mean]) * precision;
            float dz = -arguments.G * eps * precision;
            arguments.DZ[p, c] = dz;
            arguments.DStats[p, mean] = -dz;
            arguments.DStats[p, mean + arguments.LogsFirst] = arguments.G * (eps * eps - 1f);
        }
    }
}
