namespace GlowGpu.Kernels.Gpu.TensorCore;

/// <summary>
/// The registers of one warp's part of a product, as PTX. A warp holds up to 4 × 4 accumulators of 16 × 8 elements,
/// <c>acc</c>; the fragments of four blocks of 16 rows of A, <c>fa</c>; and those of four blocks of 8 columns of B,
/// <c>fb</c>.
/// <para>
/// ILGPU knows no fragments and keeps no array in registers, so the kernels declare these registers themselves and
/// name them in constant strings, one for each step of a tile. ILGPU copies them into the kernel as they are.
/// </para>
/// <para>
/// Thread 4·g + t of a warp holds, of accumulator (i, j), the elements (g, 2t), (g, 2t+1), (g+8, 2t), (g+8, 2t+1) in
/// <c>acc[4·(4i+j)]</c> and the three behind it (PTX manual, "matrix fragments for mma.m16n8k16" and "m16n8k8", the
/// same in both).
/// </para>
/// </summary>
internal static class Fragments
{
    private const string End = ";\n";

    /// <summary>
    /// Declares the registers. <c>row</c> holds eight results on their way out, <c>operand</c> what an epilogue adds,
    /// <c>shared0</c> the start of dynamic shared memory, rounded up to the 128 bytes of all banks; argument 0 is its
    /// length.
    /// </summary>
    public const string Declare =
        ".reg .f32 acc<64>;\n"
        + ".reg .b32 fa<16>, fb<8>, shared0, pa<4>, pb<4>, word<8>;\n"
        + ".reg .f32 row<8>, operand<8>;\n"
        + ".reg .pred inside, keep;\n"
        + "mov.u32 shared0, __dyn_shared_alloca;\n"
        + "add.u32 shared0, shared0, 127;\n"
        + "and.b32 shared0, shared0, -128;\n"
        // Only a use makes ILGPU declare dynamic shared memory.
        + "mov.b32 word0, %0;";

    /// <summary>Clears the accumulators of the first 16 rows.</summary>
    public const string Clear0 =
        "mov.f32 acc0, 0f00000000; mov.f32 acc1, 0f00000000; mov.f32 acc2, 0f00000000; mov.f32 acc3, 0f00000000;\n"
        + "mov.f32 acc4, 0f00000000; mov.f32 acc5, 0f00000000; mov.f32 acc6, 0f00000000; mov.f32 acc7, 0f00000000;\n"
        + "mov.f32 acc8, 0f00000000; mov.f32 acc9, 0f00000000; mov.f32 acc10, 0f00000000; mov.f32 acc11, 0f00000000;\n"
        + "mov.f32 acc12, 0f00000000; mov.f32 acc13, 0f00000000; mov.f32 acc14, 0f00000000; mov.f32 acc15, 0f00000000;";

    /// <summary>Clears the accumulators of the second 16 rows.</summary>
    public const string Clear1 =
        "mov.f32 acc16, 0f00000000; mov.f32 acc17, 0f00000000; mov.f32 acc18, 0f00000000; mov.f32 acc19, 0f00000000;\n"
        + "mov.f32 acc20, 0f00000000; mov.f32 acc21, 0f00000000; mov.f32 acc22, 0f00000000; mov.f32 acc23, "
        + "0f00000000;\n"
        + "mov.f32 acc24, 0f00000000; mov.f32 acc25, 0f00000000; mov.f32 acc26, 0f00000000; mov.f32 acc27, "
        + "0f00000000;\n"
        + "mov.f32 acc28, 0f00000000; mov.f32 acc29, 0f00000000; mov.f32 acc30, 0f00000000; mov.f32 acc31, 0f00000000;";

    /// <summary>Clears the accumulators of the third 16 rows.</summary>
    public const string Clear2 =
        "mov.f32 acc32, 0f00000000; mov.f32 acc33, 0f00000000; mov.f32 acc34, 0f00000000; mov.f32 acc35, 0f00000000;\n"
        + "mov.f32 acc36, 0f00000000; mov.f32 acc37, 0f00000000; mov.f32 acc38, 0f00000000; mov.f32 acc39, "
        + "0f00000000;\n"
        + "mov.f32 acc40, 0f00000000; mov.f32 acc41, 0f00000000; mov.f32 acc42, 0f00000000; mov.f32 acc43, "
        + "0f00000000;\n"
        + "mov.f32 acc44, 0f00000000; mov.f32 acc45, 0f00000000; mov.f32 acc46, 0f00000000; mov.f32 acc47, 0f00000000;";

    /// <summary>Clears the accumulators of the fourth 16 rows.</summary>
    public const string Clear3 =
        "mov.f32 acc48, 0f00000000; mov.f32 acc49, 0f00000000; mov.f32 acc50, 0f00000000; mov.f32 acc51, 0f00000000;\n"
        + "mov.f32 acc52, 0f00000000; mov.f32 acc53, 0f00000000; mov.f32 acc54, 0f00000000; mov.f32 acc55, "
        + "0f00000000;\n"
        + "mov.f32 acc56, 0f00000000; mov.f32 acc57, 0f00000000; mov.f32 acc58, 0f00000000; mov.f32 acc59, "
        + "0f00000000;\n"
        + "mov.f32 acc60, 0f00000000; mov.f32 acc61, 0f00000000; mov.f32 acc62, 0f00000000; mov.f32 acc63, 0f00000000;";

    private const string Operands00 = " {acc0,acc1,acc2,acc3}, {fa0,fa1,fa2,fa3}, {fb0,fb1}, {acc0,acc1,acc2,acc3}";
    private const string Operands01 = " {acc4,acc5,acc6,acc7}, {fa0,fa1,fa2,fa3}, {fb2,fb3}, {acc4,acc5,acc6,acc7}";
    private const string Operands02 = " {acc8,acc9,acc10,acc11}, {fa0,fa1,fa2,fa3}, {fb4,fb5}, {acc8,acc9,acc10,acc11}";
    private const string Operands03 = " {acc12,acc13,acc14,acc15}, {fa0,fa1,fa2,fa3}, {fb6,fb7}, "
        + "{acc12,acc13,acc14,acc15}";

    private const string Operands10 = " {acc16,acc17,acc18,acc19}, {fa4,fa5,fa6,fa7}, {fb0,fb1}, "
        + "{acc16,acc17,acc18,acc19}";
    private const string Operands11 = " {acc20,acc21,acc22,acc23}, {fa4,fa5,fa6,fa7}, {fb2,fb3}, "
        + "{acc20,acc21,acc22,acc23}";
    private const string Operands12 = " {acc24,acc25,acc26,acc27}, {fa4,fa5,fa6,fa7}, {fb4,fb5}, "
        + "{acc24,acc25,acc26,acc27}";
    private const string Operands13 = " {acc28,acc29,acc30,acc31}, {fa4,fa5,fa6,fa7}, {fb6,fb7}, "
        + "{acc28,acc29,acc30,acc31}";

    private const string Operands20 = " {acc32,acc33,acc34,acc35}, {fa8,fa9,fa10,fa11}, {fb0,fb1}, "
        + "{acc32,acc33,acc34,acc35}";
    private const string Operands21 = " {acc36,acc37,acc38,acc39}, {fa8,fa9,fa10,fa11}, {fb2,fb3}, "
        + "{acc36,acc37,acc38,acc39}";
    private const string Operands22 = " {acc40,acc41,acc42,acc43}, {fa8,fa9,fa10,fa11}, {fb4,fb5}, "
        + "{acc40,acc41,acc42,acc43}";
    private const string Operands23 = " {acc44,acc45,acc46,acc47}, {fa8,fa9,fa10,fa11}, {fb6,fb7}, "
        + "{acc44,acc45,acc46,acc47}";

    private const string Operands30 = " {acc48,acc49,acc50,acc51}, {fa12,fa13,fa14,fa15}, {fb0,fb1}, "
        + "{acc48,acc49,acc50,acc51}";
    private const string Operands31 = " {acc52,acc53,acc54,acc55}, {fa12,fa13,fa14,fa15}, {fb2,fb3}, "
        + "{acc52,acc53,acc54,acc55}";
    private const string Operands32 = " {acc56,acc57,acc58,acc59}, {fa12,fa13,fa14,fa15}, {fb4,fb5}, "
        + "{acc56,acc57,acc58,acc59}";
    private const string Operands33 = " {acc60,acc61,acc62,acc63}, {fa12,fa13,fa14,fa15}, {fb6,fb7}, "
        + "{acc60,acc61,acc62,acc63}";

    private const string BFloat16 = "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32";

    /// <summary>
    /// Adds the products of the first 32 rows with all 32 columns: bfloat16, 16 of the inner dimension.
    /// </summary>
    public const string BFloat16Rows0 =
        BFloat16 + Operands00 + End
        + BFloat16 + Operands01 + End
        + BFloat16 + Operands02 + End
        + BFloat16 + Operands03 + End
        + BFloat16 + Operands10 + End
        + BFloat16 + Operands11 + End
        + BFloat16 + Operands12 + End
        + BFloat16 + Operands13 + End;

    /// <summary>
    /// Adds the products of the last 32 rows with all 32 columns: bfloat16, 16 of the inner dimension.
    /// </summary>
    public const string BFloat16Rows32 =
        BFloat16 + Operands20 + End
        + BFloat16 + Operands21 + End
        + BFloat16 + Operands22 + End
        + BFloat16 + Operands23 + End
        + BFloat16 + Operands30 + End
        + BFloat16 + Operands31 + End
        + BFloat16 + Operands32 + End
        + BFloat16 + Operands33 + End;

    private const string TensorFloat32 = "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32";

    /// <summary>Adds the products of the first 32 rows with all 32 columns: TF32, 8 of the inner dimension.</summary>
    public const string TensorFloat32Rows0 =
        TensorFloat32 + Operands00 + End
        + TensorFloat32 + Operands01 + End
        + TensorFloat32 + Operands02 + End
        + TensorFloat32 + Operands03 + End
        + TensorFloat32 + Operands10 + End
        + TensorFloat32 + Operands11 + End
        + TensorFloat32 + Operands12 + End
        + TensorFloat32 + Operands13 + End;

    /// <summary>Adds the products of the last 32 rows with all 32 columns: TF32, 8 of the inner dimension.</summary>
    public const string TensorFloat32Rows32 =
        TensorFloat32 + Operands20 + End
        + TensorFloat32 + Operands21 + End
        + TensorFloat32 + Operands22 + End
        + TensorFloat32 + Operands23 + End
        + TensorFloat32 + Operands30 + End
        + TensorFloat32 + Operands31 + End
        + TensorFloat32 + Operands32 + End
        + TensorFloat32 + Operands33 + End;

    /// <summary>Row 0 + g of the warp's elements to <c>row</c>, pair by pair.</summary>
    public const string Take0 =
        "mov.f32 row0, acc0; mov.f32 row1, acc1;\n"
        + "mov.f32 row2, acc4; mov.f32 row3, acc5;\n"
        + "mov.f32 row4, acc8; mov.f32 row5, acc9;\n"
        + "mov.f32 row6, acc12; mov.f32 row7, acc13;";

    /// <summary>Row 8 + g of the warp's elements to <c>row</c>, pair by pair.</summary>
    public const string Take8 =
        "mov.f32 row0, acc2; mov.f32 row1, acc3;\n"
        + "mov.f32 row2, acc6; mov.f32 row3, acc7;\n"
        + "mov.f32 row4, acc10; mov.f32 row5, acc11;\n"
        + "mov.f32 row6, acc14; mov.f32 row7, acc15;";

    /// <summary>Row 16 + g of the warp's elements to <c>row</c>, pair by pair.</summary>
    public const string Take16 =
        "mov.f32 row0, acc16; mov.f32 row1, acc17;\n"
        + "mov.f32 row2, acc20; mov.f32 row3, acc21;\n"
        + "mov.f32 row4, acc24; mov.f32 row5, acc25;\n"
        + "mov.f32 row6, acc28; mov.f32 row7, acc29;";

    /// <summary>Row 24 + g of the warp's elements to <c>row</c>, pair by pair.</summary>
    public const string Take24 =
        "mov.f32 row0, acc18; mov.f32 row1, acc19;\n"
        + "mov.f32 row2, acc22; mov.f32 row3, acc23;\n"
        + "mov.f32 row4, acc26; mov.f32 row5, acc27;\n"
        + "mov.f32 row6, acc30; mov.f32 row7, acc31;";

    /// <summary>Row 32 + g of the warp's elements to <c>row</c>, pair by pair.</summary>
    public const string Take32 =
        "mov.f32 row0, acc32; mov.f32 row1, acc33;\n"
        + "mov.f32 row2, acc36; mov.f32 row3, acc37;\n"
        + "mov.f32 row4, acc40; mov.f32 row5, acc41;\n"
        + "mov.f32 row6, acc44; mov.f32 row7, acc45;";

    /// <summary>Row 40 + g of the warp's elements to <c>row</c>, pair by pair.</summary>
    public const string Take40 =
        "mov.f32 row0, acc34; mov.f32 row1, acc35;\n"
        + "mov.f32 row2, acc38; mov.f32 row3, acc39;\n"
        + "mov.f32 row4, acc42; mov.f32 row5, acc43;\n"
        + "mov.f32 row6, acc46; mov.f32 row7, acc47;";

    /// <summary>Row 48 + g of the warp's elements to <c>row</c>, pair by pair.</summary>
    public const string Take48 =
        "mov.f32 row0, acc48; mov.f32 row1, acc49;\n"
        + "mov.f32 row2, acc52; mov.f32 row3, acc53;\n"
        + "mov.f32 row4, acc56; mov.f32 row5, acc57;\n"
        + "mov.f32 row6, acc60; mov.f32 row7, acc61;";

    /// <summary>Row 56 + g of the warp's elements to <c>row</c>, pair by pair.</summary>
    public const string Take56 =
        "mov.f32 row0, acc50; mov.f32 row1, acc51;\n"
        + "mov.f32 row2, acc54; mov.f32 row3, acc55;\n"
        + "mov.f32 row4, acc58; mov.f32 row5, acc59;\n"
        + "mov.f32 row6, acc62; mov.f32 row7, acc63;";
}
