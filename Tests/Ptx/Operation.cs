using System.Numerics;

namespace GlowGpu.Tests.Ptx;

/// <summary>How an operation acts on control.</summary>
internal enum Flow
{
    /// <summary>The next one follows.</summary>
    Next,

    /// <summary>A jump.</summary>
    Branch,

    /// <summary>The lane ends.</summary>
    Exit,

    /// <summary>Done once all lanes of the warp that take part have come to it (<c>.sync</c>).</summary>
    Converge,

    /// <summary>A barrier of the whole group.</summary>
    Barrier,
}

/// <summary>A decoded instruction: what it does to all lanes of a warp at once.</summary>
internal abstract class Operation
{
    /// <summary>What was decoded, for messages; null for a jump that the layout added.</summary>
    public PtxInstruction? Source { get; set; }

    /// <summary>Where its counts are kept.</summary>
    public int Index { get; set; }

    /// <summary>The guarding predicate, or −1.</summary>
    public int Guard { get; set; } = -1;

    public bool GuardNegated { get; set; }

    public virtual Flow Flow => Flow.Next;

    /// <summary>Acts on the lanes of a mask that is not empty.</summary>
    public abstract void Run(Warp warp, uint mask);
}

/// <summary>A jump.</summary>
internal sealed class Branch : Operation
{
    /// <summary>The operation that it goes to.</summary>
    public int Target { get; set; } = -1;

    public override Flow Flow => Flow.Branch;

    public override void Run(Warp warp, uint mask) =>
        throw new InvalidOperationException("the warp follows jumps itself");
}

/// <summary>The end of a lane.</summary>
internal sealed class Exit : Operation
{
    public override Flow Flow => Flow.Exit;

    public override void Run(Warp warp, uint mask) => throw new InvalidOperationException("the warp ends lanes itself");
}

/// <summary>A barrier of the group: <c>bar.sync</c>.</summary>
internal sealed class GroupBarrier(int id, int count) : Operation
{
    /// <summary>Which of the sixteen.</summary>
    public int Id => id;

    /// <summary>Threads that take part, or 0 for all.</summary>
    public int Count => count;

    public override Flow Flow => Flow.Barrier;

    public override void Run(Warp warp, uint mask) =>
        throw new InvalidOperationException("the group waits at barriers itself");
}

/// <summary>What an operation computes in each lane.</summary>
internal interface IUnary<T>
{
    static abstract T Apply(T a);
}

/// <inheritdoc cref="IUnary{T}"/>
internal interface IBinary<T>
{
    static abstract T Apply(T a, T b);
}

/// <inheritdoc cref="IUnary{T}"/>
internal interface ITernary<T>
{
    static abstract T Apply(T a, T b, T c);
}

/// <inheritdoc cref="IUnary{T}"/>
internal interface IComparison<T>
{
    static abstract bool Apply(T a, T b);
}

/// <summary>d = f(a) in every lane.</summary>
internal sealed unsafe class Unary<T, TFunction>(int d, int a) : Operation
    where T : unmanaged where TFunction : struct, IUnary<T>
{
    public override void Run(Warp warp, uint mask)
    {
        T* x = warp.At<T>(a), y = warp.At<T>(d);
        if (mask == Warp.All)
        {
            for (int i = 0; i < Warp.Lanes; i++) y[i] = TFunction.Apply(x[i]);
            return;
        }
        for (uint left = mask; left != 0; left &= left - 1)
        {
            int i = BitOperations.TrailingZeroCount(left);
            y[i] = TFunction.Apply(x[i]);
        }
    }
}

/// <summary>d = f(a, b) in every lane.</summary>
internal sealed unsafe class Binary<T, TFunction>(int d, int a, int b) : Operation
    where T : unmanaged where TFunction : struct, IBinary<T>
{
    public override void Run(Warp warp, uint mask)
    {
        T* x = warp.At<T>(a), z = warp.At<T>(b), y = warp.At<T>(d);
        if (mask == Warp.All)
        {
            for (int i = 0; i < Warp.Lanes; i++) y[i] = TFunction.Apply(x[i], z[i]);
            return;
        }
        for (uint left = mask; left != 0; left &= left - 1)
        {
            int i = BitOperations.TrailingZeroCount(left);
            y[i] = TFunction.Apply(x[i], z[i]);
        }
    }
}

/// <summary>d = f(a, b, c) in every lane.</summary>
internal sealed unsafe class Ternary<T, TFunction>(int d, int a, int b, int c) : Operation
    where T : unmanaged where TFunction : struct, ITernary<T>
{
    public override void Run(Warp warp, uint mask)
    {
        T* x = warp.At<T>(a), z = warp.At<T>(b), w = warp.At<T>(c), y = warp.At<T>(d);
        for (uint left = mask; left != 0; left &= left - 1)
        {
            int i = BitOperations.TrailingZeroCount(left);
            y[i] = TFunction.Apply(x[i], z[i], w[i]);
        }
    }
}

/// <summary>p = a ? b, q = not p.</summary>
internal sealed unsafe class Compare<T, TFunction>(int p, int q, int a, int b) : Operation
    where T : unmanaged where TFunction : struct, IComparison<T>
{
    public override void Run(Warp warp, uint mask)
    {
        T* x = warp.At<T>(a), z = warp.At<T>(b);
        uint result = 0;
        for (int i = 0; i < Warp.Lanes; i++) result |= TFunction.Apply(x[i], z[i]) ? 1u << i : 0;
        warp.SetPredicate(p, mask, result);
        if (q >= 0) warp.SetPredicate(q, mask, ~result);
    }
}

/// <summary>d = p ? a : b.</summary>
internal sealed unsafe class Select<T>(int d, int a, int b, int p) : Operation where T : unmanaged
{
    public override void Run(Warp warp, uint mask)
    {
        T* x = warp.At<T>(a), z = warp.At<T>(b), y = warp.At<T>(d);
        uint chosen = warp.Predicates[p];
        for (uint left = mask; left != 0; left &= left - 1)
        {
            int i = BitOperations.TrailingZeroCount(left);
            y[i] = (chosen >> i & 1) != 0 ? x[i] : z[i];
        }
    }
}

/// <summary>p = f(a, b) on predicates, all lanes in the bits of a word.</summary>
internal sealed class PredicateLogic(int p, int a, int b, Func<uint, uint, uint> function) : Operation
{
    public override void Run(Warp warp, uint mask) =>
        warp.SetPredicate(p, mask, function(warp.Predicates[a], warp.Predicates[b]));
}

/// <summary>d = f(a, b, c) on the bits of registers of any widths: what occurs too rarely to be fast.</summary>
internal sealed class BitFunction(PtxRegister d, PtxRegister a, PtxRegister b, PtxRegister c,
    Func<ulong, ulong, ulong, ulong> function) : Operation
{
    public override void Run(Warp warp, uint mask)
    {
        for (uint left = mask; left != 0; left &= left - 1)
        {
            int i = BitOperations.TrailingZeroCount(left);
            warp.Write(d, i, function(warp.Read(a, i), warp.Read(b, i), warp.Read(c, i)));
        }
    }
}

/// <summary>What acts on a warp as a whole, in code of its own.</summary>
internal sealed class WarpFunction(Action<Warp, uint> run, bool converges = false) : Operation
{
    public override Flow Flow => converges ? Flow.Converge : Flow.Next;

    public override void Run(Warp warp, uint mask) => run(warp, mask);
}
