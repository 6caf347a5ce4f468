using ILGPU.Runtime.Cuda;

namespace GlowGpu.Kernels.Gpu.TensorCore;

/// <summary>
/// How fragments are filled from factors whose inner dimension is the outer one in memory: a line of shared memory
/// holds one inner index of a tile's rows or columns, in chunks of 16 bytes whose numbers are swizzled so that no two
/// of a load fall into one bank. Offsets count from the start of dynamic shared memory.
/// </summary>
internal interface IOuterFormat
{
    /// <summary>What to exclusive-or the chunk numbers of line k of A with, for warp tiles of so many rows.</summary>
    static abstract int SwizzleA(int line, int warpRows);

    /// <summary>The same of B.</summary>
    static abstract int SwizzleB(int line);

    /// <summary>Line, within a step's lines, that a lane reads of A.</summary>
    static abstract int LineOfA(int lane);

    /// <summary>Chunk, counted from the warp tile's first, that a lane reads of A.</summary>
    static abstract int ChunkOfA(int lane, int warpRows);

    /// <summary>The line of B.</summary>
    static abstract int LineOfB(int lane);

    /// <summary>The chunk of B.</summary>
    static abstract int ChunkOfB(int lane);

    /// <summary>Loads A's fragments of 32 rows from lines of so many bytes.</summary>
    static abstract void LoadA32(int offset, int lineBytes);

    /// <summary>Loads A's fragments of 64 rows.</summary>
    static abstract void LoadA64(int offset, int lineBytes);

    /// <summary>Loads B's fragments of 32 columns.</summary>
    static abstract void LoadB(int offset, int lineBytes);

    /// <summary>Row of the warp tile that a thread's first accumulator belongs to.</summary>
    static abstract int RowOf(int lane, int warpRows);

    /// <summary>How far its following rows lie apart.</summary>
    static abstract int RowStep { get; }

    /// <summary>Column of the warp tile that a thread's first accumulator belongs to.</summary>
    static abstract int ColOf(int lane);

    /// <summary>
    /// Stores <c>row</c> of <see cref="Fragments"/> in float32 from an address on; <paramref name="cols"/> columns of
    /// C are left from there.
    /// </summary>
    static abstract void Store(ulong address, int cols);
}

/// <summary><c>ldmatrix.trans</c> turns 8 × 8 blocks of two-byte elements on the way to the registers.</summary>
[Promises("LDSM.16.MT88.4")]
internal struct BFloat16Outer : IOuterFormat
{
    private const string LoadFirstRows =
        "add.u32 pa0, shared0, %0; xor.b32 pa1, pa0, 32;\n"
        + "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {fa0,fa1,fa2,fa3}, [pa0];\n"
        + "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {fa4,fa5,fa6,fa7}, [pa1];\n";

    public static int SwizzleA(int line, int warpRows) => line & 7;

    public static int SwizzleB(int line) => line & 7;

    // The fragment's four blocks: rows 0–7, rows 8–15 of the first eight lines, then of the next.
    public static int LineOfA(int lane) => lane / 16 * 8 + lane % 8;

    public static int ChunkOfA(int lane, int warpRows) => lane / 8 % 2;

    // Two fragments of eight columns: lines 0–7, lines 8–15 of the first, then of the second.
    public static int LineOfB(int lane) => lane / 8 % 2 * 8 + lane % 8;

    public static int ChunkOfB(int lane) => lane / 16;

    public static void LoadA32(int offset, int lineBytes) => CudaAsm.Emit(LoadFirstRows, offset);

    public static void LoadA64(int offset, int lineBytes) => CudaAsm.Emit(
        LoadFirstRows
        + "xor.b32 pa2, pa0, 64; xor.b32 pa3, pa0, 96;\n"
        + "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {fa8,fa9,fa10,fa11}, [pa2];\n"
        + "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {fa12,fa13,fa14,fa15}, [pa3];",
        offset);

    public static void LoadB(int offset, int lineBytes) => CudaAsm.Emit(
        "add.u32 pb0, shared0, %0; xor.b32 pb1, pb0, 32;\n"
        + "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {fb0,fb1,fb2,fb3}, [pb0];\n"
        + "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {fb4,fb5,fb6,fb7}, [pb1];",
        offset);

    public static int RowOf(int lane, int warpRows) => lane / 4;

    public static int RowStep => 8;

    public static int ColOf(int lane) => lane % 4 * 2;

    // Two columns of each of the four blocks of eight.
    public static void Store(ulong address, int cols) => CudaAsm.Emit(
        "setp.gt.s32 inside, %1, 0;\n"
        + "@inside st.global.v2.f32 [%0], {row0,row1};\n"
        + "setp.gt.s32 inside, %1, 8;\n"
        + "@inside st.global.v2.f32 [%0+32], {row2,row3};\n"
        + "setp.gt.s32 inside, %1, 16;\n"
        + "@inside st.global.v2.f32 [%0+64], {row4,row5};\n"
        + "setp.gt.s32 inside, %1, 24;\n"
        + "@inside st.global.v2.f32 [%0+96], {row6,row7};",
        address, cols);
}

/// <summary>
/// <c>ldmatrix</c> cannot turn four-byte elements, so threads read them as they lie. Row g or g + 8 of block i of the
/// multiplier is made row 8·g + 2i or the next of the product (4·g + 2i with two blocks), and column n of block j
/// column 4·n + j: what a thread needs of a line then lies side by side and arrives in loads of 16 bytes, as many as
/// <c>ldmatrix</c> would take.
/// </summary>
[Promises("LDS.128")]
internal struct TensorFloat32Outer : IOuterFormat
{
    public static int SwizzleA(int line, int warpRows) =>
        warpRows == 64 ? (line & 1) + 2 * (line & 2) : SwizzleB(line);

    public static int SwizzleB(int line) => 2 * (line & 3);

    public static int LineOfA(int lane) => lane % 4;

    public static int ChunkOfA(int lane, int warpRows) => lane / 4 * (warpRows / 32);

    public static int LineOfB(int lane) => lane % 4;

    public static int ChunkOfB(int lane) => lane / 4;

    public static void LoadA32(int offset, int lineBytes) => CudaAsm.Emit(
        "add.u32 pa0, shared0, %0; add.u32 pa2, pa0, %1;\n"
        + "ld.shared.v4.b32 {fa0,fa1,fa4,fa5}, [pa0];\n"
        + "ld.shared.v4.b32 {fa2,fa3,fa6,fa7}, [pa2];",
        offset, 4 * lineBytes);

    public static void LoadA64(int offset, int lineBytes) => CudaAsm.Emit(
        "add.u32 pa0, shared0, %0; add.u32 pa2, pa0, %1; xor.b32 pa1, pa0, 16; add.u32 pa3, pa1, %1;\n"
        + "ld.shared.v4.b32 {fa0,fa1,fa4,fa5}, [pa0];\n"
        + "ld.shared.v4.b32 {fa8,fa9,fa12,fa13}, [pa1];\n"
        + "ld.shared.v4.b32 {fa2,fa3,fa6,fa7}, [pa2];\n"
        + "ld.shared.v4.b32 {fa10,fa11,fa14,fa15}, [pa3];",
        offset, 4 * lineBytes);

    public static void LoadB(int offset, int lineBytes) => CudaAsm.Emit(
        "add.u32 pb0, shared0, %0; add.u32 pb1, pb0, %1;\n"
        + "ld.shared.v4.b32 {fb0,fb2,fb4,fb6}, [pb0];\n"
        + "ld.shared.v4.b32 {fb1,fb3,fb5,fb7}, [pb1];",
        offset, 4 * lineBytes);

    public static int RowOf(int lane, int warpRows) => lane / 4 * (warpRows / 8);

    public static int RowStep => 1;

    public static int ColOf(int lane) => lane % 4 * 8;

    public static void Store(ulong address, int cols) => CudaAsm.Emit(
        "setp.gt.s32 inside, %1, 0;\n"
        + "@inside st.global.v4.f32 [%0], {row0,row2,row4,row6};\n"
        + "@inside st.global.v4.f32 [%0+16], {row1,row3,row5,row7};",
        address, cols);
}
