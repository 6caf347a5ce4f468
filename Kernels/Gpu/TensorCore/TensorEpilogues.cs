using ILGPU.Runtime.Cuda;

namespace GlowGpu.Kernels.Gpu.TensorCore;

/// <summary>C = value, in float32.</summary>
internal struct TensorOverwrite : IRowSink<TensorGemmArguments>
{
    public static void Take(TensorGemmArguments arguments, int row, int col) => TensorEpilogue.Store(
        TensorEpilogue.Address(arguments.C, row, arguments.PitchC, col, sizeof(float)),
            TensorEpilogue.Inside(arguments, row, col));
}

/// <summary>
/// C = max(value + bias[col], 0), rounded to the format; NaN stays NaN, so that a diverged run is noticed.
/// </summary>
internal struct TensorBiasRelu<TFormat> : IRowSink<TensorGemmArguments> where TFormat : struct, ITensorFormat
{
    public static void Take(TensorGemmArguments arguments, int row, int col)
    {
        int inside = TensorEpilogue.Inside(arguments, row, col);
        TensorEpilogue.BiasRelu(TensorEpilogue.Address(arguments.Operand, 0, 0, col, sizeof(float)), inside);
        TFormat.Store(TensorEpilogue.Address(arguments.C, row, arguments.PitchC, col, TFormat.Bytes), inside);
    }
}

/// <summary>C = value where mask[row, col] &gt; 0, else 0, rounded to the format: the way back through ReLU.</summary>
internal struct TensorReluMask<TFormat> : IRowSink<TensorGemmArguments> where TFormat : struct, ITensorFormat
{
    public static void Take(TensorGemmArguments arguments, int row, int col)
    {
        int inside = TensorEpilogue.Inside(arguments, row, col);
        TFormat.Load(TensorEpilogue.Address(arguments.Operand, row, arguments.PitchOperand, col, TFormat.Bytes),
            inside);
        TensorEpilogue.Mask();
        TFormat.Store(TensorEpilogue.Address(arguments.C, row, arguments.PitchC, col, TFormat.Bytes), inside);
    }
}

/// <summary>What epilogues share.</summary>
internal static class TensorEpilogue
{
    private const string Zero = "0f00000000";

    /// <summary>
    /// Address of element (row, col) of a matrix whose rows lie <paramref name="pitch"/> bytes apart.
    /// </summary>
    public static ulong Address(DeviceAddress matrix, int row, int pitch, int col, int bytes) =>
        matrix.Value + (ulong)(uint)row * (uint)pitch + (uint)(col * bytes);

    /// <summary>1 inside C, else 0.</summary>
    public static int Inside(TensorGemmArguments arguments, int row, int col) =>
        row < arguments.M && col < arguments.N ? 1 : 0;

    /// <summary>Stores <c>row</c> in float32, if <paramref name="inside"/> is not 0.</summary>
    public static void Store(ulong address, int inside) => CudaAsm.Emit(
        "setp.ne.s32 inside, %1, 0;\n"
        + "@inside st.global.v4.f32 [%0], {row0,row1,row2,row3};\n"
        + "@inside st.global.v4.f32 [%0+16], {row4,row5,row6,row7};",
        address, inside);

    /// <summary>row = max(row + bias, 0).</summary>
    public static void BiasRelu(ulong bias, int inside) => CudaAsm.Emit(
        "setp.ne.s32 inside, %1, 0;\n"
        + "@inside ld.global.v4.f32 {operand0,operand1,operand2,operand3}, [%0];\n"
        + "@inside ld.global.v4.f32 {operand4,operand5,operand6,operand7}, [%0+16];\n"
        + "@inside add.f32 row0, row0, operand0; @inside add.f32 row1, row1, operand1;\n"
        + "@inside add.f32 row2, row2, operand2; @inside add.f32 row3, row3, operand3;\n"
        + "@inside add.f32 row4, row4, operand4; @inside add.f32 row5, row5, operand5;\n"
        + "@inside add.f32 row6, row6, operand6; @inside add.f32 row7, row7, operand7;\n"
        + "setp.lt.f32 keep, row0, " + Zero + "; selp.f32 row0, " + Zero + ", row0, keep;\n"
        + "setp.lt.f32 keep, row1, " + Zero + "; selp.f32 row1, " + Zero + ", row1, keep;\n"
        + "setp.lt.f32 keep, row2, " + Zero + "; selp.f32 row2, " + Zero + ", row2, keep;\n"
        + "setp.lt.f32 keep, row3, " + Zero + "; selp.f32 row3, " + Zero + ", row3, keep;\n"
        + "setp.lt.f32 keep, row4, " + Zero + "; selp.f32 row4, " + Zero + ", row4, keep;\n"
        + "setp.lt.f32 keep, row5, " + Zero + "; selp.f32 row5, " + Zero + ", row5, keep;\n"
        + "setp.lt.f32 keep, row6, " + Zero + "; selp.f32 row6, " + Zero + ", row6, keep;\n"
        + "setp.lt.f32 keep, row7, " + Zero + "; selp.f32 row7, " + Zero + ", row7, keep;",
        bias, inside);

    /// <summary>row = row where operand &gt; 0, else 0.</summary>
    public static void Mask() => CudaAsm.Emit(
        "setp.gt.f32 keep, operand0, " + Zero + "; selp.f32 row0, row0, " + Zero + ", keep;\n"
        + "setp.gt.f32 keep, operand1, " + Zero + "; selp.f32 row1, row1, " + Zero + ", keep;\n"
        + "setp.gt.f32 keep, operand2, " + Zero + "; selp.f32 row2, row2, " + Zero + ", keep;\n"
        + "setp.gt.f32 keep, operand3, " + Zero + "; selp.f32 row3, row3, " + Zero + ", keep;\n"
        + "setp.gt.f32 keep, operand4, " + Zero + "; selp.f32 row4, row4, " + Zero + ", keep;\n"
        + "setp.gt.f32 keep, operand5, " + Zero + "; selp.f32 row5, row5, " + Zero + ", keep;\n"
        + "setp.gt.f32 keep, operand6, " + Zero + "; selp.f32 row6, row6, " + Zero + ", keep;\n"
        + "setp.gt.f32 keep, operand7, " + Zero + "; selp.f32 row7, row7, " + Zero + ", keep;");
}
