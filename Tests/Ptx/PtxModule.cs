namespace GlowGpu.Tests.Ptx;

/// <summary>
/// A register: its place in the register file of a warp, 32 lanes of <see cref="Bytes"/> each, or the number of a
/// predicate.
/// </summary>
internal readonly record struct PtxRegister(int Offset, int Bytes, bool IsPredicate);

/// <summary>
/// A variable in shared memory; dynamic ones (<see cref="Bytes"/> −1) start where the static ones end.
/// </summary>
internal sealed record PtxShared(string Name, int Align, int Bytes);

/// <summary>A parameter of the kernel, in the block of bytes that the launch passes.</summary>
internal sealed record PtxParameter(string Name, int Align, int Offset, int Bytes);

/// <summary>What a pair of braces declares. Inner names hide outer ones.</summary>
internal sealed class PtxScope(PtxScope? parent)
{
    private readonly Dictionary<string, PtxRegister> registers = [];
    private readonly Dictionary<string, int> labels = [];

    public void Declare(string name, PtxRegister register)
    {
        if (!registers.TryAdd(name, register))
            throw new PtxException($"register {name} is declared twice in one scope");
    }

    public void Mark(string label, int instruction)
    {
        if (!labels.TryAdd(label, instruction)) throw new PtxException($"label {label} stands twice in one scope");
    }

    public PtxRegister? Register(string name) =>
        registers.TryGetValue(name, out PtxRegister found) ? found : parent?.Register(name);

    public int Label(string name) =>
        labels.TryGetValue(name, out int found) ? found
        : parent?.Label(name) ?? throw new PtxException($"label {name} is nowhere in scope");
}

/// <summary>An instruction as written: <c>@guard opcode operands;</c></summary>
internal sealed record PtxInstruction(
    string Opcode, IReadOnlyList<string> Operands, string? Guard, bool GuardNegated, PtxScope Scope, int Line)
{
    /// <summary>The opcode without its modifiers.</summary>
    public string Name { get; } = Opcode.Split('.')[0];

    /// <summary>The modifiers, in order.</summary>
    public IReadOnlyList<string> Modifiers { get; } = Opcode.Split('.')[1..];

    /// <summary>The last modifier: the type of most instructions.</summary>
    public string Type => Modifiers.Count == 0 ? "" : Modifiers[^1];

    /// <summary>Control never passes to the instruction after it.</summary>
    public bool Ends => Guard is null && Name is ("bra" or "ret" or "exit");

    public bool Has(string modifier) => Modifiers.Contains(modifier);

    public override string ToString() =>
        $"{(Guard is null ? "" : $"@{(GuardNegated ? "!" : "")}{Guard} ")}{Opcode} {string.Join(", ", Operands)}";
}

/// <summary>The one kernel of a PTX source.</summary>
internal sealed record PtxKernel(
    string Name, string Target, IReadOnlyList<PtxParameter> Parameters, IReadOnlyList<PtxShared> Shared,
    IReadOnlyList<PtxInstruction> Instructions, int RegisterBytes, int Predicates)
{
    /// <summary>Bytes of all parameters.</summary>
    public int ParameterBytes => Parameters.Count == 0 ? 0 : Parameters[^1].Offset + Parameters[^1].Bytes;
}
