using System.Globalization;

namespace GlowGpu.Tests.Ptx;

/// <summary>
/// A kernel made ready to run: decoded operations in the order of <see cref="BlockOrder"/>, and where everything
/// lies.
/// </summary>
internal sealed class PtxProgram
{
    private readonly Dictionary<string, int> sharedAddresses = [];
    private readonly Dictionary<(int Bytes, ulong Value), PtxRegister> constants = [];
    private readonly Dictionary<string, PtxRegister> specials = [];
    private readonly Dictionary<bool, int> predicateConstants = [];

    public PtxProgram(PtxKernel kernel)
    {
        Kernel = kernel;
        RegisterBytes = kernel.RegisterBytes;
        Predicates = kernel.Predicates;
        PlaceShared();
        IReadOnlyList<int> order = BlockOrder.Of(kernel.Instructions);
        int[] places = new int[kernel.Instructions.Count];
        for (int i = 0; i < order.Count; i++)
            if (order[i] >= 0) places[order[i]] = i;
        Operations = [.. order.Select(at => at >= 0 ? Decode(kernel.Instructions[at], at)
            : new Branch { Index = kernel.Instructions.Count })];
        for (int i = 0; i < order.Count; i++)
        {
            if (Operations[i] is not Branch branch) continue;
            branch.Target = places[order[i] < 0 ? -1 - order[i] : BlockOrder.Target(kernel.Instructions[order[i]])];
        }
    }

    public PtxKernel Kernel { get; }

    public Operation[] Operations { get; }

    /// <summary>Counts are kept for every instruction of the source, and for jumps that the layout added.</summary>
    public int CountSlots => Kernel.Instructions.Count + 1;

    /// <summary>Bytes of the registers of a warp, constants and special registers included.</summary>
    public int RegisterBytes { get; private set; }

    /// <summary>Predicate registers, constants included.</summary>
    public int Predicates { get; private set; }

    /// <summary>Bytes of the static variables in shared memory; dynamic memory follows them.</summary>
    public int StaticSharedBytes { get; private set; }

    /// <summary>Whether dynamic shared memory is declared.</summary>
    public bool UsesDynamicShared { get; private set; }

    /// <summary>Writes constants and special registers, once a warp knows its place in the grid.</summary>
    public void Preset(Warp warp)
    {
        foreach (((_, ulong value), PtxRegister register) in constants)
            for (int lane = 0; lane < Warp.Lanes; lane++) warp.Write(register, lane, value);
        foreach ((string name, PtxRegister register) in specials)
            for (int lane = 0; lane < Warp.Lanes; lane++) warp.Write(register, lane, Special(name, warp, lane));
        foreach ((bool value, int predicate) in predicateConstants) warp.Predicates[predicate] = value ? Warp.All : 0;
    }

    /// <summary>Address of a variable in shared memory.</summary>
    public int? SharedAddress(string name) => sharedAddresses.TryGetValue(name, out int found) ? found : null;

    /// <summary>A register that holds a constant.</summary>
    public PtxRegister Constant(int bytes, ulong value)
    {
        if (bytes == 4) value = (uint)value;
        if (!constants.TryGetValue((bytes, value), out PtxRegister register)) constants.Add((bytes, value),
            register = Allocate(bytes));
        return register;
    }

    /// <summary>A predicate that holds a constant.</summary>
    public int PredicateConstant(bool value)
    {
        if (!predicateConstants.TryGetValue(value, out int predicate)) predicateConstants.Add(value,
            predicate = Predicates++);
        return predicate;
    }

    /// <summary>A register that holds a special register's value, such as <c>%tid.x</c>.</summary>
    public PtxRegister? SpecialRegister(string name)
    {
        if (specials.TryGetValue(name, out PtxRegister register)) return register;
        bool known = name is "%laneid" or "%warpid" or "%nwarpid" or "%dynamic_smem_size"
            || (name.Length > 2 && name[^2] == '.' && name[^1] is >= 'x' and <= 'z' && name[..^2] is "%tid" or "%ntid"
            or "%ctaid" or "%nctaid");
        if (!known) return null;
        specials.Add(name, register = Allocate(4));
        return register;
    }

    private static ulong Special(string name, Warp warp, int lane)
    {
        ThreadGroup group = warp.Group;
        int thread = warp.Thread(lane);
        int width = group.Threads.X, height = group.Threads.Y;
        return (ulong)(name switch
        {
            "%tid.x" => thread % width,
            "%tid.y" => thread / width % height,
            "%tid.z" => thread / width / height,
            "%ntid.x" => width,
            "%ntid.y" => height,
            "%ntid.z" => group.Threads.Z,
            "%ctaid.x" => group.X,
            "%ctaid.y" => group.Y,
            "%ctaid.z" => group.Z,
            "%nctaid.x" => group.Grid.X,
            "%nctaid.y" => group.Grid.Y,
            "%nctaid.z" => group.Grid.Z,
            "%laneid" => lane,
            "%warpid" => warp.Index,
            "%dynamic_smem_size" => group.DynamicSharedBytes,
            _ => (group.Threads.Size + Warp.Lanes - 1) / Warp.Lanes,
        });
    }

    private PtxRegister Allocate(int bytes)
    {
        PtxRegister register = new(RegisterBytes, bytes, false);
        RegisterBytes += bytes * Warp.Lanes;
        return register;
    }

    private void PlaceShared()
    {
        foreach (PtxShared variable in Kernel.Shared.Where(static v => v.Bytes >= 0))
        {
            int at = (StaticSharedBytes + variable.Align - 1) / variable.Align * variable.Align;
            sharedAddresses.Add(variable.Name, SharedMemory.Base + at);
            StaticSharedBytes = at + variable.Bytes;
        }
        foreach (PtxShared variable in Kernel.Shared.Where(static v => v.Bytes < 0))
        {
            UsesDynamicShared = true;
            StaticSharedBytes = (StaticSharedBytes + 15) / 16 * 16;
            sharedAddresses.TryAdd(variable.Name, SharedMemory.Base + StaticSharedBytes);
        }
    }

    private Operation Decode(PtxInstruction instruction, int index)
    {
        try
        {
            Decoder decoder = new(this, instruction);
            Operation operation = decoder.Decode();
            operation.Source = instruction;
            operation.Index = index;
            if (instruction.Guard is not null)
            {
                operation.Guard = decoder.Predicate(instruction.Guard);
                operation.GuardNegated = instruction.GuardNegated;
            }
            return operation;
        }
        catch (PtxException e)
        {
            throw new PtxException(string.Create(CultureInfo.InvariantCulture,
                $"{Kernel.Name}, line {instruction.Line}, '{instruction}': {e.Message}"))
            { Line = instruction.Line };
        }
    }
}
