namespace GlowGpu.Kernels.Gpu;

/// <summary><see cref="IBatchNorm"/> on a GPU: elementwise passes around compensated column sums.</summary>
internal sealed class GpuBatchNorm(GpuContext gpu) : IBatchNorm
{
    private const float Epsilon = 1e-5f;

    private readonly Kernel<Arguments> apply = gpu.Declare<Arguments>(Apply);
    private readonly Kernel<Arguments> invert = gpu.Declare<Arguments>(Invert);
    private readonly Kernel<Arguments> open = gpu.Declare<Arguments>(Open);
    private readonly Kernel<Arguments> backward = gpu.Declare<Arguments>(Backward);
    private readonly Kernel<LogDetArguments> addLogDet = gpu.Declare<LogDetArguments>(AddLogDet);
    private readonly Kernel<BlendArguments> blend = gpu.Declare<BlendArguments>(Blend);

    internal struct Arguments
    {
        public Matrix X, Y, Mean, Variance, Gain, Bias;

        /// <summary>dy, then dy behind the ReLU; n; the gradient of x; Σ g and Σ g·n.</summary>
        public Matrix G, N, DX, DBias, DGain;
        public int Channels, Count, HasAffine;
        public float OverRows, GLogDet;
    }

    internal struct LogDetArguments
    {
        public Matrix Variance, LogDet;
        public int Channels, Images;
        public float Factor;
    }

    internal struct BlendArguments
    {
        public Matrix Batch, Running, Scale;
        public int Count, HasScale;
        public float Momentum;
    }

    /// <inheritdoc/>
    public void Measure(View x, View mean, View variance)
    {
        Shapes.CheckBatchNormMeasure(x, mean, variance);
        gpu.Columns.MeanAndVariance(gpu.Matrix(x), x.Rows, x.Cols, gpu.Matrix(mean), gpu.Matrix(variance));
    }

    /// <inheritdoc/>
    public void Apply(View x, View mean, View variance, BatchNormAffine affine, View y)
    {
        Shapes.CheckBatchNorm(x, mean, variance, affine, y);
        apply.ForEach((int)x.Count, Bind(x, mean, variance, affine) with { Y = gpu.Matrix(y) });
    }

    /// <inheritdoc/>
    public void Invert(View y, View mean, View variance, View x)
    {
        Shapes.CheckBatchNorm(y, mean, variance, default, x);
        invert.ForEach((int)x.Count, Bind(x, mean, variance, default) with { Y = gpu.Matrix(y) });
    }

    /// <inheritdoc/>
    public void AddLogDet(Pixels pixels, View variance, float sign, View logdet)
    {
        Shapes.CheckBatchNormLogDet(pixels, variance, logdet);
        addLogDet.ForEach(pixels.N, new()
        {
            Variance = gpu.Matrix(variance),
            LogDet = gpu.Matrix(logdet),
            Channels = (int)variance.Count,
            Images = pixels.N,
            Factor = -0.5f * sign * pixels.H * pixels.W,
        });
    }

    /// <inheritdoc/>
    public void Backward(View x, View mean, View variance, BatchNormAffine affine, View dy, float gLogDet, View dx,
        BatchNormAffine gradients)
    {
        Shapes.CheckBatchNormBackward(x, mean, variance, affine, dy, dx, gradients);
        int rows = x.Rows, cols = x.Cols;
        Arguments arguments = Bind(x, mean, variance, affine) with
        {
            Y = gpu.Matrix(dy),
            G = gpu.Scratch.Take(ScratchSlot.FirstGradient, rows, cols),
            N = gpu.Scratch.Take(ScratchSlot.SecondGradient, rows, cols),
            DX = gpu.Matrix(dx),
            DBias = affine.IsNone ? gpu.Scratch.Take(ScratchSlot.FirstHidden, 1, cols) : gpu.Matrix(gradients.Bias),
            DGain = affine.IsNone ? gpu.Scratch.Take(ScratchSlot.SecondHidden, 1, cols) : gpu.Matrix(gradients.Gain),
            OverRows = 1f / rows,
            GLogDet = gLogDet,
        };
        open.ForEach((int)x.Count, arguments);
        gpu.Columns.Times(arguments.G, rows, cols, 1f, arguments.DBias);
        gpu.Columns.TimesProducts(arguments.G, arguments.N, rows, cols, 1f, arguments.DGain);
        backward.ForEach((int)x.Count, arguments);
    }

    /// <inheritdoc/>
    public void Blend(View batch, View running, float momentum, View scale = default)
    {
        Shapes.CheckBatchNormBlend(batch, running, momentum, scale);
        blend.ForEach((int)batch.Count, new()
        {
            Batch = gpu.Matrix(batch),
            Running = gpu.Matrix(running),
            Scale = gpu.Matrix(scale),
            HasScale = scale.IsNone ? 0 : 1,
            Count = (int)batch.Count,
            Momentum = momentum,
        });
    }

    private Arguments Bind(View x, View mean, View variance, BatchNormAffine affine) => new()
    {
        X = gpu.Matrix(x),
        Y = gpu.Missing,
        Mean = gpu.Matrix(mean),
        Variance = gpu.Matrix(variance),
        Gain = gpu.Matrix(affine.Gain),
        Bias = gpu.Matrix(affine.Bias),
        G = gpu.Missing,
        N = gpu.Missing,
        DX = gpu.Missing,
        DBias = gpu.Missing,
        DGain = gpu.Missing,
        Channels = x.Cols,
        Count = (int)x.Count,
        HasAffine = affine.IsNone ? 0 : 1,
    };

    private static float Over(float variance) => 1f / MathF.Sqrt(variance + Epsilon);

    private static void Apply(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int c = i % arguments.Channels;
            float value = (arguments.X[i] - arguments.Mean[c]) * Over(arguments.Variance[c]);
            if (arguments.HasAffine != 0)
            {
                value = value * arguments.Gain[c] + arguments.Bias[c];
                value = value < 0f ? 0f : value;
            }
            arguments.Y[i] = value;
        }
    }

    private static void Invert(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int c = i % arguments.Channels;
            arguments.X[i] = arguments.Y[i] * MathF.Sqrt(arguments.Variance[c] + Epsilon) + arguments.Mean[c];
        }
    }

    /// <summary>n, and g: dy where the ReLU is open.</summary>
    private static void Open(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int c = i % arguments.Channels;
            float n = (arguments.X[i] - arguments.Mean[c]) * Over(arguments.Variance[c]);
            float g = arguments.Y[i];
            if (arguments.HasAffine != 0) g = n * arguments.Gain[c] + arguments.Bias[c] > 0f ? g : 0f;
            arguments.N[i] = n;
            arguments.G[i] = g;
        }
    }

    private static void Backward(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int c = i % arguments.Channels;
            float n = arguments.N[i];
            float d = arguments.G[i] - arguments.OverRows * (arguments.DBias[c] + n * arguments.DGain[c]);
            if (arguments.HasAffine != 0) d *= arguments.Gain[c];
            arguments.DX[i] += Over(arguments.Variance[c]) * (d - arguments.GLogDet * n);
        }
    }

    private static void AddLogDet(LogDetArguments arguments)
    {
        for (int image = GridStride.First; image < arguments.Images; image += GridStride.Step)
        {
            KahanSum sum = default;
            for (int c = 0; c < arguments.Channels; c++) sum.Add(GpuMath.Log(arguments.Variance[c] + Epsilon));
            arguments.LogDet[image] += arguments.Factor * sum.Value;
        }
    }

    private static void Blend(BlendArguments arguments)
    {
        if (arguments.HasScale != 0 && GpuMath.IsNaN(arguments.Scale[0])) return;
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
            arguments.Running[i] += arguments.Momentum * (arguments.Batch[i] - arguments.Running[i]);
    }
}
