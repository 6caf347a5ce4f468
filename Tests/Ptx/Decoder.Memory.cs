using System.Globalization;

namespace GlowGpu.Tests.Ptx;

/// <summary>Loads, stores, asynchronous copies and the instructions of whole warps.</summary>
internal sealed partial class Decoder
{
    // How a cache is to treat an access, which changes no value.
    private static readonly string[] CacheHints = ["ca", "cg", "cs", "lu", "cv", "wb", "wt", "nc", "volatile", "weak",
        "relaxed", "cta", "gpu", "sys", "v2", "v4"];

    private Space AccessSpace()
    {
        Space space = Space.Generic;
        for (int i = 0; i < instruction.Modifiers.Count - 1; i++)
        {
            string modifier = instruction.Modifiers[i];
            if (modifier == "global") space = Space.Global;
            else if (modifier is "shared" or "shared::cta") space = Space.Shared;
            else if (!CacheHints.Contains(modifier) && !modifier.StartsWith("L1::", StringComparison.Ordinal)
                && !modifier.StartsWith("L2::", StringComparison.Ordinal)) throw Unknown();
        }
        return space;
    }

    private void CheckVector(int elements)
    {
        int expected = instruction.Has("v2") ? 2 : instruction.Has("v4") ? 4 : 1;
        if (elements != expected) throw new PtxException($"{elements} registers where {expected} are expected");
        if (elements * PtxTypes.Bytes(instruction.Type) > 16) throw new PtxException("an access of more than 16 bytes");
    }

    private Operation DecodeLoad()
    {
        ExpectOperands(2);
        string type = instruction.Type;
        PtxRegister[] targets = Targets(Operand(0), PtxTypes.Bytes(type), mayBeWider: true);
        CheckVector(targets.Length);
        if (instruction.Has("param"))
        {
            (string name, long offset) = Split(Operand(1));
            PtxParameter parameter = program.Kernel.Parameters.FirstOrDefault(p => p.Name == name)
                ?? throw new PtxException($"parameter '{name}' is not declared");
            int bytes = PtxTypes.Bytes(type) * targets.Length;
            if (offset < 0 || offset + bytes > parameter.Bytes)
                throw new PtxException($"the load lies outside the {parameter.Bytes} bytes of parameter '{name}'");
            if ((parameter.Offset + offset) % bytes != 0)
                throw new PtxException($"offset {offset} of parameter '{name}' is not aligned to {bytes} bytes");
            return new LoadParameter(type, targets, parameter.Offset + (int)offset);
        }
        return new Load(AccessSpace(), type, targets, AddressOf(Operand(1)));
    }

    private Operation DecodeStore()
    {
        ExpectOperands(2);
        int size = PtxTypes.Bytes(instruction.Type);
        PtxRegister[] sources = Values(Operand(1), size, mayBeWider: true);
        CheckVector(sources.Length);
        return new Store(AccessSpace(), size, sources, AddressOf(Operand(0)));
    }

    private Operation DecodeCopy()
    {
        string opcode = instruction.Opcode;
        if (opcode == "cp.async.commit_group")
            return new WarpFunction(static (warp, mask) => warp.Group.Copies(warp).Commit(mask));
        if (opcode == "cp.async.wait_all")
            return new WarpFunction(static (warp, mask) => warp.Group.Copies(warp).WaitAll(warp, mask));
        if (opcode == "cp.async.wait_group")
        {
            int pending = int.Parse(Operand(0), CultureInfo.InvariantCulture);
            return new WarpFunction((warp, mask) => warp.Group.Copies(warp).Wait(warp, mask, pending));
        }
        string[] expected = ["async", "ca", "cg", "shared", "shared::cta", "global"];
        if (!instruction.Has("async") || !instruction.Has("global")
            || !(instruction.Has("shared") || instruction.Has("shared::cta"))
            || instruction.Modifiers.Any(m => !expected.Contains(m) && !m.StartsWith("L2::",
            StringComparison.Ordinal))) throw Unknown();
        int bytes = int.Parse(Operand(2), CultureInfo.InvariantCulture);
        if (bytes is not (4 or 8 or 16)) throw new PtxException($"an asynchronous copy of {bytes} bytes");
        if (instruction.Has("cg") && bytes != 16) throw new PtxException("cp.async.cg copies 16 bytes only");
        PtxRegister? sourceBytes = instruction.Operands.Count > 3 ? Value(Operand(3), 4) : null;
        return new CopyAsync(AddressOf(Operand(0)), AddressOf(Operand(1)), bytes, sourceBytes);
    }

    private Operation DecodeAddressConversion()
    {
        ExpectOperands(2);
        Allow("to", "shared", "global");
        PtxRegister d = Target(Operand(0), 8), a = Value(Operand(1), 8), none = program.Constant(8, 0);
        if (!instruction.Has("shared")) return new BitFunction(d, a, none, none, static (x, _, _) => x);
        return instruction.Has("to")
            ? new BitFunction(d, a, none, none, static (x, _, _) => x >= SharedMemory.Window ? x - SharedMemory.Window
                : throw new PtxException($"generic address 0x{x:x} does not lie in shared memory"))
            : new BitFunction(d, a, none, none, static (x, _, _) => x + SharedMemory.Window);
    }

    private Operation DecodeMatrixMultiply()
    {
        ExpectOperands(4);
        (bool isTf32, int k) = instruction.Opcode switch
        {
            "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32" => (false, 16),
            "mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32" => (false, 8),
            "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32" => (true, 8),
            "mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32" => (true, 4),
            _ => throw Unknown(),
        };
        PtxRegister[] d = Targets(Operand(0), 4), a = Values(Operand(1), 4), b = Values(Operand(2), 4),
            c = Values(Operand(3), 4);
        int registersOfB = k * (isTf32 ? 4 : 2) / 16;
        if (d.Length != 4 || c.Length != 4 || b.Length != registersOfB || a.Length != 2 * registersOfB)
            throw new PtxException($"fragments of {d.Length}, {a.Length}, {b.Length}, {c.Length} registers instead "
                + $"of 4, {2 * registersOfB}, {registersOfB}, 4");
        return new MatrixMultiply(isTf32, k, d, a, b, c);
    }

    private Operation DecodeLoadMatrix()
    {
        ExpectOperands(2);
        PtxRegister[] targets = Targets(Operand(0), 4);
        string[] modifiers = [.. instruction.Modifiers.Where(static m => m != "trans")
            .Select(static m => m == "shared::cta" ? "shared" : m)];
        if (!modifiers.SequenceEqual(["sync", "aligned", "m8n8",
            "x" + targets.Length.ToString(CultureInfo.InvariantCulture), "shared", "b16"])
            || targets.Length is not (1 or 2 or 4)) throw Unknown();
        return new LoadMatrix(targets, AddressOf(Operand(1)), instruction.Has("trans"));
    }

    private Operation DecodeShuffle()
    {
        ExpectOperands(5);
        if (instruction.Modifiers is not ["sync", var mode, "b32"]) throw Unknown();
        string[] targets = Operand(0).Split('|');
        int p = targets.Length > 1 ? Predicate(targets[1].Trim()) : -1;
        return new Shuffle(mode, Target(targets[0].Trim(), 4), p, Value(Operand(1), 4), Value(Operand(2), 4),
            Value(Operand(3), 4), Value(Operand(4), 4));
    }
}
