using ILGPU.Runtime.Cuda;

namespace GlowGpu.Kernels.Gpu.TensorCore;

/// <summary>
/// Receives the rows of a finished warp tile: eight neighbouring columns from <c>row</c> of <see cref="Fragments"/>.
/// </summary>
internal interface IRowSink<TArguments> where TArguments : struct
{
    /// <summary>
    /// Takes the part of row <paramref name="row"/> that begins at column <paramref name="col"/>.
    /// </summary>
    static abstract void Take(TArguments arguments, int row, int col);
}

/// <summary>
/// One warp's part of a product: Rows × <see cref="WarpTile.Cols"/> accumulators, and the loads of its fragments from
/// shared memory, 32 bytes of the inner dimension at a time. Offsets count from the start of dynamic shared memory.
/// </summary>
internal interface IWarpTile
{
    /// <summary>Rows of C.</summary>
    static abstract int Rows { get; }

    /// <summary>Sets the accumulators to zero.</summary>
    static abstract void Clear();

    /// <summary>Loads A's fragments, whose blocks of 16 rows lie <paramref name="stride"/> bytes apart.</summary>
    static abstract void LoadA(int offset, int stride);

    /// <summary>Adds the product of the loaded fragments.</summary>
    static abstract void Multiply<TFormat>() where TFormat : struct, ITensorFormat;

    /// <summary>
    /// Hands out the accumulators: the thread's first row and first column are given, its rows lie
    /// <paramref name="rowStep"/> apart.
    /// </summary>
    static abstract void Finish<TSink, TArguments>(TArguments arguments, int row, int rowStep, int col)
        where TSink : struct, IRowSink<TArguments>
        where TArguments : struct;
}

/// <summary>What all warp tiles share.</summary>
internal static class WarpTile
{
    /// <summary>Columns of C.</summary>
    public const int Cols = 32;

    /// <summary>Threads of a warp.</summary>
    public const int Threads = 32;

    /// <summary>Bytes of a slice of the inner dimension in shared memory: one line of A or of B.</summary>
    public const int LineBytes = 64;

    /// <summary>
    /// Bytes of the inner dimension that one step multiplies: 16 bfloat16 or 8 TF32, which fill the fragments of either
    /// <c>mma</c> alike.
    /// </summary>
    public const int StepBytes = 32;

    private const string LoadFirstRows =
        "add.u32 pa0, shared0, %0; add.u32 pa1, pa0, %1;\n"
        + "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {fa0,fa1,fa2,fa3}, [pa0];\n"
        + "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {fa4,fa5,fa6,fa7}, [pa1];\n";

    /// <summary>A's fragments of 32 rows.</summary>
    public static void LoadA32(int offset, int stride) => CudaAsm.Emit(LoadFirstRows, offset, stride);

    /// <summary>A's fragments of 64 rows.</summary>
    public static void LoadA64(int offset, int stride) => CudaAsm.Emit(
        LoadFirstRows
        + "add.u32 pa2, pa1, %1; add.u32 pa3, pa2, %1;\n"
        + "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {fa8,fa9,fa10,fa11}, [pa2];\n"
        + "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {fa12,fa13,fa14,fa15}, [pa3];",
        offset, stride);

    /// <summary>B's fragments of 32 columns: four lines of B are 256 bytes.</summary>
    public static void LoadB(int offset) => CudaAsm.Emit(
        "add.u32 pb0, shared0, %0;\n"
        + "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {fb0,fb1,fb2,fb3}, [pb0];\n"
        + "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {fb4,fb5,fb6,fb7}, [pb0+256];",
        offset);

    /// <summary>
    /// Where chunk <paramref name="chunk"/> (16 bytes) of a line of A lies in its block. The eight lines that one
    /// <c>ldmatrix</c> reads follow each other: their chunks must fall into the eight groups of banks, two lines to a
    /// round.
    /// </summary>
    public static int OffsetA(int line, int chunk) => line * LineBytes + (chunk ^ line / 2 % 4) * 16;

    /// <summary>
    /// The same of B, where <c>ldmatrix</c> reads pairs of lines eight apart (<see cref="LineOfB"/>).
    /// </summary>
    public static int OffsetB(int line, int chunk) => line * LineBytes + (chunk ^ line / 8 % 4) * 16;

    /// <summary>
    /// The line of A and the chunk that a lane's address of <c>ldmatrix.x4</c> points to: the fragment's four 8 × 8
    /// matrices are rows 0–7 and 8–15 of the first chunk, then of the second.
    /// </summary>
    public static int LineOfA(int lane) => lane % 16;

    /// <inheritdoc cref="LineOfA"/>
    public static int ChunkOfA(int lane) => lane / 16;

    /// <summary>
    /// The same of B. Column n of block j of the multiplier is made column 8·(n/2) + 2j + n%2 of the product: the two
    /// columns that a thread holds of each block then lie side by side with those of the next, eight in all, and
    /// leave in stores of 16 bytes.
    /// </summary>
    public static int LineOfB(int lane) => lane % 8 / 2 * 8 + lane / 16 * 2 + lane % 2;

    /// <inheritdoc cref="LineOfB"/>
    public static int ChunkOfB(int lane) => lane / 8 % 2;
}

/// <summary>32 × 32: 32 accumulators a thread.</summary>
internal struct WarpTile32 : IWarpTile
{
    public static int Rows => 32;

    public static void Clear()
    {
        CudaAsm.Emit(Fragments.Clear0);
        CudaAsm.Emit(Fragments.Clear1);
    }

    public static void LoadA(int offset, int stride) => WarpTile.LoadA32(offset, stride);

    public static void Multiply<TFormat>() where TFormat : struct, ITensorFormat => TFormat.MultiplyRows0();

    public static void Finish<TSink, TArguments>(TArguments arguments, int row, int rowStep, int col)
        where TSink : struct, IRowSink<TArguments>
        where TArguments : struct
    {
        CudaAsm.Emit(Fragments.Take0);
        TSink.Take(arguments, row, col);
        CudaAsm.Emit(Fragments.Take8);
        TSink.Take(arguments, row + rowStep, col);
        CudaAsm.Emit(Fragments.Take16);
        TSink.Take(arguments, row + 2 * rowStep, col);
        CudaAsm.Emit(Fragments.Take24);
        TSink.Take(arguments, row + 3 * rowStep, col);
    }
}

/// <summary>
/// 64 × 32: 64 accumulators a thread. Sixteen <c>mma</c> take six <c>ldmatrix.x4</c>, 24 rounds of shared memory in
/// the 32 cycles that an A100's tensor cores need for them.
/// </summary>
internal struct WarpTile64 : IWarpTile
{
    public static int Rows => 64;

    public static void Clear()
    {
        WarpTile32.Clear();
        CudaAsm.Emit(Fragments.Clear2);
        CudaAsm.Emit(Fragments.Clear3);
    }

    public static void LoadA(int offset, int stride) => WarpTile.LoadA64(offset, stride);

    public static void Multiply<TFormat>() where TFormat : struct, ITensorFormat
    {
        TFormat.MultiplyRows0();
        TFormat.MultiplyRows32();
    }

    public static void Finish<TSink, TArguments>(TArguments arguments, int row, int rowStep, int col)
        where TSink : struct, IRowSink<TArguments>
        where TArguments : struct
    {
        WarpTile32.Finish<TSink, TArguments>(arguments, row, rowStep, col);
        CudaAsm.Emit(Fragments.Take32);
        TSink.Take(arguments, row + 4 * rowStep, col);
        CudaAsm.Emit(Fragments.Take40);
        TSink.Take(arguments, row + 5 * rowStep, col);
        CudaAsm.Emit(Fragments.Take48);
        TSink.Take(arguments, row + 6 * rowStep, col);
        CudaAsm.Emit(Fragments.Take56);
        TSink.Take(arguments, row + 7 * rowStep, col);
    }
}
