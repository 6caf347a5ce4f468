using ILGPU;
using ILGPU.Runtime.Cuda;

namespace GlowGpu.Kernels.Gpu.TensorCore;

/// <summary>
/// A format of factors that tensor cores multiply. Rows of factors start at multiples of 16 bytes, and what fills
/// them up to a multiple of eight elements is zero. Methods speak to the registers of <see cref="Fragments"/>.
/// </summary>
internal interface ITensorFormat
{
    /// <summary>Bytes of an element.</summary>
    static abstract int Bytes { get; }

    /// <summary>
    /// Rounds two neighbouring elements (bfloat16) or the first (TF32) to a word of memory, outside of PTX.
    /// </summary>
    static abstract float Pack(float first, float second);

    /// <summary>Element 0 or 1 of a word of memory.</summary>
    static abstract float Unpack(float word, int element);

    /// <summary>Multiplies the fragments that 32 bytes of the inner dimension fill: rows 0 to 31.</summary>
    static abstract void MultiplyRows0();

    /// <summary>Rows 32 to 63.</summary>
    static abstract void MultiplyRows32();

    /// <summary>Rounds <c>row</c> and stores its eight elements, if <paramref name="inside"/> is not 0.</summary>
    static abstract void Store(ulong address, int inside);

    /// <summary>Rounds <c>row</c> and stores its eight elements at an offset of shared memory.</summary>
    static abstract void StoreShared(int offset);

    /// <summary>Fills <c>operand</c> with eight elements, or with zeros if <paramref name="inside"/> is 0.</summary>
    static abstract void Load(ulong address, int inside);
}

/// <summary>bfloat16: <c>mma.m16n8k16</c>, and two elements in each word of memory.</summary>
internal struct BFloat16 : ITensorFormat
{
    private const string Round =
        "cvt.rn.bf16x2.f32 word0, row1, row0;\n"
        + "cvt.rn.bf16x2.f32 word1, row3, row2;\n"
        + "cvt.rn.bf16x2.f32 word2, row5, row4;\n"
        + "cvt.rn.bf16x2.f32 word3, row7, row6;\n";

    public static int Bytes => 2;

    public static float Pack(float first, float second) =>
        Interop.IntAsFloat(Nearest(Interop.FloatAsInt(first)) | Nearest(Interop.FloatAsInt(second)) << 16);

    // The upper half of a float32 is a bfloat16.
    public static float Unpack(float word, int element)
    {
        uint bits = Interop.FloatAsInt(word);
        return Interop.IntAsFloat(element == 0 ? bits << 16 : bits & 0xffff0000);
    }

    // Ties go to the even neighbour, as those of cvt.rn do; NaN would otherwise carry over into infinity or zero.
    private static uint Nearest(uint bits) =>
        (bits & 0x7fffffff) > 0x7f800000 ? 0x7fff : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;

    public static void MultiplyRows0() => CudaAsm.Emit(Fragments.BFloat16Rows0);

    public static void MultiplyRows32() => CudaAsm.Emit(Fragments.BFloat16Rows32);

    public static void Store(ulong address, int inside) => CudaAsm.Emit(
        Round
        + "setp.ne.s32 inside, %1, 0;\n"
        + "@inside st.global.v4.b32 [%0], {word0,word1,word2,word3};",
        address, inside);

    public static void StoreShared(int offset) => CudaAsm.Emit(
        Round
        + "add.u32 pa0, shared0, %0;\n"
        + "st.shared.v4.b32 [pa0], {word0,word1,word2,word3};",
        offset);

    public static void Load(ulong address, int inside) => CudaAsm.Emit(
        "mov.b32 word0, 0; mov.b32 word1, 0; mov.b32 word2, 0; mov.b32 word3, 0;\n"
        + "setp.ne.s32 inside, %1, 0;\n"
        + "@inside ld.global.v4.b32 {word0,word1,word2,word3}, [%0];\n"
        + "shl.b32 word4, word0, 16; mov.b32 operand0, word4; and.b32 word4, word0, 0xffff0000; mov.b32 operand1, "
        + "word4;\n"
        + "shl.b32 word4, word1, 16; mov.b32 operand2, word4; and.b32 word4, word1, 0xffff0000; mov.b32 operand3, "
        + "word4;\n"
        + "shl.b32 word4, word2, 16; mov.b32 operand4, word4; and.b32 word4, word2, 0xffff0000; mov.b32 operand5, "
        + "word4;\n"
        + "shl.b32 word4, word3, 16; mov.b32 operand6, word4; and.b32 word4, word3, 0xffff0000; mov.b32 operand7, "
        + "word4;",
        address, inside);
}

/// <summary>
/// TF32: <c>mma.m16n8k8</c>. The multiplier ignores the last 13 bits, so factors are rounded where they are made and
/// stand in memory as float32.
/// </summary>
internal struct TensorFloat32 : ITensorFormat
{
    private const string Round =
        "cvt.rna.tf32.f32 word0, row0; cvt.rna.tf32.f32 word1, row1; cvt.rna.tf32.f32 word2, row2; cvt.rna.tf32.f32 "
            + "word3, row3;\n"
        + "cvt.rna.tf32.f32 word4, row4; cvt.rna.tf32.f32 word5, row5; cvt.rna.tf32.f32 word6, row6; "
        + "cvt.rna.tf32.f32 word7, row7;\n";

    public static int Bytes => 4;

    // Ties go away from zero, as those of cvt.rna do.
    public static float Pack(float first, float second)
    {
        uint bits = Interop.FloatAsInt(first);
        return (bits & 0x7fffffff) > 0x7f800000 ? first : Interop.IntAsFloat((bits + 0x1000) & ~0x1fffu);
    }

    public static float Unpack(float word, int element) => word;

    public static void MultiplyRows0() => CudaAsm.Emit(Fragments.TensorFloat32Rows0);

    public static void MultiplyRows32() => CudaAsm.Emit(Fragments.TensorFloat32Rows32);

    public static void Store(ulong address, int inside) => CudaAsm.Emit(
        Round
        + "setp.ne.s32 inside, %1, 0;\n"
        + "@inside st.global.v4.b32 [%0], {word0,word1,word2,word3};\n"
        + "@inside st.global.v4.b32 [%0+16], {word4,word5,word6,word7};",
        address, inside);

    // The second half lies 16 bytes on, in the chunk that differs in the lowest bit of its number.
    public static void StoreShared(int offset) => CudaAsm.Emit(
        Round
        + "add.u32 pa0, shared0, %0;\n"
        + "xor.b32 pa1, pa0, 16;\n"
        + "st.shared.v4.b32 [pa0], {word0,word1,word2,word3};\n"
        + "st.shared.v4.b32 [pa1], {word4,word5,word6,word7};",
        offset);

    public static void Load(ulong address, int inside) => CudaAsm.Emit(
        "mov.f32 operand0, 0f00000000; mov.f32 operand1, 0f00000000; mov.f32 operand2, 0f00000000; mov.f32 "
            + "operand3, 0f00000000;\n"
        + "mov.f32 operand4, 0f00000000; mov.f32 operand5, 0f00000000; mov.f32 operand6, 0f00000000; mov.f32 "
        + "operand7, 0f00000000;\n"
        + "setp.ne.s32 inside, %1, 0;\n"
        + "@inside ld.global.v4.f32 {operand0,operand1,operand2,operand3}, [%0];\n"
        + "@inside ld.global.v4.f32 {operand4,operand5,operand6,operand7}, [%0+16];",
        address, inside);
}
