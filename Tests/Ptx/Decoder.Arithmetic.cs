using System.Numerics;

namespace GlowGpu.Tests.Ptx;

/// <summary>Arithmetic, comparisons and bits.</summary>
internal sealed partial class Decoder
{
    private Operation DecodeArithmetic() => (instruction.Name, instruction.Type) switch
    {
        (_, "f64" or "f16" or "f16x2" or "bf16" or "bf16x2") => throw Unknown(),
        (_, "pred") => DecodePredicateLogic(),
        (_, "f32") => DecodeFloat(),
        ("mul", _) when instruction.Has("wide") => DecodeWide(false),
        ("mad", _) when instruction.Has("wide") => DecodeWide(true),
        ("mul", "s32" or "u32" or "s64" or "u64") when instruction.Has("hi") => DecodeHigh(),
        ("add" or "sub" or "mul" or "mad" or "and" or "or" or "xor" or "not", "b32" or "u32" or "s32") =>
            DecodeInteger<uint>(),
        ("add" or "sub" or "mul" or "mad" or "and" or "or" or "xor" or "not", "b64" or "u64" or "s64") =>
            DecodeInteger<ulong>(),
        ("abs", "s32") => Unary<int, Functions.AbsInt>(),
        ("div" or "rem" or "neg", "s32") => DecodeSigned<int>(),
        ("div" or "rem" or "neg", "s64") => DecodeSigned<long>(),
        ("min" or "max", "s32") => DecodeOrdered<int>(),
        ("min" or "max" or "div" or "rem", "u32") => DecodeOrdered<uint>(),
        ("min" or "max", "s64") => DecodeOrdered<long>(),
        ("min" or "max" or "div" or "rem", "u64") => DecodeOrdered<ulong>(),
        _ => DecodeBits(),
    };

    private Binary<T, TFunction> Binary<T, TFunction>() where T : unmanaged where TFunction : struct, IBinary<T>
    {
        ExpectOperands(3);
        int bytes = PtxTypes.Bytes(instruction.Type);
        return new Binary<T, TFunction>(Target(Operand(0), bytes).Offset, Value(Operand(1), bytes).Offset,
            Value(Operand(2), bytes).Offset);
    }

    private Unary<T, TFunction> Unary<T, TFunction>() where T : unmanaged where TFunction : struct, IUnary<T>
    {
        ExpectOperands(2);
        int bytes = PtxTypes.Bytes(instruction.Type);
        return new Unary<T, TFunction>(Target(Operand(0), bytes).Offset, Value(Operand(1), bytes).Offset);
    }

    private Ternary<T, TFunction> Ternary<T, TFunction>() where T : unmanaged where TFunction : struct, ITernary<T>
    {
        ExpectOperands(4);
        int bytes = PtxTypes.Bytes(instruction.Type);
        return new Ternary<T, TFunction>(Target(Operand(0), bytes).Offset,
            Value(Operand(1), bytes).Offset, Value(Operand(2), bytes).Offset, Value(Operand(3), bytes).Offset);
    }

    private Operation DecodeFloat()
    {
        switch (instruction.Name)
        {
            case "ex2" or "lg2" or "rsqrt" or "tanh":
                Allow("approx", "ftz");
                break;
            case "rcp" or "sqrt" or "div":
                Allow("rn", "approx", "full");
                break;
            default:
                Allow("rn");
                break;
        }
        return instruction.Name switch
        {
            "add" => Binary<float, Functions.Add<float>>(),
            "sub" => Binary<float, Functions.Subtract<float>>(),
            "mul" => Binary<float, Functions.Multiply<float>>(),
            "div" => Binary<float, Functions.Divide>(),
            "min" => Binary<float, Functions.Min<float>>(),
            "max" => Binary<float, Functions.Max<float>>(),
            "fma" => Ternary<float, Functions.FusedMultiplyAdd>(),
            "neg" => Unary<float, Functions.Negate<float>>(),
            "abs" => Unary<float, Functions.Abs>(),
            "sqrt" => Unary<float, Functions.Sqrt>(),
            "rcp" => Unary<float, Functions.Reciprocal>(),
            "rsqrt" => Unary<float, Functions.ReciprocalSqrt>(),
            "ex2" => Unary<float, Functions.Exp2>(),
            "lg2" => Unary<float, Functions.Log2>(),
            "tanh" => Unary<float, Functions.Tanh>(),
            _ => throw Unknown(),
        };
    }

    private Operation DecodeInteger<T>() where T : unmanaged, IBinaryInteger<T>
    {
        if (instruction.Name is "mul" or "mad" && !instruction.Has("lo")) throw Unknown();
        Allow("lo");
        return instruction.Name switch
        {
            "add" => Binary<T, Functions.Add<T>>(),
            "sub" => Binary<T, Functions.Subtract<T>>(),
            "mul" => Binary<T, Functions.Multiply<T>>(),
            "mad" => Ternary<T, Functions.MultiplyAdd<T>>(),
            "and" => Binary<T, Functions.And<T>>(),
            "or" => Binary<T, Functions.Or<T>>(),
            "xor" => Binary<T, Functions.Xor<T>>(),
            _ => Unary<T, Functions.Not<T>>(),
        };
    }

    private Operation DecodeOrdered<T>() where T : unmanaged, IBinaryInteger<T>
    {
        Allow();
        return instruction.Name switch
        {
            "min" => Binary<T, Functions.Min<T>>(),
            "max" => Binary<T, Functions.Max<T>>(),
            "div" => Binary<T, Functions.DivideUnsigned<T>>(),
            _ => Binary<T, Functions.RemainderUnsigned<T>>(),
        };
    }

    private Operation DecodeSigned<T>() where T : unmanaged, IBinaryInteger<T>, ISignedNumber<T>
    {
        Allow();
        return instruction.Name switch
        {
            "div" => Binary<T, Functions.DivideSigned<T>>(),
            "rem" => Binary<T, Functions.RemainderSigned<T>>(),
            _ => Unary<T, Functions.Negate<T>>(),
        };
    }

    private BitFunction DecodeWide(bool adds)
    {
        ExpectOperands(adds ? 4 : 3);
        Allow("wide");
        PtxRegister d = Target(Operand(0), 8), a = Value(Operand(1), 4), b = Value(Operand(2), 4);
        PtxRegister c = adds ? Value(Operand(3), 8) : program.Constant(8, 0);
        return instruction.Type switch
        {
            "u32" => new BitFunction(d, a, b, c, static (x, y, z) => unchecked(x * y + z)),
            "s32" => new BitFunction(d, a, b, c, static (x, y, z) => unchecked((ulong)((long)(int)x * (int)y) + z)),
            _ => throw Unknown(),
        };
    }

    private BitFunction DecodeHigh() => instruction.Type switch
    {
        "u32" => Bits(4, static (x, y, _) => x * y >> 32),
        "s32" => Bits(4, static (x, y, _) => (ulong)((long)(int)x * (int)y >> 32)),
        "u64" => Bits(8, static (x, y, _) => Math.BigMul(x, y, out _)),
        _ => Bits(8, static (x, y, _) => (ulong)Math.BigMul((long)x, (long)y, out long _)),
    };

    // The operands after the target, as many as there are up to three.
    private BitFunction Bits(int bytes, Func<ulong, ulong, ulong, ulong> function, int secondBytes = 0,
        int targetBytes = 0)
    {
        PtxRegister none = program.Constant(8, 0);
        PtxRegister d = Target(Operand(0), targetBytes == 0 ? bytes : targetBytes), a = Value(Operand(1), bytes);
        PtxRegister b = instruction.Operands.Count > 2 ? Value(Operand(2), secondBytes == 0 ? bytes : secondBytes)
            : none;
        PtxRegister c = instruction.Operands.Count > 3 ? Value(Operand(3), secondBytes == 0 ? bytes : secondBytes)
            : none;
        return new BitFunction(d, a, b, c, function);
    }

    private Operation DecodeBits()
    {
        switch (instruction.Opcode)
        {
            case "shl.b32": return Bits(4, static (x, n, _) => n > 31 ? 0 : x << (int)n);
            case "shr.b32" or "shr.u32": return Bits(4, static (x, n, _) => n > 31 ? 0 : x >> (int)n);
            case "shr.s32": return Bits(4, static (x, n, _) => (ulong)((int)x >> (int)Math.Min(n, 31)));
            case "shl.b64": return Bits(8, static (x, n, _) => n > 63 ? 0 : x << (int)n, 4);
            case "shr.b64" or "shr.u64": return Bits(8, static (x, n, _) => n > 63 ? 0 : x >> (int)n, 4);
            case "shr.s64": return Bits(8, static (x, n, _) => (ulong)((long)x >> (int)Math.Min(n, 63)), 4);
            case "popc.b32": return Bits(4, static (x, _, _) => (ulong)BitOperations.PopCount((uint)x));
            case "popc.b64": return Bits(8, static (x, _, _) => (ulong)BitOperations.PopCount(x), targetBytes: 4);
            case "clz.b32": return Bits(4, static (x, _, _) => (ulong)BitOperations.LeadingZeroCount((uint)x));
            case "clz.b64":
                return Bits(8, static (x, _, _) => (ulong)BitOperations.LeadingZeroCount(x),
                targetBytes: 4);
            case "bfe.u32":
                return Bits(4, static (x, from, count) => BitFields.Extract((uint)x, (int)from & 255,
                (int)count & 255));
            case "prmt.b32":
                return Bits(4, static (a, b, selector) => BitFields.Permute((uint)a, (uint)b,
                (uint)selector));
            case "lop3.b32":
                ExpectOperands(5);
                uint table = (uint)Immediate(Operand(4));
                return Bits(4, (a, b, c) => BitFields.Logic((uint)a, (uint)b, (uint)c, table));
            default: throw Unknown();
        }
    }

    private PredicateLogic DecodePredicateLogic()
    {
        int p = Predicate(Operand(0)), a = Predicate(Operand(1));
        int b = instruction.Name == "not" ? a : Predicate(Operand(2));
        return new PredicateLogic(p, a, b, instruction.Name switch
        {
            "and" => static (x, y) => x & y,
            "or" => static (x, y) => x | y,
            "xor" => static (x, y) => x ^ y,
            "not" => static (x, _) => ~x,
            _ => throw Unknown(),
        });
    }

    private Operation DecodeComparison() => instruction.Type switch
    {
        "f32" => Compare<float>(),
        "s32" => Compare<int>(),
        "u32" or "b32" => Compare<uint>(),
        "s64" => Compare<long>(),
        "u64" or "b64" => Compare<ulong>(),
        _ => throw Unknown(),
    };

    private Operation Compare<T>() where T : unmanaged, INumber<T>
    {
        ExpectOperands(3);
        if (instruction.Modifiers.Count != 2) throw Unknown();
        bool isFloat = instruction.Type == "f32";
        return instruction.Modifiers[0] switch
        {
            "eq" => Compare<T, Functions.Equal<T>>(),
            "ne" => Compare<T, Functions.NotEqual<T>>(),
            "lt" or "lo" => Compare<T, Functions.Less<T>>(),
            "le" or "ls" => Compare<T, Functions.LessOrEqual<T>>(),
            "gt" or "hi" => Compare<T, Functions.Greater<T>>(),
            "ge" or "hs" => Compare<T, Functions.GreaterOrEqual<T>>(),
            // True for NaN: the opposites of the ordered comparisons.
            "equ" when isFloat => Compare<T, Functions.Opposite<T, Functions.NotEqual<T>>>(),
            "neu" when isFloat => Compare<T, Functions.Opposite<T, Functions.Equal<T>>>(),
            "ltu" when isFloat => Compare<T, Functions.Opposite<T, Functions.GreaterOrEqual<T>>>(),
            "leu" when isFloat => Compare<T, Functions.Opposite<T, Functions.Greater<T>>>(),
            "gtu" when isFloat => Compare<T, Functions.Opposite<T, Functions.LessOrEqual<T>>>(),
            "geu" when isFloat => Compare<T, Functions.Opposite<T, Functions.Less<T>>>(),
            "num" when isFloat => Compare<T, Functions.Ordered<T>>(),
            "nan" when isFloat => Compare<T, Functions.Opposite<T, Functions.Ordered<T>>>(),
            _ => throw Unknown(),
        };
    }

    private Compare<T, TFunction> Compare<T, TFunction>() where T : unmanaged where TFunction : struct, IComparison<T>
    {
        int bytes = PtxTypes.Bytes(instruction.Type);
        string[] targets = Operand(0).Split('|');
        int q = targets.Length > 1 ? Predicate(targets[1].Trim()) : -1;
        return new Compare<T, TFunction>(Predicate(targets[0].Trim()), q, Value(Operand(1), bytes).Offset,
            Value(Operand(2), bytes).Offset);
    }
}

/// <summary>Instructions on the bits of a word.</summary>
internal static class BitFields
{
    /// <summary><c>bfe.u32</c>: <paramref name="count"/> bits from bit <paramref name="from"/> on.</summary>
    public static ulong Extract(uint value, int from, int count) =>
        from > 31 || count == 0 ? 0 : count > 31 ? value >> from : value >> from & ((1u << count) - 1);

    /// <summary>
    /// <c>prmt.b32</c>: four of the eight bytes of b:a; the fourth bit of a selector spreads the sign instead.
    /// </summary>
    public static ulong Permute(uint a, uint b, uint selector)
    {
        ulong bytes = a | (ulong)b << 32;
        uint result = 0;
        for (int i = 0; i < 4; i++)
        {
            int choice = (int)(selector >> 4 * i & 15);
            uint chosen = (uint)(bytes >> 8 * (choice & 7)) & 255;
            if (choice > 7) chosen = chosen > 127 ? 255u : 0;
            result |= chosen << 8 * i;
        }
        return result;
    }

    /// <summary><c>lop3.b32</c>: any function of three bits, by its table.</summary>
    public static ulong Logic(uint a, uint b, uint c, uint table)
    {
        uint result = 0;
        for (int row = 0; row < 8; row++)
        {
            if ((table >> row & 1) == 0) continue;
            result |= ((row & 4) != 0 ? a : ~a) & ((row & 2) != 0 ? b : ~b) & ((row & 1) != 0 ? c : ~c);
        }
        return result;
    }
}
