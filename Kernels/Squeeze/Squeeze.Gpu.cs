namespace GlowGpu.Kernels.Gpu;

/// <summary><see cref="ISqueeze"/> on a GPU: one thread per element of y, so that y is accessed in order.</summary>
internal sealed class GpuSqueeze(GpuContext gpu) : ISqueeze
{
    private readonly Kernel<Arguments> forward = gpu.Declare<Arguments>(Forward);
    private readonly Kernel<Arguments> inverse = gpu.Declare<Arguments>(Inverse);

    internal struct Arguments
    {
        public Matrix X, Y;
        public int HalfW, Cols, Count;
    }

    /// <inheritdoc/>
    public void Forward(Pixels pixels, View x, View y)
    {
        Shapes.CheckSqueeze(pixels, x, y);
        forward.ForEach((int)y.Count, Bind(pixels, x, y));
    }

    /// <inheritdoc/>
    public void Inverse(Pixels pixels, View y, View x)
    {
        Shapes.CheckSqueeze(pixels, x, y);
        inverse.ForEach((int)y.Count, Bind(pixels, x, y));
    }

    private Arguments Bind(Pixels pixels, View x, View y) => new()
    {
        X = gpu.Matrix(x),
        Y = gpu.Matrix(y),
        HalfW = pixels.W / 2,
        Cols = y.Cols,
        Count = (int)y.Count,
    };

    private static void Forward(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int q = i / arguments.Cols, j = i % arguments.Cols;
            arguments.Y[q, j] = arguments.X[Source(arguments, q, j), j / 4];
        }
    }

    private static void Inverse(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int q = i / arguments.Cols, j = i % arguments.Cols;
            arguments.X[Source(arguments, q, j), j / 4] = arguments.Y[q, j];
        }
    }

    /// <summary>Row of x behind channel j = 4c + 2·dy + dx of row q of y.</summary>
    private static int Source(Arguments arguments, int q, int j)
    {
        int x = q % arguments.HalfW;
        // Image and row together: the images of x are stacked exactly like those of y, twice as high.
        int imageRow = q / arguments.HalfW;
        return (2 * imageRow + j / 2 % 2) * 2 * arguments.HalfW + 2 * x + j % 2;
    }
}
