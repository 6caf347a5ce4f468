using GlowGpu.Kernels;
using GlowGpu.Kernels.Gpu;

namespace GlowGpu.Bench.Gpu;

/// <summary>The matrix product of our coupling networks on its own, without their epilogues.</summary>
internal static class OurProduct
{
    /// <summary>Queues c = op(a)·op(b) of dense views.</summary>
    public static void Queue(GpuBackend backend, ProductShape shape, View a, View b, View c)
    {
        GpuContext gpu = backend.Gpu;
        Matrix left = Of(gpu, a, shape.ACols), right = Of(gpu, b, shape.BCols), result = Of(gpu, c, shape.N);
        if (shape.TransposeA)
        {
            (Matrix slices, int count) = gpu.Gemm.TransposedSlices(shape.M, shape.N, shape.K, left, right);
            gpu.Columns.Slices(slices, count, shape.M, shape.N, result);
        }
        else if (shape.TransposeB)
        {
            gpu.Gemm.MultiplyTransposed(shape.M, shape.N, shape.K, left, right, result);
        }
        else
        {
            gpu.Gemm.Multiply(shape.M, shape.N, shape.K, left, right, result);
        }
    }

    private static Matrix Of(GpuContext gpu, View view, int cols) => gpu.Matrix(view).Window(0, cols);
}
