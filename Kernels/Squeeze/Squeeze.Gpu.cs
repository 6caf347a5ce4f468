namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// <see cref="ISqueeze"/> on a GPU: a thread takes neighbouring channels of four neighbouring pixels of x, which are
/// whole vectors of y, and transposes them in registers. 8 bytes of memory traffic an element.
/// </summary>
internal sealed class GpuSqueeze(GpuContext gpu) : ISqueeze
{
    private readonly VectorKernel<Arguments> forward =
        new(gpu, Forward<Width1, Width4>, Forward<Width2, Width4>, Forward<Width4, Width4>);

    private readonly VectorKernel<Arguments> inverse =
        new(gpu, Inverse<Width1, Width4>, Inverse<Width2, Width4>, Inverse<Width4, Width4>);

    // For a y that begins in the middle of a vector.
    private readonly Kernel<Arguments> forwardAnywhere = gpu.Declare<Arguments>(Forward<Width1, Width1>);
    private readonly Kernel<Arguments> inverseAnywhere = gpu.Declare<Arguments>(Inverse<Width1, Width1>);

    internal struct Arguments
    {
        public Matrix X, Y;
        public int Count;

        /// <summary>Vectors of a row of x.</summary>
        public Divisor Row;

        /// <summary>Pixels of a row of the small image.</summary>
        public Divisor HalfW;
    }

    /// <inheritdoc/>
    public void Forward(Pixels pixels, View x, View y)
    {
        Shapes.CheckSqueeze(pixels, x, y);
        Launch(forward, forwardAnywhere, pixels, x, y);
    }

    /// <inheritdoc/>
    public void Inverse(Pixels pixels, View y, View x)
    {
        Shapes.CheckSqueeze(pixels, x, y);
        Launch(inverse, inverseAnywhere, pixels, x, y);
    }

    private void Launch(VectorKernel<Arguments> kernel, Kernel<Arguments> anywhere, Pixels pixels, View x, View y)
    {
        bool whole = Vectors.Fits(y, 4);
        int width = whole ? Vectors.WidthOf([x]) : 1, count = pixels.Count / 4 * (x.Cols / width);
        (whole ? kernel.For(width) : anywhere).ForEach(count, new()
        {
            X = gpu.Matrix(x),
            Y = gpu.Matrix(y),
            Count = count,
            Row = new Divisor(x.Cols / width),
            HalfW = new Divisor(pixels.W / 2),
        });
    }

    [Promises("ST.E.128", For = typeof(Width4))]
    private static void Forward<TX, TY>(Arguments arguments)
        where TX : struct, IWidth
        where TY : struct, IWidth
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int q = arguments.Row.Divide(i), c = (i - q * arguments.Row.Value) * TX.Size;
            int row = Upper(arguments, q), left = row * arguments.X.Stride + c;
            int lower = left + 2 * arguments.HalfW.Value * arguments.X.Stride;
            Lanes a = TX.Load(arguments.X, left), b = TX.Load(arguments.X, left + arguments.X.Stride);
            Lanes d = TX.Load(arguments.X, lower), e = TX.Load(arguments.X, lower + arguments.X.Stride);
            StoreOp<TY> op = new() { Y = arguments.Y, At = q * arguments.Y.Stride + 4 * c };
            TX.Each(ref op, ref a, ref b, ref d, ref e);
        }
    }

    [Promises("LD.E.128", For = typeof(Width4))]
    private static void Inverse<TX, TY>(Arguments arguments)
        where TX : struct, IWidth
        where TY : struct, IWidth
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int q = arguments.Row.Divide(i), c = (i - q * arguments.Row.Value) * TX.Size;
            Lanes a = default, b = default, d = default, e = default;
            LoadOp<TY> op = new() { Y = arguments.Y, At = q * arguments.Y.Stride + 4 * c };
            TX.Each(ref op, ref a, ref b, ref d, ref e);
            int row = Upper(arguments, q), left = row * arguments.X.Stride + c;
            int lower = left + 2 * arguments.HalfW.Value * arguments.X.Stride;
            TX.Store(arguments.X, left, a);
            TX.Store(arguments.X, left + arguments.X.Stride, b);
            TX.Store(arguments.X, lower, d);
            TX.Store(arguments.X, lower + arguments.X.Stride, e);
        }
    }

    /// <summary>Row of x of the upper left of the four pixels behind row q of y.</summary>
    private static int Upper(Arguments arguments, int q)
    {
        // Image and row together: the images of x are stacked exactly like those of y, twice as high.
        int imageRow = arguments.HalfW.Divide(q), x = q - imageRow * arguments.HalfW.Value;
        return 4 * imageRow * arguments.HalfW.Value + 2 * x;
    }

    /// <summary>Channel j = 4c + 2·dy + dx of y from the four pixels (dy, dx), channel after channel.</summary>
    private struct StoreOp<TY> : ILaneOp where TY : struct, IWidth
    {
        public Matrix Y;
        public int At;

        public void Apply(ref float a, ref float b, ref float c, ref float d)
        {
            if (TY.Size == 4)
            {
                TY.Store(Y, At, new() { A = a, B = b, C = c, D = d });
            }
            else
            {
                Y.Data[At] = a;
                Y.Data[At + 1] = b;
                Y.Data[At + 2] = c;
                Y.Data[At + 3] = d;
            }
            At += 4;
        }
    }

    /// <summary>The way back.</summary>
    private struct LoadOp<TY> : ILaneOp where TY : struct, IWidth
    {
        public Matrix Y;
        public int At;

        public void Apply(ref float a, ref float b, ref float c, ref float d)
        {
            if (TY.Size == 4)
            {
                Lanes value = TY.Load(Y, At);
                a = value.A;
                b = value.B;
                c = value.C;
                d = value.D;
            }
            else
            {
                a = Y.Data[At];
                b = Y.Data[At + 1];
                c = Y.Data[At + 2];
                d = Y.Data[At + 3];
            }
            At += 4;
        }
    }
}
