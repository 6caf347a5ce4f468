using ILGPU;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// A row-major window of device memory as kernels see it: element (row, col) is <c>Data[row·Stride + col]</c>. Offsets
/// are 32-bit because 64-bit index arithmetic is slow on GPUs; <see cref="GpuContext.Matrix"/> checks that they
/// suffice.
/// </summary>
internal readonly struct Matrix(ArrayView<float> data, int stride)
{
    public readonly ArrayView<float> Data = data;
    public readonly int Stride = stride;

    public ref float this[int row, int col] => ref Data[row * Stride + col];

    /// <summary>Element of a single row.</summary>
    public ref float this[int col] => ref Data[col];

    /// <summary>The elements from <paramref name="offset"/> on, under another stride.</summary>
    public Matrix Window(long offset, int stride) => new(Data.SubView(offset, Data.Length - offset), stride);
}
