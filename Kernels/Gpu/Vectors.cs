using ILGPU;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// Chooses how many floats a streaming kernel moves at once. A vector access must begin at a multiple of its size, so
/// the width is the largest by which offset, row distance and columns of all operands divide: 4 for most, 2 where
/// half of 4·(odd) channels begins in the middle of a vector, else 1. Buffers themselves begin at multiples of far
/// more on every device.
/// </summary>
internal static class Vectors
{
    /// <summary>
    /// Width for operands of the same shape, and for <paramref name="pairs"/> that hold two floats for each of
    /// theirs.
    /// </summary>
    public static int WidthOf(ReadOnlySpan<View> views, ReadOnlySpan<View> pairs = default)
    {
        // Two pairs fill a 128-bit access already.
        foreach (View view in pairs)
            if (!Fits(view, 4)) return 1;
        for (int width = 4; width > 1; width /= 2)
            if (AllFit(views, width)) return width;
        return 1;
    }

    /// <summary>Whether all rows of the view consist of whole vectors that begin at a multiple of their size.</summary>
    public static bool Fits(View view, int width) => view.IsNone
        || (view.Offset % width == 0 && view.Cols % width == 0 && (view.Rows == 1 || view.Stride % width == 0));

    /// <summary>The same of rows of so many columns of device memory.</summary>
    public static bool Fits(Matrix matrix, int cols, int width) =>
        IndexOf(matrix.Data) % width == 0 && cols % width == 0 && matrix.Stride % width == 0;

    /// <summary>A view without gaps as one row, in which more vectors fit; others as they are.</summary>
    public static View Flat(View view) => view.IsDense && view.Count <= int.MaxValue ? view.Reshape(1,
        (int)view.Count) : view;

    // Through a type parameter the interface is called without boxing.
    private static long IndexOf<TView>(TView view) where TView : struct, IContiguousArrayView => view.Index;

    private static bool AllFit(ReadOnlySpan<View> views, int width)
    {
        foreach (View view in views)
            if (!Fits(view, width)) return false;
        return true;
    }
}

/// <summary>A streaming kernel at its three widths.</summary>
internal sealed class VectorKernel<TArguments>(
    GpuContext gpu, Action<TArguments> one, Action<TArguments> two, Action<TArguments> four) where TArguments : struct
{
    private readonly Kernel<TArguments> one = gpu.Declare(one), two = gpu.Declare(two), four = gpu.Declare(four);

    /// <summary>The kernel for a width that <see cref="Vectors"/> chose.</summary>
    public Kernel<TArguments> For(int width) => width == 4 ? four : width == 2 ? two : one;
}
