namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// <see cref="IChannelAffine"/> as matrix products: one forward; one for dx, one over the pixels in slices for dw and one
/// pass over dy for db backward.
/// </summary>
internal sealed class GpuChannelAffine(GpuContext gpu) : IChannelAffine
{
    /// <inheritdoc/>
    public void Apply(View x, View w, View b, View y)
    {
        Shapes.CheckChannelAffine(x, w, b, y);
        int c = x.Cols;
        gpu.Gemm.MultiplyBias(x.Rows, c, c, gpu.Matrix(x), gpu.Matrix(w.Reshape(c, c)), gpu.Matrix(b), gpu.Matrix(y));
    }

    /// <inheritdoc/>
    public void Backward(View dy, View x, View w, View dx, View dw, View db)
    {
        Shapes.CheckChannelAffineBackward(dy, x, w, dx, dw, db);
        int p = x.Rows, c = x.Cols;
        Matrix dyMatrix = gpu.Matrix(dy);
        gpu.Gemm.MultiplyTransposed(p, c, c, dyMatrix, gpu.Matrix(w.Reshape(c, c)), gpu.Matrix(dx));
        (Matrix slices, int count) = gpu.Gemm.TransposedSlices(c, c, p, gpu.Matrix(x), dyMatrix);
        gpu.Columns.Slices(slices, count, c, c, gpu.Matrix(dw.Reshape(c, c)));
        gpu.Columns.Times(dyMatrix, p, c, 1f, gpu.Matrix(db));
    }
}
