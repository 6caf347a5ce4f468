namespace GlowGpu.Kernels.Gpu;

/// <summary>Fills and copies strided windows.</summary>
internal sealed class Views(GpuContext gpu)
{
    private readonly Kernel<FillArguments> fill = gpu.Declare<FillArguments>(Fill);
    private readonly Kernel<CopyArguments> copy = gpu.Declare<CopyArguments>(Copy);

    internal struct FillArguments
    {
        public Matrix Target;
        public int Cols, Count;
        public float Value;
    }

    internal struct CopyArguments
    {
        public Matrix Source, Target;
        public int Cols, Count;
    }

    /// <summary>Sets every element of the view.</summary>
    public void Fill(View target, float value) =>
        fill.ForEach((int)target.Count, new()
        {
            Target = gpu.Matrix(target),
            Cols = target.Cols,
            Count = (int)target.Count,
            Value = value,
        });

    /// <summary>Copies one view to another of its shape.</summary>
    public void Copy(View source, View target) =>
        copy.ForEach((int)source.Count, new()
        {
            Source = gpu.Matrix(source),
            Target = gpu.Matrix(target),
            Cols = source.Cols,
            Count = (int)source.Count,
        });

    private static void Fill(FillArguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
            arguments.Target[i / arguments.Cols, i % arguments.Cols] = arguments.Value;
    }

    private static void Copy(CopyArguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
            arguments.Target[i / arguments.Cols, i % arguments.Cols] = arguments.Source[i / arguments.Cols, i % arguments.Cols];
    }
}
