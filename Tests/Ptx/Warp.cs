using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace GlowGpu.Tests.Ptx;

/// <summary>Why a warp no longer runs.</summary>
internal enum WarpStop
{
    /// <summary>All its lanes wait at one barrier of the group.</summary>
    Barrier,

    /// <summary>All its lanes have ended.</summary>
    Exit,
}

/// <summary>
/// 32 lanes. Every lane has a program counter of its own, as on devices since compute capability 7.0, and the lanes
/// with the smallest one run together. A lane that comes to an instruction of the whole warp or group waits there for
/// the others.
/// </summary>
internal sealed unsafe class Warp : IDisposable
{
    /// <summary>Lanes of a warp.</summary>
    public const int Lanes = 32;

    /// <summary>The mask of all of them.</summary>
    public const uint All = uint.MaxValue;

    // What registers hold before they are written: a NaN, and an index that no memory has.
    private const uint Poison = 0xFFC0DEAD;

    private readonly PtxProgram program;
    private readonly Operation[] operations;
    private readonly byte* registers;
    private readonly int[] counters = new int[Lanes];
    private uint waiting;

    public Warp(PtxProgram program, ThreadGroup group, int index)
    {
        this.program = program;
        operations = program.Operations;
        Group = group;
        Index = index;
        registers = (byte*)NativeMemory.AlignedAlloc((nuint)Math.Max(program.RegisterBytes, 1), 64);
        Predicates = new uint[program.Predicates];
    }

    public ThreadGroup Group { get; }

    /// <summary>Number in the group.</summary>
    public int Index { get; }

    /// <summary>Predicate registers: one bit for each lane.</summary>
    public uint[] Predicates { get; }

    /// <summary>Lanes that have not ended.</summary>
    public uint Alive { get; private set; }

    /// <summary>Counts the moments after which a lane may see what the others of its warp have written.</summary>
    public int Epoch { get; set; }

    /// <summary>The barrier that all lanes wait at.</summary>
    public GroupBarrier Barrier => (GroupBarrier)operations[counters[BitOperations.TrailingZeroCount(waiting)]];

    /// <summary>32 values of a register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T* At<T>(int offset) where T : unmanaged => (T*)(registers + offset);

    /// <summary>The bits of a register in a lane.</summary>
    public ulong Read(PtxRegister register, int lane) =>
        register.Bytes == 8 ? At<ulong>(register.Offset)[lane] : At<uint>(register.Offset)[lane];

    /// <inheritdoc cref="Read"/>
    public void Write(PtxRegister register, int lane, ulong bits)
    {
        if (register.Bytes == 8) At<ulong>(register.Offset)[lane] = bits;
        else At<uint>(register.Offset)[lane] = (uint)bits;
    }

    public void SetPredicate(int predicate, uint mask, uint value) =>
        Predicates[predicate] = (Predicates[predicate] & ~mask) | (value & mask);

    /// <summary>Number of a lane in its group.</summary>
    public int Thread(int lane) => Index * Lanes + lane;

    /// <summary>
    /// Puts the lanes, of which the first <paramref name="count"/> exist, to the start of the kernel.
    /// </summary>
    public void Start(int count)
    {
        new Span<uint>(registers, program.RegisterBytes / sizeof(uint)).Fill(Poison);
        Array.Clear(counters);
        Array.Clear(Predicates);
        Alive = count >= Lanes ? All : (1u << count) - 1;
        waiting = 0;
        Epoch = 0;
        program.Preset(this);
    }

    /// <summary>Lets the lanes go on that wait at a barrier of the group.</summary>
    public void Release()
    {
        for (uint left = waiting; left != 0; left &= left - 1) counters[BitOperations.TrailingZeroCount(left)]++;
        waiting = 0;
        Epoch++;
    }

    /// <summary>Runs until no lane can go on by itself.</summary>
    public WarpStop Run()
    {
        while (true)
        {
            uint runnable = Alive & ~waiting;
            if (runnable == 0)
            {
                if (Alive == 0) return WarpStop.Exit;
                if (Meet()) return WarpStop.Barrier;
                continue;
            }
            (uint mask, int counter, int next) = Choose(runnable);
            Step(mask, counter, next);
        }
    }

    // The lanes with the smallest counter, and the next larger counter.
    private (uint Mask, int Counter, int Next) Choose(uint runnable)
    {
        int smallest = int.MaxValue, next = int.MaxValue;
        uint mask = 0;
        for (uint left = runnable; left != 0; left &= left - 1)
        {
            int lane = BitOperations.TrailingZeroCount(left), counter = counters[lane];
            if (counter < smallest) (smallest, next, mask) = (counter, smallest, 1u << lane);
            else if (counter == smallest) mask |= 1u << lane;
            else next = Math.Min(next, counter);
        }
        return (mask, smallest, next);
    }

    // Runs lanes that are at one place until others wait to join them or they part.
    private void Step(uint mask, int counter, int next)
    {
        Counts[] counts = Group.Counts;
        while (counter < next)
        {
            Operation operation = operations[counter];
            uint acting = operation.Guard < 0 ? mask
                : mask & (operation.GuardNegated ? ~Predicates[operation.Guard] : Predicates[operation.Guard]);
            ref Counts count = ref counts[operation.Index];
            count.Warps++;
            count.Lanes += BitOperations.PopCount(acting);
            switch (operation.Flow)
            {
                case Flow.Next:
                    if (acting != 0) Act(operation, acting);
                    counter++;
                    break;
                case Flow.Branch:
                    int target = ((Branch)operation).Target;
                    if (target <= counter) Group.CountIteration(operation);
                    if (acting == mask)
                    {
                        counter = target;
                    }
                    else if (acting == 0)
                    {
                        counter++;
                    }
                    else
                    {
                        Place(acting, target);
                        Place(mask & ~acting, counter + 1);
                        return;
                    }
                    break;
                case Flow.Exit:
                    Alive &= ~acting;
                    mask &= ~acting;
                    counter++;
                    if (mask == 0) return;
                    break;
                case Flow.Converge when acting == Alive:
                    Act(operation, acting);
                    counter++;
                    break;
                default:
                    waiting |= acting;
                    Place(acting, counter);
                    Place(mask & ~acting, counter + 1);
                    return;
            }
        }
        Place(mask, counter);
    }

    // No lane can go on: all must wait at the same instruction. True if it is a barrier of the group.
    private bool Meet()
    {
        int counter = counters[BitOperations.TrailingZeroCount(Alive)];
        for (uint left = Alive; left != 0; left &= left - 1)
        {
            int other = counters[BitOperations.TrailingZeroCount(left)];
            if (other != counter)
                throw Fault(operations[counter], "lanes of a warp wait at different instructions, here and at "
                    + $"'{operations[other].Source}' (line {operations[other].Source?.Line})");
        }
        Operation operation = operations[counter];
        if (operation.Flow == Flow.Barrier) return true;
        Act(operation, Alive);
        waiting = 0;
        Place(Alive, counter + 1);
        return false;
    }

    private void Place(uint mask, int counter)
    {
        for (uint left = mask; left != 0; left &= left - 1) counters[BitOperations.TrailingZeroCount(left)] = counter;
    }

    private void Act(Operation operation, uint mask)
    {
        try
        {
            operation.Run(this, mask);
        }
        catch (PtxException e) when (e.Line == 0)
        {
            throw Fault(operation, e.Message);
        }
    }

    /// <summary>A fault with the place where it happened.</summary>
    public PtxException Fault(Operation operation, string what) =>
        new($"{program.Kernel.Name}, line {operation.Source?.Line}, '{operation.Source}', group "
            + $"({Group.X},{Group.Y},{Group.Z}), warp {Index}: {what}")
        {
            Line = operation.Source?.Line ?? -1,
        };

    public void Dispose() => NativeMemory.AlignedFree(registers);
}
