using ILGPU;
using ILGPU.Runtime.Cuda;

namespace GlowGpu.Kernels.Gpu.TensorCore;

/// <summary>
/// Arguments of the terms of C = Aᵀ·B: A <c>[K,M]</c>, B <c>[K,N]</c> in an <see cref="ITensorFormat"/>, M and N
/// multiples of eight. Layer z of the grid sums the inner range <c>[z·KSlice, (z+1)·KSlice)</c> to its own dense C
/// <c>[M,N]</c> (float32), one behind the other.
/// </summary>
internal struct TensorOuterArguments
{
    public DeviceAddress A, B, C;
    public int M, N, K, KSlice, PitchA, PitchB;

    /// <summary>Tiles side by side.</summary>
    public int TilesN;
}

/// <summary>
/// Aᵀ·B on tensor cores, for gradients of weights: the inner dimension is the pixels, long and outermost in memory.
/// Like
/// <see cref="TensorGemmKernel"/> with slices of 32 (bfloat16) or 16 (TF32) pixels; the groups of one tile that share
/// the pixels leave partial sums, which <see cref="TensorSliceSums"/> adds in a fixed order.
/// <para>
/// Floor: 2·M·N·K flops over the peak; A and B once from memory each. Registers and shared memory as there.
/// </para>
/// </summary>
internal static class TensorOuterKernel
{
    private const int Stages = TensorGemmKernel.Stages;

    [Promises("LDGSTS.E.BYPASS.128")]
    [Promises("HMMA.16816.F32.BF16", For = typeof(BFloat16))]
    [Promises("HMMA.1688.F32.TF32", For = typeof(TensorFloat32))]
    public static void Multiply<TFormat, TOuter, TWarp, TGroup>(TensorOuterArguments arguments)
        where TFormat : struct, ITensorFormat
        where TOuter : struct, IOuterFormat
        where TWarp : struct, IWarpTile
        where TGroup : struct, ITensorGroup
    {
        CudaAsm.Emit(Fragments.Declare, SharedMemory.GetDynamic<int>().IntLength);
        TWarp.Clear();
        int rows = TWarp.Rows * TGroup.Down, cols = WarpTile.Cols * TGroup.Across;
        int lines = WarpTile.LineBytes / TFormat.Bytes;
        int lineA = rows * TFormat.Bytes, lineB = cols * TFormat.Bytes;
        int stageB = lines * lineA, stageBytes = lines * (lineA + lineB);
        int firstRow = Grid.IdxX / arguments.TilesN * rows, firstCol = Grid.IdxX % arguments.TilesN * cols;

        // Tiles are square, so a thread's two chunks of A and two of B have the same places.
        int chunks = lineA / 16;
        int line = Group.IdxX / chunks, chunk = Group.IdxX % chunks;
        int half = TGroup.Down * TGroup.Across * WarpTile.Threads / chunks;
        int first = Grid.IdxZ * arguments.KSlice;
        int end = IntrinsicMath.Min(first + arguments.KSlice, arguments.K);
        OuterCopy a = OuterCopy.Of(arguments.A, arguments.PitchA, firstRow * TFormat.Bytes + chunk * 16,
            arguments.M * TFormat.Bytes, end);
        OuterCopy b = OuterCopy.Of(arguments.B, arguments.PitchB, firstCol * TFormat.Bytes + chunk * 16,
            arguments.N * TFormat.Bytes, end);
        int a0 = line * lineA + (chunk ^ TOuter.SwizzleA(line, TWarp.Rows)) * 16;
        int a1 = (line + half) * lineA + (chunk ^ TOuter.SwizzleA(line + half, TWarp.Rows)) * 16;
        int b0 = stageB + line * lineB + (chunk ^ TOuter.SwizzleB(line)) * 16;
        int b1 = stageB + (line + half) * lineB + (chunk ^ TOuter.SwizzleB(line + half)) * 16;

        int lane = Group.IdxX % WarpTile.Threads, warp = Group.IdxX / WarpTile.Threads;
        int warpRow = warp / TGroup.Across * TWarp.Rows, warpCol = warp % TGroup.Across * WarpTile.Cols;
        int readLineA = TOuter.LineOfA(lane), readLineB = TOuter.LineOfB(lane);
        int readA = readLineA * lineA
            + ((warpRow * TFormat.Bytes / 16 + TOuter.ChunkOfA(lane, TWarp.Rows)) ^ TOuter.SwizzleA(readLineA,
            TWarp.Rows)) * 16;
        int readB = stageB + readLineB * lineB
            + ((warpCol * TFormat.Bytes / 16 + TOuter.ChunkOfB(lane)) ^ TOuter.SwizzleB(readLineB)) * 16;

        int slices = (end - first + lines - 1) / lines;
        for (int slice = 0; slice < Stages - 1; slice++)
        {
            int stage = (slice & (Stages - 1)) * stageBytes;
            int k = first + slice * lines + line;
            if (slice < slices) Copy(a, b, k, k + half, stage + a0, stage + a1, stage + b0, stage + b1);
            AsyncCopy.Commit();
        }
        for (int slice = 0; slice < slices; slice++)
        {
            AsyncCopy.WaitForAllButTwo();
            int next = slice + Stages - 1;
            int nextStage = (next & (Stages - 1)) * stageBytes;
            int k = first + next * lines + line;
            if (next < slices) Copy(a, b, k, k + half, nextStage + a0, nextStage + a1, nextStage + b0, nextStage + b1);
            AsyncCopy.Commit();
            int stage = (slice & (Stages - 1)) * stageBytes;
            Step<TFormat, TOuter, TWarp>(stage + readA, stage + readB, lineA, lineB);
            Step<TFormat, TOuter, TWarp>(stage + readA + lines / 2 * lineA, stage + readB + lines / 2 * lineB,
                lineA, lineB);
        }
        TWarp.Finish<Sink<TOuter>, TensorOuterArguments>(arguments,
            firstRow + warpRow + TOuter.RowOf(lane, TWarp.Rows), TOuter.RowStep,
                firstCol + warpCol + TOuter.ColOf(lane));
    }

    private static void Copy(OuterCopy a, OuterCopy b, int k0, int k1, int a0, int a1, int b0, int b1)
    {
        a.Begin(k0, a0);
        a.Begin(k1, a1);
        b.Begin(k0, b0);
        b.Begin(k1, b1);
    }

    private static void Step<TFormat, TOuter, TWarp>(int offsetA, int offsetB, int lineA, int lineB)
        where TFormat : struct, ITensorFormat
        where TOuter : struct, IOuterFormat
        where TWarp : struct, IWarpTile
    {
        if (TWarp.Rows == 64) TOuter.LoadA64(offsetA, lineA);
        else TOuter.LoadA32(offsetA, lineA);
        TOuter.LoadB(offsetB, lineB);
        TWarp.Multiply<TFormat>();
    }

    private struct Sink<TOuter> : IRowSink<TensorOuterArguments> where TOuter : struct, IOuterFormat
    {
        public static void Take(TensorOuterArguments arguments, int row, int col) => TOuter.Store(
            TensorEpilogue.Address(arguments.C, Grid.IdxZ * arguments.M + row, arguments.N * sizeof(float), col,
                sizeof(float)),
            row < arguments.M ? arguments.N - col : 0);
    }
}

/// <summary>
/// One thread's share of copying a factor of <see cref="TensorOuterKernel"/> to shared memory: the same 16 bytes of
/// its lines.
/// </summary>
internal struct OuterCopy
{
    private ulong source;
    private int pitch, last, end;

    /// <summary>
    /// The chunk at byte <paramref name="start"/> of rows that are <paramref name="bytes"/> long; lines from
    /// <paramref name="end"/> on are zero.
    /// </summary>
    public static OuterCopy Of(DeviceAddress factor, int pitch, int start, int bytes, int end) => new()
    {
        // A chunk beyond the last is never read, but its address must be one of the factor's.
        source = factor.Value + (uint)IntrinsicMath.Min(start, bytes - 16),
        pitch = pitch,
        last = end - 1,
        end = start < bytes ? end : 0,
    };

    /// <summary>Begins to copy the chunk of line <paramref name="k"/> to an offset of shared memory.</summary>
    public readonly void Begin(int k, int target) => CudaAsm.Emit(
        "add.u32 word0, shared0, %0;\n"
        + "cp.async.cg.shared.global [word0], [%1], 16, %2;",
        target, source + (ulong)(uint)IntrinsicMath.Min(k, last) * (uint)pitch, k < end ? 16 : 0);
}
