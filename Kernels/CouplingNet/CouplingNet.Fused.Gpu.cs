using GlowGpu.Kernels.Gpu.TensorCore;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// One layer of <see cref="FusedNetKernel"/>: weights <c>[N, K]</c> as rows of factors, bias, and where its output
/// goes.
/// </summary>
internal struct FusedLayer
{
    public DeviceAddress Weights, Bias;

    /// <summary>Outputs, a multiple of eight; bytes of a row of weights.</summary>
    public int N, RowBytes;

    /// <summary>Rows of the output in memory; a hidden layer's may be left out (0).</summary>
    public DeviceAddress Output;
    public int PitchOutput;
}

/// <summary>Arguments of the fused network.</summary>
internal struct FusedNetArguments
{
    public Matrix Z;

    /// <summary>Image size, channels of z and elements of a patch.</summary>
    public int H, W, Channels, PatchCols;

    /// <summary>Pixels.</summary>
    public int M;
    public FusedLayer First, Second, Last;

    /// <summary>Bytes of a row of patches and of hidden activations in shared memory, multiples of 128.</summary>
    public int PatchPitch, HiddenPitch;
}

/// <summary>How many slices of weights are in shared memory at a time: a power of two.</summary>
internal interface IFusedStages
{
    static abstract int Count { get; }

    /// <summary>Waits until the oldest slice of all threads has arrived, and all threads have come here.</summary>
    static abstract void Wait();
}

/// <summary>As many as hide the second-level cache's latency.</summary>
internal struct FusedStages4 : IFusedStages
{
    public static int Count => 4;

    public static void Wait() => AsyncCopy.WaitForAllButTwo();
}

/// <summary>Where shared memory has no room for more beside the hidden activations.</summary>
internal struct FusedStages2 : IFusedStages
{
    public static int Count => 2;

    public static void Wait() => AsyncCopy.WaitForAll();
}

/// <summary>
/// The coupling network up to its taps as one kernel: a group takes as many pixels as a warp tile has rows (64 in
/// bfloat16, 32 in TF32), gathers their patches to shared memory, and carries them through the three products; hidden
/// activations of up to
/// <see cref="WidestHidden"/> channels stay in shared memory and go to memory only where backward needs them. Each of
/// eight warps computes 32 of 256 columns at a time; weights stream past in slices of 64 bytes of the inner
/// dimension, from layer to layer without a break. Elements are summed in the order of
/// <see cref="TensorGemmKernel"/>: the results are the same, bit for bit.
/// <para>
/// Floor: 2·P·Width·(9·In1 + Width + 9·Out) flops over the peak; z and the taps once. A group reads all weights from
/// the second-level cache, Rows flops a byte in bfloat16 (half that in TF32), as the products one by one do in tiles
/// of 128 × 128; what it saves are the 4·P·Width·Bytes of hidden activations written and read back and the launches.
/// Budget at width 512: two hidden tiles of 64 KiB, 16 KiB a stage of weights; 64 accumulators (32 in TF32) and 24
/// words of fragments a thread, one group of 256 threads a multiprocessor.
/// </para>
/// </summary>
internal static class FusedNetKernel
{
    /// <summary>Threads of a group.</summary>
    public const int Threads = 256;

    /// <summary>Hidden channels that fit.</summary>
    public const int WidestHidden = 512;

    // Columns that the warps of a group compute at a time.
    private const int Cols = Threads;

    private const int StageBytes = Cols * WarpTile.LineBytes;
    private const int ThreadsPerLine = WarpTile.LineBytes / 16;
    private const int LinesAtOnce = Threads / ThreadsPerLine;

    /// <summary>The slice of weights that is fetched next.</summary>
    private struct Cursor
    {
        public int Layer, Col, Slice, Stage;
    }

    /// <summary>Bytes of dynamic shared memory, with room to align it.</summary>
    public static int SharedBytes(int rows, int patchPitch, int hiddenPitch, int stages) =>
        rows * (hiddenPitch + Math.Max(patchPitch, hiddenPitch)) + stages * StageBytes + 128;

    [Promises("LDGSTS.E.BYPASS.128", "LDSM.16.M88.4")]
    [Promises("HMMA.16816.F32.BF16", For = typeof(BFloat16))]
    [Promises("HMMA.1688.F32.TF32", For = typeof(TensorFloat32))]
    public static void Forward<TFormat, TWarp, TStages>(FusedNetArguments arguments)
        where TFormat : struct, ITensorFormat
        where TWarp : struct, IWarpTile
        where TStages : struct, IFusedStages
    {
        CudaAsm.Emit(Fragments.Declare, SharedMemory.GetDynamic<int>().IntLength);
        // Patches lie where the second layer's output will: they have served when that is written.
        int second = TWarp.Rows * arguments.HiddenPitch;
        int weights = second + TWarp.Rows * IntrinsicMath.Max(arguments.PatchPitch, arguments.HiddenPitch);
        Cursor cursor = default;
        for (int i = 1; i < TStages.Count; i++) Fetch<TStages>(arguments, weights, ref cursor);
        Gather<TFormat, TWarp>(arguments, second);

        int stage = 0;
        FusedRows rows = new()
        {
            M = arguments.M,
            FirstRow = Grid.IdxX * TWarp.Rows,
            Pitch = arguments.HiddenPitch,
            Layer = arguments.First,
        };
        Layer<TFormat, TWarp, TStages, HiddenSink<TFormat>>(arguments, rows, second, arguments.PatchPitch, weights,
            ref cursor, ref stage);
        rows.Layer = arguments.Second;
        rows.Region = second;
        Layer<TFormat, TWarp, TStages, HiddenSink<TFormat>>(arguments, rows, 0, arguments.HiddenPitch, weights,
            ref cursor, ref stage);
        rows.Layer = arguments.Last;
        Layer<TFormat, TWarp, TStages, TapSink>(arguments, rows, second, arguments.HiddenPitch, weights,
            ref cursor, ref stage);
    }

    /// <summary>One layer: rows of A at <paramref name="regionA"/>, all columns, 256 at a time.</summary>
    private static void Layer<TFormat, TWarp, TStages, TSink>(FusedNetArguments arguments, FusedRows rows,
        int regionA, int pitchA,
        int weights, ref Cursor cursor, ref int stage)
        where TFormat : struct, ITensorFormat
        where TWarp : struct, IWarpTile
        where TStages : struct, IFusedStages
        where TSink : struct, IRowSink<FusedRows>
    {
        int lane = Group.IdxX % WarpTile.Threads, warpCol = Group.IdxX / WarpTile.Threads * WarpTile.Cols;
        int readA = regionA + WarpTile.LineOfA(lane) * pitchA;
        int readB = weights + WarpTile.OffsetB(warpCol + WarpTile.LineOfB(lane), WarpTile.ChunkOfB(lane));
        int slices = (rows.Layer.RowBytes + WarpTile.LineBytes - 1) / WarpTile.LineBytes;
        for (int col = 0; col < rows.Layer.N; col += Cols)
        {
            TWarp.Clear();
            for (int slice = 0; slice < slices; slice++)
            {
                TStages.Wait();
                Fetch<TStages>(arguments, weights, ref cursor);
                int b = readB + stage * StageBytes;
                stage = (stage + 1) & (TStages.Count - 1);
                if (col + warpCol < rows.Layer.N)
                {
                    int chunk = slice * ThreadsPerLine + WarpTile.ChunkOfA(lane);
                    TWarp.LoadA(readA + Swizzle(lane, chunk), 16 * pitchA);
                    WarpTile.LoadB(b);
                    TWarp.Multiply<TFormat>();
                    TWarp.LoadA(readA + Swizzle(lane, chunk + 2), 16 * pitchA);
                    WarpTile.LoadB(weights + ((b - weights) ^ WarpTile.StepBytes));
                    TWarp.Multiply<TFormat>();
                }
            }
            TWarp.Finish<TSink, FusedRows>(rows, lane / 4, 8, col + warpCol + lane % 4 * 8);
        }
    }

    /// <summary>Begins to copy the next slice of weights, four chunks a thread, and moves on.</summary>
    private static void Fetch<TStages>(FusedNetArguments arguments, int weights, ref Cursor cursor)
        where TStages : struct, IFusedStages
    {
        if (cursor.Layer < 3)
        {
            FusedLayer layer = cursor.Layer == 0 ? arguments.First : cursor.Layer == 1 ? arguments.Second
                : arguments.Last;
            int line = Group.IdxX / ThreadsPerLine, chunk = Group.IdxX % ThreadsPerLine;
            int stage = weights + cursor.Stage * StageBytes;
            Fetch(layer, cursor, line, chunk, stage);
            Fetch(layer, cursor, line + LinesAtOnce, chunk, stage);
            Fetch(layer, cursor, line + 2 * LinesAtOnce, chunk, stage);
            Fetch(layer, cursor, line + 3 * LinesAtOnce, chunk, stage);
            cursor.Stage = (cursor.Stage + 1) & (TStages.Count - 1);
            cursor.Slice++;
            if (cursor.Slice * WarpTile.LineBytes >= layer.RowBytes)
            {
                cursor.Slice = 0;
                cursor.Col += Cols;
                if (cursor.Col >= layer.N)
                {
                    cursor.Col = 0;
                    cursor.Layer++;
                }
            }
        }
        AsyncCopy.Commit();
    }

    private static void Fetch(FusedLayer layer, Cursor cursor, int line, int chunk, int stage) =>
        AsyncCopy.Of(layer.Weights, cursor.Col + line, layer.N, layer.RowBytes, layer.RowBytes, chunk,
            WarpTile.OffsetB(line, chunk))
            .Begin(cursor.Slice, stage);

    /// <summary>
    /// Patches of the group's pixels to shared memory, zero beyond the last pixel and the last element.
    /// </summary>
    private static void Gather<TFormat, TWarp>(FusedNetArguments arguments, int region)
        where TFormat : struct, ITensorFormat
        where TWarp : struct, IWarpTile
    {
        OperandArguments source = new()
        {
            Source = arguments.Z,
            Rows = arguments.M,
            Cols = arguments.PatchCols,
            H = arguments.H,
            W = arguments.W,
            Channels = arguments.Channels,
        };
        int words = arguments.PatchPitch / sizeof(float), firstRow = Grid.IdxX * TWarp.Rows;
        for (int i = Group.IdxX; i < TWarp.Rows * words; i += Threads)
        {
            int row = i / words, word = i % words;
            CudaAsm.Emit(
                "add.u32 pa0, shared0, %0;\n"
                + "st.shared.f32 [pa0], %1;",
                region + row * arguments.PatchPitch + Swizzle(row, word / 4) + word % 4 * sizeof(float),
                OperandKernel.Word<TFormat, PatchSource>(source, firstRow + row, word));
        }
    }

    /// <summary>
    /// Where a chunk of 16 bytes lies in a row of a multiple of 128 bytes: the same chunk of eight rows that follow
    /// each other falls into the eight groups of banks.
    /// </summary>
    private static int Swizzle(int row, int chunk) => (chunk ^ (row & 7)) * 16;

    /// <summary>Where the rows of a layer go.</summary>
    private struct FusedRows
    {
        public FusedLayer Layer;

        /// <summary>Pixels, and the group's first.</summary>
        public int M, FirstRow;

        /// <summary>Shared memory of a hidden layer's output, and bytes of its rows.</summary>
        public int Region, Pitch;
    }

    /// <summary>a = max(value + bias, 0), to shared memory and, if asked for, to memory.</summary>
    private struct HiddenSink<TFormat> : IRowSink<FusedRows> where TFormat : struct, ITensorFormat
    {
        public static void Take(FusedRows arguments, int row, int col)
        {
            // Beyond the last column the accumulators are zero, and so must be what the next layer reads.
            int inside = col < arguments.Layer.N ? 1 : 0;
            TensorEpilogue.BiasRelu(TensorEpilogue.Address(arguments.Layer.Bias, 0, 0, col, sizeof(float)), inside);
            if (col * TFormat.Bytes < arguments.Pitch)
                TFormat.StoreShared(arguments.Region + row * arguments.Pitch + Swizzle(row, col * TFormat.Bytes / 16));
            if (arguments.Layer.PitchOutput != 0)
            {
                TFormat.Store(
                    TensorEpilogue.Address(arguments.Layer.Output, arguments.FirstRow + row,
                        arguments.Layer.PitchOutput, col, TFormat.Bytes),
                    arguments.FirstRow + row < arguments.M ? inside : 0);
            }
        }
    }

    /// <summary>The taps, in float32, to memory.</summary>
    private struct TapSink : IRowSink<FusedRows>
    {
        public static void Take(FusedRows arguments, int row, int col) => TensorEpilogue.Store(
            TensorEpilogue.Address(arguments.Layer.Output, arguments.FirstRow + row, arguments.Layer.PitchOutput, col,
                sizeof(float)),
            arguments.FirstRow + row < arguments.M && col < arguments.Layer.N ? 1 : 0);
    }
}
