using ILGPU;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// Matrix products in float32 for any device: register tiles over shared memory (<see cref="GemmKernel"/>). The tile is
/// chosen by the device's group size and the product's shape alone, so a repeated product repeats its bits.
/// 2·M·N·K flops.
/// </summary>
internal sealed class GpuGemm
{
    private const int SlicesPerMultiprocessor = 2;
    private const int ShortestSlice = 128;

    private readonly GpuContext gpu;
    private readonly Tiling[] tilings;

    public GpuGemm(GpuContext gpu)
    {
        this.gpu = gpu;
        tilings =
        [
            Declare<Group16, Tile8, Row8>(),
            Declare<Group16, Tile4, Row4>(),
            Declare<Group8, Tile4, Row4>(),
            Declare<Group4, Tile4, Row4>(),
            Declare<Group2, Tile4, Row4>(),
        ];
        if (gpu.GroupSize < tilings[^1].Threads)
            throw new NotSupportedException(
                $"{gpu.Accelerator.Name}: groups of {gpu.GroupSize} threads are too small; at least "
                    + $"{tilings[^1].Threads} are needed");
    }

    /// <summary>The kernels of one tile size, and that size.</summary>
    private sealed record Tiling(int Threads, int Tile,
        Kernel<GemmArguments> Bias, Kernel<GemmArguments> BiasRelu, Kernel<GemmArguments> Product,
        Kernel<GemmArguments> TransposeB, Kernel<GemmArguments> TransposeBMask, Kernel<GemmArguments> TransposeBAdd,
        Kernel<GemmArguments> TransposeA);

    /// <summary>c = a·b; a <c>[m,k]</c>, b <c>[k,n]</c>.</summary>
    public void Multiply(int m, int n, int k, Matrix a, Matrix b, Matrix c) =>
        Launch(Choose(m, n), static t => t.Product, m, n, k, a, b, gpu.Missing, c);

    /// <summary>c = a·b + bias.</summary>
    public void MultiplyBias(int m, int n, int k, Matrix a, Matrix b, Matrix bias, Matrix c) =>
        Launch(Choose(m, n), static t => t.Bias, m, n, k, a, b, bias, c);

    /// <summary>c = max(a·b + bias, 0).</summary>
    public void MultiplyBiasRelu(int m, int n, int k, Matrix a, Matrix b, Matrix bias, Matrix c) =>
        Launch(Choose(m, n), static t => t.BiasRelu, m, n, k, a, b, bias, c);

    /// <summary>c = a·bᵀ; a <c>[m,k]</c>, b <c>[n,k]</c>.</summary>
    public void MultiplyTransposed(int m, int n, int k, Matrix a, Matrix b, Matrix c) =>
        Launch(Choose(m, n), static t => t.TransposeB, m, n, k, a, b, gpu.Missing, c);

    /// <summary>c = a·bᵀ where mask &gt; 0, else 0; mask <c>[m,n]</c>.</summary>
    public void MultiplyTransposedMask(int m, int n, int k, Matrix a, Matrix b, Matrix mask, Matrix c) =>
        Launch(Choose(m, n), static t => t.TransposeBMask, m, n, k, a, b, mask, c);

    /// <summary>c += a·bᵀ.</summary>
    public void AddMultiplyTransposed(int m, int n, int k, Matrix a, Matrix b, Matrix c) =>
        Launch(Choose(m, n), static t => t.TransposeBAdd, m, n, k, a, b, gpu.Missing, c);

    /// <summary>
    /// The terms of aᵀ·b, a <c>[k,m]</c>, b <c>[k,n]</c>, in slices of the long dimension k that are computed side by
    /// side; their sum is the product. The result <c>[slices, m·n]</c> lies in scratch.
    /// </summary>
    public (Matrix Slices, int Count) TransposedSlices(int m, int n, int k, Matrix a, Matrix b)
    {
        Tiling tiling = Choose(m, n);
        int tiles = GpuContext.CeilingDivide(m, tiling.Tile) * GpuContext.CeilingDivide(n, tiling.Tile);
        int wanted = GpuContext.CeilingDivide(gpu.Multiprocessors * SlicesPerMultiprocessor, tiles);
        int count = Math.Max(1, Math.Min(wanted, k / ShortestSlice));
        int slice = GpuContext.CeilingDivide(k, count);
        count = GpuContext.CeilingDivide(k, slice);
        Matrix product = gpu.Scratch.Take(ScratchSlot.Slices, count, checked(m * n));
        Launch(tiling, static t => t.TransposeA, m, n, k, a, b, gpu.Missing, new Matrix(product.Data, n), slice, count);
        return (product, count);
    }

    /// <summary>The largest tile that still gives every multiprocessor one.</summary>
    private Tiling Choose(int m, int n)
    {
        foreach (Tiling tiling in tilings)
        {
            if (tiling.Threads > gpu.GroupSize) continue;
            bool smallest = tiling.Tile <= 4 * 16;
            long tiles = (long)GpuContext.CeilingDivide(m, tiling.Tile) * GpuContext.CeilingDivide(n, tiling.Tile);
            if (smallest || (tiles >= gpu.Multiprocessors && n > tiling.Tile / 2)) return tiling;
        }
        return tilings[^1];
    }

    private static void Launch(Tiling tiling, Func<Tiling, Kernel<GemmArguments>> kernel, int m, int n, int k,
        Matrix a, Matrix b, Matrix operand, Matrix c, int slice = 0, int slices = 1) =>
        kernel(tiling).Launch(
            new Index3D(GpuContext.CeilingDivide(m, tiling.Tile), GpuContext.CeilingDivide(n, tiling.Tile), slices),
            new Index3D(tiling.Threads, 1, 1),
            new() { A = a, B = b, C = c, Operand = operand, M = m, N = n, K = k, KSlice = slices == 1 ? k : slice });

    private Tiling Declare<TGroup, TTile, TRow>()
        where TGroup : struct, IGemmGroup
        where TTile : struct, IRegisterTile<TTile, TRow>
        where TRow : struct, IRegisterRow<TRow> =>
        new(TGroup.Edge * TGroup.Edge, TGroup.Edge * TRow.Size,
            gpu.Declare<GemmArguments>(GemmKernel.Multiply<TGroup, TTile, TRow, FormNN, AddBias>,
                TGroup.Edge * TGroup.Edge),
            gpu.Declare<GemmArguments>(GemmKernel.Multiply<TGroup, TTile, TRow, FormNN, AddBiasRelu>,
                TGroup.Edge * TGroup.Edge),
            gpu.Declare<GemmArguments>(GemmKernel.Multiply<TGroup, TTile, TRow, FormNN, Overwrite>,
                TGroup.Edge * TGroup.Edge),
            gpu.Declare<GemmArguments>(GemmKernel.Multiply<TGroup, TTile, TRow, FormNT, Overwrite>,
                TGroup.Edge * TGroup.Edge),
            gpu.Declare<GemmArguments>(GemmKernel.Multiply<TGroup, TTile, TRow, FormNT, ReluMask>,
                TGroup.Edge * TGroup.Edge),
            gpu.Declare<GemmArguments>(GemmKernel.Multiply<TGroup, TTile, TRow, FormNT, Accumulate>,
                TGroup.Edge * TGroup.Edge),
            gpu.Declare<GemmArguments>(GemmKernel.Multiply<TGroup, TTile, TRow, FormTN, Overwrite>,
                TGroup.Edge * TGroup.Edge));
}
