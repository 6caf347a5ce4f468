using ILGPU;
using ILGPU.Runtime.Cuda;

namespace GlowGpu.Kernels.Gpu.TensorCore;

/// <summary>
/// Arguments of one product C = A·Bᵀ: A <c>[M,K]</c>, B <c>[N,K]</c>, C <c>[M,N]</c>, all with the rows of an
/// <see cref="ITensorFormat"/>; N is a multiple of eight, pitches and the length of A's and B's rows are in bytes.
/// </summary>
internal struct TensorGemmArguments
{
    public DeviceAddress A, B, C;
    public int M, N, RowBytes, PitchA, PitchB, PitchC;

    /// <summary>Tiles side by side.</summary>
    public int TilesN;

    /// <summary>The epilogue's bias row (float32) or mask.</summary>
    public DeviceAddress Operand;
    public int PitchOperand;
}

/// <summary>Shape of a group: Down × Across warps, each with its warp tile.</summary>
internal interface ITensorGroup
{
    static abstract int Down { get; }

    static abstract int Across { get; }
}

/// <summary>Eight warps: 128 × 128 of C with tiles of 64 × 32.</summary>
internal struct TensorGroup8 : ITensorGroup
{
    public static int Down => 2;

    public static int Across => 4;
}

/// <summary>Four warps: 64 × 64 of C with tiles of 32 × 32.</summary>
internal struct TensorGroup4 : ITensorGroup
{
    public static int Down => 2;

    public static int Across => 2;
}

/// <summary>
/// C = A·Bᵀ on tensor cores: the coupling network's products forward (B the transposed weights) and those of its hidden
/// gradients (B the weights). Both factors have the inner dimension contiguous, so one kernel serves both, and since a
/// fragment is filled by 32 bytes in either format, both formats.
/// <para>
/// A group walks down the inner dimension in slices of 64 bytes, of which <see cref="Stages"/> − 1 are on their way
/// (<c>cp.async</c>) while one is multiplied; one barrier a slice. Every element of C is the sum of its <c>mma</c>
/// steps in ascending order, whatever the tile, so results depend on neither tile nor neighbours. C must not overlap
/// A or B.
/// </para>
/// <para>
/// Floor: 2·M·N·K flops over the peak; A and B once from memory each (M·K + N·K elements) and C once to it. Tiles of
/// 128 × 128 read 2·128·K elements for 2·128·128·K flops, 64 flops a byte of second-level cache in bfloat16 (32 in
/// TF32). Budget of 128 × 128: 64 accumulators and 24 words of fragments a thread, at most 128 registers, so that two
/// groups of 256 threads share a multiprocessor; 4 stages × 16 KiB of shared memory each.
/// </para>
/// </summary>
internal static class TensorGemmKernel
{
    public const int Stages = 4;

    /// <summary>Threads that copy one line of a slice.</summary>
    private const int ThreadsPerLine = WarpTile.LineBytes / 16;

    /// <summary>Bytes of dynamic shared memory of a group whose tile is rows × cols, with room to align it.</summary>
    public static int SharedBytes(int rows, int cols) => Stages * (rows + cols) * WarpTile.LineBytes + 128;

    [Promises("LDGSTS.E.BYPASS.128", "LDSM.16.M88.4")]
    [Promises("HMMA.16816.F32.BF16", For = typeof(BFloat16))]
    [Promises("HMMA.1688.F32.TF32", For = typeof(TensorFloat32))]
    public static void Multiply<TFormat, TWarp, TGroup, TSink>(TensorGemmArguments arguments)
        where TFormat : struct, ITensorFormat
        where TWarp : struct, IWarpTile
        where TGroup : struct, ITensorGroup
        where TSink : struct, IRowSink<TensorGemmArguments>
    {
        CudaAsm.Emit(Fragments.Declare, SharedMemory.GetDynamic<int>().IntLength);
        TWarp.Clear();
        int rows = TWarp.Rows * TGroup.Down, cols = WarpTile.Cols * TGroup.Across;
        int firstRow = Grid.IdxX / arguments.TilesN * rows, firstCol = Grid.IdxX % arguments.TilesN * cols;

        // Every thread copies two chunks of A and two of B.
        int line = Group.IdxX / ThreadsPerLine, chunk = Group.IdxX % ThreadsPerLine;
        int half = TGroup.Down * TGroup.Across * WarpTile.Threads / ThreadsPerLine;
        int stageB = rows * WarpTile.LineBytes, stageBytes = (rows + cols) * WarpTile.LineBytes;
        AsyncCopy a0 = CopyA(arguments, firstRow, line, chunk), a1 = CopyA(arguments, firstRow, line + half, chunk);
        AsyncCopy b0 = CopyB(arguments, firstCol, line, chunk, stageB),
            b1 = CopyB(arguments, firstCol, line + half, chunk, stageB);

        int lane = Group.IdxX % WarpTile.Threads, warp = Group.IdxX / WarpTile.Threads;
        int warpRow = warp / TGroup.Across * TWarp.Rows, warpCol = warp % TGroup.Across * WarpTile.Cols;
        int readA = WarpTile.OffsetA(warpRow + WarpTile.LineOfA(lane), WarpTile.ChunkOfA(lane));
        int readB = stageB + WarpTile.OffsetB(warpCol + WarpTile.LineOfB(lane), WarpTile.ChunkOfB(lane));

        int slices = (arguments.RowBytes + WarpTile.LineBytes - 1) / WarpTile.LineBytes;
        for (int slice = 0; slice < Stages - 1; slice++)
        {
            Copy(a0, a1, b0, b1, slice, slices, stageBytes);
        }
        for (int slice = 0; slice < slices; slice++)
        {
            AsyncCopy.WaitForAllButTwo();
            Copy(a0, a1, b0, b1, slice + Stages - 1, slices, stageBytes);
            int stage = (slice & (Stages - 1)) * stageBytes;
            Step<TFormat, TWarp>(stage + readA, stage + readB);
            // The second step's chunks are the first's plus two, and the swizzle is an exclusive or.
            Step<TFormat, TWarp>(stage + (readA ^ WarpTile.StepBytes), stage + (readB ^ WarpTile.StepBytes));
        }
        TWarp.Finish<TSink, TensorGemmArguments>(arguments,
            firstRow + warpRow + lane / 4, 8, firstCol + warpCol + lane % 4 * 8);
    }

    private static void Step<TFormat, TWarp>(int offsetA, int offsetB)
        where TFormat : struct, ITensorFormat
        where TWarp : struct, IWarpTile
    {
        TWarp.LoadA(offsetA, 16 * WarpTile.LineBytes);
        WarpTile.LoadB(offsetB);
        TWarp.Multiply<TFormat>();
    }

    private static void Copy(AsyncCopy a0, AsyncCopy a1, AsyncCopy b0, AsyncCopy b1, int slice,
        int slices, int stageBytes)
    {
        if (slice < slices)
        {
            int stage = (slice & (Stages - 1)) * stageBytes;
            a0.Begin(slice, stage);
            a1.Begin(slice, stage);
            b0.Begin(slice, stage);
            b1.Begin(slice, stage);
        }
        AsyncCopy.Commit();
    }

    private static AsyncCopy CopyA(TensorGemmArguments arguments, int firstRow, int line, int chunk) => AsyncCopy.Of(
        arguments.A, firstRow + line, arguments.M, arguments.PitchA, arguments.RowBytes, chunk,
            WarpTile.OffsetA(line, chunk));

    private static AsyncCopy CopyB(TensorGemmArguments arguments, int firstCol, int line, int chunk,
        int stageB) => AsyncCopy.Of(
        arguments.B, firstCol + line, arguments.N, arguments.PitchB, arguments.RowBytes, chunk,
            stageB + WarpTile.OffsetB(line, chunk));
}
