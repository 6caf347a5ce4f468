namespace GlowGpu.Tests.Ptx;

/// <summary><c>cvt</c>.</summary>
internal sealed partial class Decoder
{
    private BitFunction DecodeConversion()
    {
        if (instruction.Modifiers.Count < 2) throw Unknown();
        string to = instruction.Modifiers[^2], from = instruction.Modifiers[^1];
        string rounding = string.Join('.', instruction.Modifiers.SkipLast(2));
        if (to == "bf16x2")
        {
            if (rounding != "rn" || from != "f32") throw Unknown();
            // The first source goes to the upper half.
            return Bits(4, static (high, low, _) => (ulong)Conversions.ToBf16((uint)high) << 16
                | Conversions.ToBf16((uint)low));
        }
        ExpectOperands(2);
        PtxRegister d = Target(Operand(0), PtxTypes.Bytes(to), mayBeWider: true);
        PtxRegister a = Value(Operand(1), PtxTypes.Bytes(from), mayBeWider: true), none = program.Constant(8, 0);
        Func<ulong, ulong> function = (to, from, rounding) switch
        {
            ("tf32", "f32", "rna") => static x => Conversions.ToTf32((uint)x),
            ("bf16", "f32", "rn") => static x => Conversions.ToBf16((uint)x),
            ("f16", "f32", "rn") => static x => BitConverter.HalfToUInt16Bits((Half)Float(x)),
            ("f32", "f16", "") => static x => Bits((float)BitConverter.UInt16BitsToHalf((ushort)x)),
            ("f32", "s32", "rn") => static x => Bits((int)x),
            ("f32", "u32", "rn") => static x => Bits((uint)x),
            ("f32", "s64", "rn") => static x => Bits((long)x),
            ("f32", "u64", "rn") => static x => Bits(x),
            // Integers saturate and NaN becomes 0, as in C#.
            ("s32", "f32", "rzi") => static x => (ulong)(int)Float(x),
            ("u32", "f32", "rzi") => static x => (uint)Float(x),
            ("s64", "f32", "rzi") => static x => (ulong)(long)Float(x),
            ("s32", "f32", "rni") => static x => (ulong)(int)MathF.Round(Float(x), MidpointRounding.ToEven),
            ("s32", "f32", "rmi") => static x => (ulong)(int)MathF.Floor(Float(x)),
            ("s32", "f32", "rpi") => static x => (ulong)(int)MathF.Ceiling(Float(x)),
            ("f32", "f32", "rni") => static x => Bits(MathF.Round(Float(x), MidpointRounding.ToEven)),
            ("f32", "f32", "rmi") => static x => Bits(MathF.Floor(Float(x))),
            ("f32", "f32", "rpi") => static x => Bits(MathF.Ceiling(Float(x))),
            ("f32", "f32", "rzi") => static x => Bits(MathF.Truncate(Float(x))),
            (_, _, "") when to[0] is 's' or 'u' && from[0] is 's' or 'u' => Widening(to, from),
            _ => throw Unknown(),
        };
        return new BitFunction(d, a, none, none, (x, _, _) => function(x));
    }

    // Cut to the source's width, widened by the source's sign, cut to the target's width.
    private static Func<ulong, ulong> Widening(string to, string from)
    {
        int source = 64 - 8 * PtxTypes.Bytes(from), target = 64 - 8 * PtxTypes.Bytes(to);
        bool signed = PtxTypes.IsSigned(from), signedTarget = PtxTypes.IsSigned(to);
        return x =>
        {
            ulong value = signed ? (ulong)((long)(x << source) >> source) : x << source >> source;
            return signedTarget ? (ulong)((long)(value << target) >> target) : value << target >> target;
        };
    }

    private static float Float(ulong bits) => BitConverter.UInt32BitsToSingle((uint)bits);

    private static ulong Bits(float value) => BitConverter.SingleToUInt32Bits(value);
}

/// <summary>Conversions to the short formats of tensor cores.</summary>
internal static class Conversions
{
    /// <summary>The 16 bits of the nearest bfloat16, ties to even; every NaN becomes 0x7FFF.</summary>
    public static uint ToBf16(uint bits) =>
        float.IsNaN(BitConverter.UInt32BitsToSingle(bits)) ? 0x7FFF : (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;

    /// <summary>The nearest TF32 in the upper 19 bits, ties away from zero; every NaN becomes 0x7FFFFFFF.</summary>
    public static uint ToTf32(uint bits)
    {
        float value = BitConverter.UInt32BitsToSingle(bits);
        if (float.IsNaN(value)) return 0x7FFFFFFF;
        return float.IsInfinity(value) ? bits : (bits + 0x1000) & 0xFFFFE000;
    }
}
