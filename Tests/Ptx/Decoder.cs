using System.Globalization;
using System.Text.RegularExpressions;

namespace GlowGpu.Tests.Ptx;

/// <summary>Turns an instruction into the operation that runs it: operands, and the choice by opcode.</summary>
internal sealed partial class Decoder(PtxProgram program, PtxInstruction instruction)
{
    /// <exception cref="PtxException">The instruction, a modifier or an operand is not known.</exception>
    public Operation Decode() => instruction.Name switch
    {
        "bra" => new Branch(),
        "ret" or "exit" => new Exit(),
        "bar" or "barrier" => DecodeBarrier(),
        "membar" or "fence" => new WarpFunction(static (_, _) => { }),
        "ld" or "ldu" => DecodeLoad(),
        "st" => DecodeStore(),
        "cp" => DecodeCopy(),
        "cvta" => DecodeAddressConversion(),
        "mma" => DecodeMatrixMultiply(),
        "ldmatrix" => DecodeLoadMatrix(),
        "shfl" => DecodeShuffle(),
        "mov" => DecodeMove(),
        "cvt" => DecodeConversion(),
        "setp" => DecodeComparison(),
        "selp" => DecodeSelection(),
        _ => DecodeArithmetic(),
    };

    /// <summary>The number of a predicate register.</summary>
    public int Predicate(string operand)
    {
        if (instruction.Scope.Register(operand) is { IsPredicate: true } register) return register.Offset;
        return operand switch
        {
            "1" or "-1" => program.PredicateConstant(true),
            "0" => program.PredicateConstant(false),
            _ => throw new PtxException($"'{operand}' is no predicate"),
        };
    }

    private string Operand(int i) => i < instruction.Operands.Count ? instruction.Operands[i]
        : throw new PtxException($"operand {i + 1} is missing");

    private PtxException Unknown() => new($"the PTX machine does not know {instruction.Opcode}");

    /// <summary>Makes sure that no modifier is passed over: all but the type must be among these.</summary>
    private void Allow(params ReadOnlySpan<string> modifiers)
    {
        for (int i = 0; i < instruction.Modifiers.Count - 1; i++)
            if (!modifiers.Contains(instruction.Modifiers[i])) throw Unknown();
    }

    private void ExpectOperands(int count)
    {
        if (instruction.Operands.Count != count)
            throw new PtxException($"{instruction.Operands.Count} operands instead of {count}");
    }

    /// <summary>A register that is written.</summary>
    private PtxRegister Target(string operand, int bytes, bool mayBeWider = false)
    {
        if (instruction.Scope.Register(operand) is not { IsPredicate: false } register)
            throw new PtxException($"'{operand}' is no register");
        return Sized(register, operand, bytes, mayBeWider);
    }

    /// <summary>A register or constant that is read.</summary>
    private PtxRegister Value(string operand, int bytes, bool mayBeWider = false)
    {
        if (instruction.Scope.Register(operand) is { } register)
            return register.IsPredicate ? throw new PtxException($"'{operand}' is a predicate") : Sized(register,
                operand, bytes, mayBeWider);
        if (program.SpecialRegister(operand) is { } special) return special;
        int width = Math.Max(bytes, 4);
        if (program.SharedAddress(operand) is { } address) return program.Constant(width, (ulong)address);
        return program.Constant(width, Immediate(operand));
    }

    private static PtxRegister Sized(PtxRegister register, string operand, int bytes, bool mayBeWider)
    {
        int expected = Math.Max(bytes, 4);
        if (register.Bytes != expected && !(mayBeWider && register.Bytes > expected))
            throw new PtxException($"'{operand}' has {register.Bytes} bytes where {expected} are expected");
        return register;
    }

    private static ulong Immediate(string operand)
    {
        string digits = operand.TrimEnd('U');
        bool negative = digits.StartsWith('-');
        if (negative) digits = digits[1..];
        ulong value;
        bool parsed = digits.Length > 2 && digits[0] == '0' && digits[1] is 'f' or 'F' or 'd' or 'D' or 'x' or 'X'
            ? ulong.TryParse(digits[2..], NumberStyles.HexNumber, CultureInfo.InvariantCulture, out value)
            : ulong.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out value);
        if (!parsed) throw new PtxException($"operand '{operand}' is not known");
        return negative ? unchecked(0 - value) : value;
    }

    /// <summary>A register, or the registers in braces.</summary>
    private static IReadOnlyList<string> Elements(string operand) =>
        operand.StartsWith('{') ? PtxParser.Split(operand[1..^1]) : [operand];

    private PtxRegister[] Targets(string operand, int bytes, bool mayBeWider = false) =>
        [.. Elements(operand).Select(e => Target(e, bytes, mayBeWider))];

    private PtxRegister[] Values(string operand, int bytes, bool mayBeWider = false) =>
        [.. Elements(operand).Select(e => Value(e, bytes, mayBeWider))];

    private Address AddressOf(string operand)
    {
        (string symbol, long offset) = Split(operand);
        PtxRegister register = instruction.Scope.Register(symbol)
            ?? (program.SharedAddress(symbol) is { } shared ? program.Constant(4, (ulong)shared) : program.Constant(8,
            Immediate(symbol)));
        return register.IsPredicate ? throw new PtxException($"'{symbol}' is a predicate")
            : new Address(register, offset);
    }

    private static (string Symbol, long Offset) Split(string operand)
    {
        Match match = AddressOperand().Match(operand);
        if (!match.Success) throw new PtxException($"address '{operand}' is not known");
        string offset = match.Groups[2].Value.Replace(" ", "", StringComparison.Ordinal).Replace("+", "",
            StringComparison.Ordinal);
        return (match.Groups[1].Value, offset.Length == 0 ? 0 : long.Parse(offset, CultureInfo.InvariantCulture));
    }

    private Operation DecodeBarrier()
    {
        if (instruction.Opcode == "bar.warp.sync")
        {
            PtxRegister members = Value(Operand(0), 4);
            return new WarpFunction((warp, mask) =>
            {
                // A lane that has ended cannot come, and no device waits for it.
                uint named = (uint)warp.Read(members, System.Numerics.BitOperations.TrailingZeroCount(mask));
                if ((named & warp.Alive) != mask)
                    throw new PtxException($"bar.warp.sync names the lanes 0x{named:x}, and 0x{mask:x} have come");
                warp.Epoch++;
            }, converges: true);
        }
        if (instruction.Opcode is not ("bar.sync" or "barrier.sync" or "barrier.sync.aligned" or "bar.cta.sync"
            or "barrier.cta.sync" or "barrier.cta.sync.aligned")) throw Unknown();
        int count = instruction.Operands.Count > 1 ? (int)Immediate(Operand(1)) : 0;
        return new GroupBarrier((int)Immediate(Operand(0)), count);
    }

    private Operation DecodeMove()
    {
        ExpectOperands(2);
        Allow();
        if (instruction.Type == "pred")
        {
            int p = Predicate(Operand(0)), a = Predicate(Operand(1));
            return new PredicateLogic(p, a, a, static (x, _) => x);
        }
        int bytes = PtxTypes.Bytes(instruction.Type);
        bool packs = Operand(1).StartsWith('{'), unpacks = Operand(0).StartsWith('{');
        if (packs || unpacks) return DecodePacking(bytes, packs);
        PtxRegister d = Target(Operand(0), bytes), s = Value(Operand(1), bytes);
        // A special register has 32 bits.
        if (s.Bytes != d.Bytes)
            throw new PtxException($"'{Operand(1)}' has {s.Bytes} bytes where {d.Bytes} are expected");
        return bytes == 8
            ? new Unary<ulong, Functions.Copy<ulong>>(d.Offset, s.Offset)
            : new Unary<uint, Functions.Copy<uint>>(d.Offset, s.Offset);
    }

    private WarpFunction DecodePacking(int bytes, bool packs)
    {
        IReadOnlyList<string> parts = Elements(Operand(packs ? 1 : 0));
        int partBytes = bytes / parts.Count, bits = 8 * partBytes;
        ulong partMask = (1UL << bits) - 1;
        if (packs)
        {
            PtxRegister target = Target(Operand(0), bytes);
            PtxRegister[] sources = Values(Operand(1), partBytes);
            return new WarpFunction((warp, mask) =>
            {
                for (int lane = 0; lane < Warp.Lanes; lane++)
                {
                    if ((mask >> lane & 1) == 0) continue;
                    ulong value = 0;
                    for (int i = 0; i < sources.Length; i++) value |= (warp.Read(sources[i], lane) & partMask) << i
                        * bits;
                    warp.Write(target, lane, value);
                }
            });
        }
        PtxRegister source = Value(Operand(1), bytes);
        PtxRegister[] targets = Targets(Operand(0), partBytes);
        return new WarpFunction((warp, mask) =>
        {
            for (int lane = 0; lane < Warp.Lanes; lane++)
            {
                if ((mask >> lane & 1) == 0) continue;
                ulong value = warp.Read(source, lane);
                for (int i = 0; i < targets.Length; i++) warp.Write(targets[i], lane, value >> i * bits & partMask);
            }
        });
    }

    private Operation DecodeSelection()
    {
        ExpectOperands(4);
        Allow();
        int bytes = PtxTypes.Bytes(instruction.Type);
        int d = Target(Operand(0), bytes).Offset, a = Value(Operand(1), bytes).Offset,
            b = Value(Operand(2), bytes).Offset;
        int p = Predicate(Operand(3));
        return bytes == 8 ? new Select<ulong>(d, a, b, p) : new Select<uint>(d, a, b, p);
    }

    [GeneratedRegex(@"^\[\s*([\w$%]+)\s*((?:\+\s*-?|-)\s*\d+)?\s*\]$")]
    private static partial Regex AddressOperand();
}
