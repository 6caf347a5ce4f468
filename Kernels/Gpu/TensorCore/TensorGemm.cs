using ILGPU;

namespace GlowGpu.Kernels.Gpu.TensorCore;

/// <summary>
/// Matrix products on tensor cores, factors in one <see cref="ITensorFormat"/>, sums in float32. Which tile is taken
/// depends on the device and the product's shape alone and changes no bit of <see cref="TensorGemmKernel"/>'s
/// results. 2·M·N·K flops.
/// </summary>
internal sealed class TensorGemm<TFormat, TOuter>
    where TFormat : struct, ITensorFormat
    where TOuter : struct, IOuterFormat
{
    private const int SlicesPerMultiprocessor = 2;
    private const int ShortestSlice = 256;

    // Pixels that two steps of a slice multiply; a longer slice loses less to its start and end.
    private const int SliceUnit = WarpTile.LineBytes / 2;

    private readonly GpuContext gpu;
    private readonly Tiling large, small;

    public TensorGemm(GpuContext gpu)
    {
        this.gpu = gpu;
        large = Declare<WarpTile64, TensorGroup8>();
        small = Declare<WarpTile32, TensorGroup4>();
    }

    /// <summary>The kernels of one tile size, and that size.</summary>
    private sealed record Tiling(int Threads, int Tile, Kernel<TensorGemmArguments> Overwrite,
        Kernel<TensorGemmArguments> BiasRelu,
        Kernel<TensorGemmArguments> Mask, Kernel<TensorOuterArguments> Outer);

    /// <summary>
    /// c = a·bᵀ in float32; a <c>[m,k]</c>, b <c>[n,k]</c>; c's rows are <see cref="Operand.Padded"/>(n) long at
    /// least.
    /// </summary>
    public void Multiply(int m, int n, int k, Operand a, Operand b, Matrix c) =>
        Launch(static t => t.Overwrite, m, n, k, a, b, default, 0, DeviceAddress.Of(c), c.Stride * sizeof(float));

    /// <summary>c = max(a·bᵀ + bias, 0), bias in float32, <see cref="Operand.Padded"/>(n) long.</summary>
    public void MultiplyBiasRelu(int m, int n, int k, Operand a, Operand b, Matrix bias, Operand c) =>
        Launch(static t => t.BiasRelu, m, n, k, a, b, DeviceAddress.Of(bias), 0, c.Address, c.Pitch);

    /// <summary>c = a·bᵀ where mask &gt; 0, else 0; mask <c>[m,n]</c>.</summary>
    public void MultiplyMask(int m, int n, int k, Operand a, Operand b, Operand mask, Operand c) =>
        Launch(static t => t.Mask, m, n, k, a, b, mask.Address, mask.Pitch, c.Address, c.Pitch);

    /// <summary>
    /// The terms of aᵀ·b, a <c>[k,m]</c>, b <c>[k,n]</c>, in slices of the long dimension k that are computed side by
    /// side; their sum is the product. The result <c>[slices, m'·n']</c>, m' = <see cref="Operand.Padded"/>(m) and n'
    /// likewise, lies in scratch.
    /// </summary>
    public (Matrix Slices, int Count) OuterSlices(int m, int n, int k, Operand a, Operand b)
    {
        int paddedM = Operand.Padded(m), paddedN = Operand.Padded(n);
        Tiling tiling = Math.Min(m, n) <= small.Tile ? small : large;
        int tilesN = GpuContext.CeilingDivide(paddedN, tiling.Tile);
        int tiles = tilesN * GpuContext.CeilingDivide(paddedM, tiling.Tile);
        int wanted = GpuContext.CeilingDivide(gpu.Multiprocessors * SlicesPerMultiprocessor, tiles);
        int count = Math.Max(1, Math.Min(wanted, k / ShortestSlice));
        int slice = GpuContext.CeilingDivide(GpuContext.CeilingDivide(k, count), SliceUnit) * SliceUnit;
        count = GpuContext.CeilingDivide(k, slice);
        Matrix product = gpu.Scratch.Take(ScratchSlot.Slices, count, checked(paddedM * paddedN));
        tiling.Outer.Launch(new Index3D(tiles, 1, count), new Index3D(tiling.Threads, 1, 1), new()
        {
            A = a.Address,
            B = b.Address,
            C = DeviceAddress.Of(product),
            M = paddedM,
            N = paddedN,
            K = k,
            KSlice = slice,
            PitchA = a.Pitch,
            PitchB = b.Pitch,
            TilesN = tilesN,
        });
        return (product, count);
    }

    /// <summary>The large tile if it still gives most multiprocessors one.</summary>
    private Tiling Choose(int m, int n)
    {
        long tiles = (long)GpuContext.CeilingDivide(m, large.Tile) * GpuContext.CeilingDivide(n, large.Tile);
        return n > small.Tile && 4 * tiles >= 3 * gpu.Multiprocessors ? large : small;
    }

    private void Launch(Func<Tiling, Kernel<TensorGemmArguments>> kernel, int m, int n, int k, Operand a, Operand b,
        DeviceAddress operand, int pitchOperand, DeviceAddress c, int pitchC)
    {
        int paddedN = Operand.Padded(n);
        Tiling tiling = Choose(m, paddedN);
        int tilesN = GpuContext.CeilingDivide(paddedN, tiling.Tile);
        int tiles = checked(tilesN * GpuContext.CeilingDivide(m, tiling.Tile));
        kernel(tiling).Launch(new Index3D(tiles, 1, 1), new Index3D(tiling.Threads, 1, 1), new()
        {
            A = a.Address,
            B = b.Address,
            C = c,
            M = m,
            N = paddedN,
            RowBytes = Operand.Padded(k) * TFormat.Bytes,
            PitchA = a.Pitch,
            PitchB = b.Pitch,
            PitchC = pitchC,
            TilesN = tilesN,
            Operand = operand,
            PitchOperand = pitchOperand,
        });
    }

    private Tiling Declare<TWarp, TGroup>()
        where TWarp : struct, IWarpTile
        where TGroup : struct, ITensorGroup
    {
        int threads = TGroup.Down * TGroup.Across * WarpTile.Threads, tile = TGroup.Down * TWarp.Rows;
        int shared = TensorGemmKernel.SharedBytes(tile, tile);
        return new(threads, tile,
            gpu.Declare<TensorGemmArguments>(TensorGemmKernel.Multiply<TFormat, TWarp, TGroup, TensorOverwrite>,
                threads, shared),
            gpu.Declare<TensorGemmArguments>(
                TensorGemmKernel.Multiply<TFormat, TWarp, TGroup, TensorBiasRelu<TFormat>>, threads, shared),
            gpu.Declare<TensorGemmArguments>(
                TensorGemmKernel.Multiply<TFormat, TWarp, TGroup, TensorReluMask<TFormat>>, threads, shared),
            gpu.Declare<TensorOuterArguments>(TensorOuterKernel.Multiply<TFormat, TOuter, TWarp, TGroup>,
                threads, shared));
    }
}
