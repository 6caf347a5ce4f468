using ILGPU;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// <see cref="IScaledPrior"/> on a GPU: one pass over x, the log-density summed per image on the way.
/// </summary>
internal sealed class GpuScaledPrior(GpuContext gpu) : IScaledPrior
{
    private const float HalfLogTwoPi = 0.918938533f;

    private readonly Kernel<Arguments> forward = gpu.Declare<Arguments>(Forward);
    private readonly Kernel<Arguments> inverse = gpu.Declare<Arguments>(Inverse);
    private readonly Kernel<Arguments> backward = gpu.Declare<Arguments>(Backward);

    internal struct Arguments
    {
        public Matrix X, Z, Logs, DX, Terms;
        public ImageChunks Chunks;
        public int Columns, Count, IsLogistic, WriteZ;
        public float G;
    }

    /// <inheritdoc/>
    public void Forward(PriorKind kind, View x, View logs, View logp, View z)
    {
        Shapes.CheckScaledPrior(x, logs, logp, z);
        Arguments arguments = Bind(kind, x, logs) with
        {
            Z = gpu.Matrix(z),
            WriteZ = z.IsNone ? 0 : 1,
            Chunks = gpu.Images.Split(x.Rows, x.Cols),
        };
        gpu.Images.Launch(forward, x.Rows, arguments.Chunks, arguments);
        if (!logp.IsNone) gpu.Images.AddTo(gpu.Matrix(logp), x.Rows, arguments.Chunks, 1f);
    }

    /// <inheritdoc/>
    public void Inverse(View z, View logs, View x)
    {
        Shapes.CheckScaledPriorInverse(z, logs, x);
        inverse.ForEach((int)x.Count, Bind(PriorKind.Gaussian, x, logs) with { Z = gpu.Matrix(z) });
    }

    /// <inheritdoc/>
    public void Backward(PriorKind kind, View x, View logs, float gLogP, View dx, View dlogs)
    {
        Shapes.CheckScaledPriorBackward(x, logs, dx, dlogs);
        Arguments arguments = Bind(kind, x, logs) with
        {
            DX = gpu.Matrix(dx),
            Terms = gpu.Scratch.Take(ScratchSlot.FirstGradient, x.Rows, x.Cols),
            G = gLogP,
        };
        backward.ForEach((int)x.Count, arguments);
        gpu.Columns.Times(arguments.Terms, x.Rows, x.Cols, gLogP, gpu.Matrix(dlogs));
    }

    private Arguments Bind(PriorKind kind, View x, View logs) => new()
    {
        X = gpu.Matrix(x),
        Z = gpu.Missing,
        Logs = gpu.Matrix(logs),
        DX = gpu.Missing,
        Terms = gpu.Missing,
        Chunks = new() { Partials = gpu.Missing },
        Columns = x.Cols,
        Count = (int)x.Count,
        IsLogistic = kind == PriorKind.Logistic ? 1 : 0,
    };

    private static void Forward(Arguments arguments)
    {
        KahanSum logDensity = default;
        int row = arguments.Chunks.Image * arguments.Columns;
        for (int c = arguments.Chunks.First; c < arguments.Chunks.End; c += arguments.Chunks.Step)
        {
            float logs = arguments.Logs[c];
            float z = arguments.X[row + c] * GpuMath.Exp(logs);
            if (arguments.WriteZ != 0) arguments.Z[row + c] = z;
            float magnitude = IntrinsicMath.Abs(z);
            float density = arguments.IsLogistic != 0
                ? -magnitude - 2f * GpuMath.Log1P(GpuMath.Exp(-magnitude))
                : -HalfLogTwoPi - 0.5f * z * z;
            logDensity.Add(logs);
            logDensity.Add(density);
        }
        arguments.Chunks.Store(logDensity.Value);
    }

    private static void Inverse(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
            arguments.X[i] = arguments.Z[i] * GpuMath.Exp(-arguments.Logs[i % arguments.Columns]);
    }

    private static void Backward(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            float scale = GpuMath.Exp(arguments.Logs[i % arguments.Columns]);
            float z = arguments.X[i] * scale;
            float slope = arguments.IsLogistic != 0 ? -GpuMath.Tanh(0.5f * z) : -z;
            arguments.DX[i] = arguments.G * slope * scale;
            arguments.Terms[i] = slope * z + 1f;
        }
    }
}
