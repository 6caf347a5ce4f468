using System.Runtime.CompilerServices;
using ILGPU.Runtime;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// Up to four floats in registers, of which a kernel of a smaller <see cref="IWidth.Size"/> uses the first ones.
/// </summary>
internal struct Lanes
{
    public float A, B, C, D;
}

/// <summary>
/// What a streaming kernel does to one element of each of its operands; those it does not need are left alone.
/// </summary>
internal interface ILaneOp
{
    void Apply(ref float a, ref float b, ref float c, ref float d);
}

/// <summary>
/// How many neighbouring floats a thread of a streaming kernel moves at once. The kernel's body is written once, over
/// this type parameter; <see cref="Vectors"/> chooses it for a launch. Every element's arithmetic is the same at each
/// width.
/// </summary>
internal interface IWidth
{
    /// <summary>Number of floats.</summary>
    static abstract int Size { get; }

    /// <summary>Reads from element <paramref name="index"/> on, a multiple of the size.</summary>
    static abstract Lanes Load(Matrix source, int index);

    /// <summary>Writes from element <paramref name="index"/> on.</summary>
    static abstract void Store(Matrix target, int index, Lanes value);

    /// <summary>Reads pairs (even, odd), two times the size from element <paramref name="index"/> on.</summary>
    static abstract void LoadPairs(Matrix source, int index, out Lanes even, out Lanes odd);

    /// <summary>Writes pairs.</summary>
    static abstract void StorePairs(Matrix target, int index, Lanes even, Lanes odd);

    /// <summary>Applies an operation lane by lane, in order.</summary>
    static abstract void Each<TOp>(ref TOp op, ref Lanes a, ref Lanes b, ref Lanes c, ref Lanes d) where TOp : struct,
        ILaneOp;
}

/// <summary>One float: views that begin anywhere.</summary>
internal struct Width1 : IWidth
{
    public static int Size => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes Load(Matrix source, int index) => new() { A = source.Data[index] };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Matrix target, int index, Lanes value) => target.Data[index] = value.A;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPairs(Matrix source, int index, out Lanes even, out Lanes odd)
    {
        even = new() { A = source.Data[index] };
        odd = new() { A = source.Data[index + 1] };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StorePairs(Matrix target, int index, Lanes even, Lanes odd)
    {
        target.Data[index] = even.A;
        target.Data[index + 1] = odd.A;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Each<TOp>(ref TOp op, ref Lanes a, ref Lanes b, ref Lanes c, ref Lanes d) where TOp : struct,
        ILaneOp =>
        op.Apply(ref a.A, ref b.A, ref c.A, ref d.A);
}

/// <summary>Two floats: 64-bit accesses, and 128-bit ones of pairs.</summary>
internal struct Width2 : IWidth
{
    private struct Half
    {
        public float A, B;
    }

    public static int Size => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes Load(Matrix source, int index)
    {
        Half half = source.Data.Cast<Half>().AsAligned(8)[index >> 1];
        return new() { A = half.A, B = half.B };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Matrix target, int index, Lanes value) =>
        target.Data.Cast<Half>().AsAligned(8)[index >> 1] = new() { A = value.A, B = value.B };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPairs(Matrix source, int index, out Lanes even, out Lanes odd)
    {
        Lanes both = Width4.Load(source, index);
        even = new() { A = both.A, B = both.C };
        odd = new() { A = both.B, B = both.D };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StorePairs(Matrix target, int index, Lanes even, Lanes odd) =>
        Width4.Store(target, index, new() { A = even.A, B = odd.A, C = even.B, D = odd.B });

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Each<TOp>(ref TOp op, ref Lanes a, ref Lanes b, ref Lanes c, ref Lanes d) where TOp : struct,
        ILaneOp
    {
        op.Apply(ref a.A, ref b.A, ref c.A, ref d.A);
        op.Apply(ref a.B, ref b.B, ref c.B, ref d.B);
    }
}

/// <summary>Four floats: 128-bit accesses.</summary>
internal struct Width4 : IWidth
{
    public static int Size => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes Load(Matrix source, int index) => source.Data.Cast<Lanes>().AsAligned(16)[index >> 2];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Matrix target, int index, Lanes value) =>
        target.Data.Cast<Lanes>().AsAligned(16)[index >> 2] = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPairs(Matrix source, int index, out Lanes even, out Lanes odd)
    {
        Lanes first = Load(source, index), second = Load(source, index + 4);
        even = new() { A = first.A, B = first.C, C = second.A, D = second.C };
        odd = new() { A = first.B, B = first.D, C = second.B, D = second.D };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StorePairs(Matrix target, int index, Lanes even, Lanes odd)
    {
        Store(target, index, new() { A = even.A, B = odd.A, C = even.B, D = odd.B });
        Store(target, index + 4, new() { A = even.C, B = odd.C, C = even.D, D = odd.D });
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Each<TOp>(ref TOp op, ref Lanes a, ref Lanes b, ref Lanes c, ref Lanes d) where TOp : struct,
        ILaneOp
    {
        op.Apply(ref a.A, ref b.A, ref c.A, ref d.A);
        op.Apply(ref a.B, ref b.B, ref c.B, ref d.B);
        op.Apply(ref a.C, ref b.C, ref c.C, ref d.C);
        op.Apply(ref a.D, ref b.D, ref c.D, ref d.D);
    }
}
