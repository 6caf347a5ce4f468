namespace GlowGpu.Kernels.Gpu;

/// <summary>Fills and copies strided windows: 4 and 8 bytes of memory traffic an element.</summary>
internal sealed class Views(GpuContext gpu)
{
    private readonly VectorKernel<FillArguments> fill = new(gpu, Fill<Width1>, Fill<Width2>, Fill<Width4>);
    private readonly VectorKernel<CopyArguments> copy = new(gpu, Copy<Width1>, Copy<Width2>, Copy<Width4>);

    internal struct FillArguments
    {
        public Matrix Target;
        public Divisor Row;
        public int Count;
        public float Value;
    }

    internal struct CopyArguments
    {
        public Matrix Source, Target;
        public Divisor Row;
        public int Count;
    }

    /// <summary>Sets every element of the view.</summary>
    public void Fill(View target, float value)
    {
        if (target.Count == 0) return;
        target = Vectors.Flat(target);
        int width = Vectors.WidthOf([target]), count = (int)target.Count / width;
        fill.For(width).ForEach(count, new()
        {
            Target = gpu.Matrix(target),
            Row = new Divisor(target.Cols / width),
            Count = count,
            Value = value,
        });
    }

    /// <summary>Copies one view to another of its shape.</summary>
    public void Copy(View source, View target)
    {
        if (source.Count == 0) return;
        if (source.IsDense && target.IsDense) (source, target) = (Vectors.Flat(source), Vectors.Flat(target));
        int width = Vectors.WidthOf([source, target]), count = (int)source.Count / width;
        copy.For(width).ForEach(count, new()
        {
            Source = gpu.Matrix(source),
            Target = gpu.Matrix(target),
            Row = new Divisor(source.Cols / width),
            Count = count,
        });
    }

    [Promises("ST.E.128", For = typeof(Width4))]
    private static void Fill<TWidth>(FillArguments arguments) where TWidth : struct, IWidth
    {
        Lanes value = new() { A = arguments.Value, B = arguments.Value, C = arguments.Value, D = arguments.Value };
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int row = arguments.Row.Divide(i), col = (i - row * arguments.Row.Value) * TWidth.Size;
            TWidth.Store(arguments.Target, row * arguments.Target.Stride + col, value);
        }
    }

    [Promises("LD.E.128", "ST.E.128", For = typeof(Width4))]
    private static void Copy<TWidth>(CopyArguments arguments) where TWidth : struct, IWidth
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int row = arguments.Row.Divide(i), col = (i - row * arguments.Row.Value) * TWidth.Size;
            TWidth.Store(arguments.Target, row * arguments.Target.Stride + col,
                TWidth.Load(arguments.Source, row * arguments.Source.Stride + col));
        }
    }
}
