namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// The machine instructions that a kernel's speed rests on, as <c>cuobjdump -sass</c> names them. On a kernel method
/// it holds for every instance, or with <see cref="For"/> for those made with that type; on a struct that is a type
/// argument of a generic kernel it holds for the kernels made with that struct. The PTX check fails where a promised
/// instruction is absent from the assembled kernel.
/// </summary>
/// <param name="instructions">
/// an opcode and modifiers each, such as "LD.E.128", "HMMA.16816.F32.BF16" or "LDSM": an instruction keeps the
/// promise if it has that opcode and these modifiers in this order, whatever stands between or behind them. LD and ST
/// stand for LDG and STG too, which differ only in what the compiler knew of the address.
/// </param>
[AttributeUsage(AttributeTargets.Method | AttributeTargets.Struct, AllowMultiple = true)]
internal sealed class PromisesAttribute(params string[] instructions) : Attribute
{
    /// <summary>The instructions.</summary>
    public IReadOnlyList<string> Instructions { get; } = instructions;

    /// <summary>The type argument that the promise is about; null: it holds whatever they are.</summary>
    public Type? For { get; init; }
}
