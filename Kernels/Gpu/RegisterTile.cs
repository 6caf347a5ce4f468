using System.Runtime.CompilerServices;
using ILGPU;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// A few floats that one thread of <see cref="GemmKernel"/> holds in registers, all <c>step</c> apart in memory. ILGPU
/// neither unrolls loops nor keeps arrays in registers, so rows and tiles are structs of named floats and their loops
/// are written out. Neighbouring threads touch neighbouring elements, which shared memory serves without bank
/// conflicts, global memory in whole segments, and a CPU's OpenCL compiler in vector registers.
/// </summary>
internal interface IRegisterRow<TRow> where TRow : struct, IRegisterRow<TRow>
{
    /// <summary>Number of floats.</summary>
    static abstract int Size { get; }

    /// <summary>
    /// Elements outer, outer + step, … of the factor's outer dimension at inner index <paramref name="k"/>. Beyond
    /// <paramref name="last"/> the last element repeats: a load without a branch, whose product is never stored.
    /// </summary>
    static abstract TRow Fetch(Matrix factor, bool transposed, int outer, int last, int k, int step);

    /// <summary>The row, or zeros.</summary>
    static abstract TRow Keep(TRow row, bool condition);

    /// <summary>Reads from shared memory.</summary>
    static abstract TRow Load(ArrayView<float> source, int index, int step);

    /// <summary>Writes to shared memory.</summary>
    static abstract void Store(TRow row, ArrayView<float> target, int index, int step);
}

/// <summary>
/// The square block of C that one thread accumulates: row i of it is row <c>i·step</c> of C from the thread's first
/// one, and columns likewise.
/// </summary>
internal interface IRegisterTile<TTile, TRow>
    where TTile : struct, IRegisterTile<TTile, TRow>
    where TRow : struct, IRegisterRow<TRow>
{
    /// <summary>Adds the outer product of a column of A and a row of B.</summary>
    static abstract void MultiplyAdd(ref TTile sum, TRow a, TRow b);

    /// <summary>Hands every element that lies inside C to the epilogue.</summary>
    static abstract void Store<TEpilogue>(TTile sum, GemmArguments arguments, int row, int col, int step)
        where TEpilogue : struct, IGemmEpilogue;
}

/// <summary>Four floats.</summary>
internal struct Row4 : IRegisterRow<Row4>
{
    public float C0, C1, C2, C3;

    public static int Size => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Row4 Fetch(Matrix factor, bool transposed, int outer, int last, int k, int step) => new()
    {
        C0 = FetchOne(factor, transposed, IntrinsicMath.Min(outer, last), k),
        C1 = FetchOne(factor, transposed, IntrinsicMath.Min(outer + step, last), k),
        C2 = FetchOne(factor, transposed, IntrinsicMath.Min(outer + 2 * step, last), k),
        C3 = FetchOne(factor, transposed, IntrinsicMath.Min(outer + 3 * step, last), k),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Row4 Keep(Row4 row, bool condition) => new()
    {
        C0 = condition ? row.C0 : 0f,
        C1 = condition ? row.C1 : 0f,
        C2 = condition ? row.C2 : 0f,
        C3 = condition ? row.C3 : 0f,
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Row4 Load(ArrayView<float> source, int index, int step)
    {
        // Constant offsets from one base fold into the load instructions.
        ArrayView<float> from = source.SubView(index);
        return new Row4 { C0 = from[0], C1 = from[step], C2 = from[2 * step], C3 = from[3 * step] };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Row4 row, ArrayView<float> target, int index, int step)
    {
        ArrayView<float> to = target.SubView(index);
        to[0] = row.C0;
        to[step] = row.C1;
        to[2 * step] = row.C2;
        to[3 * step] = row.C3;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void MultiplyAdd(float a, Row4 b)
    {
        C0 += a * b.C0;
        C1 += a * b.C1;
        C2 += a * b.C2;
        C3 += a * b.C3;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Store<TEpilogue>(GemmArguments arguments, int row, int col, int step)
        where TEpilogue : struct, IGemmEpilogue
    {
        if (row >= arguments.M) return;
        if (col < arguments.N) TEpilogue.Store(arguments, row, col, C0);
        if (col + step < arguments.N) TEpilogue.Store(arguments, row, col + step, C1);
        if (col + 2 * step < arguments.N) TEpilogue.Store(arguments, row, col + 2 * step, C2);
        if (col + 3 * step < arguments.N) TEpilogue.Store(arguments, row, col + 3 * step, C3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float FetchOne(Matrix factor, bool transposed, int outer, int k) =>
        transposed ? factor[k, outer] : factor[outer, k];
}

/// <summary>4 × 4: small matrices and small groups.</summary>
internal struct Tile4 : IRegisterTile<Tile4, Row4>
{
    private Row4 r0, r1, r2, r3;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void MultiplyAdd(ref Tile4 sum, Row4 a, Row4 b)
    {
        sum.r0.MultiplyAdd(a.C0, b);
        sum.r1.MultiplyAdd(a.C1, b);
        sum.r2.MultiplyAdd(a.C2, b);
        sum.r3.MultiplyAdd(a.C3, b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TEpilogue>(Tile4 sum, GemmArguments arguments, int row, int col, int step)
        where TEpilogue : struct, IGemmEpilogue
    {
        sum.r0.Store<TEpilogue>(arguments, row, col, step);
        sum.r1.Store<TEpilogue>(arguments, row + step, col, step);
        sum.r2.Store<TEpilogue>(arguments, row + 2 * step, col, step);
        sum.r3.Store<TEpilogue>(arguments, row + 3 * step, col, step);
    }
}

/// <summary>Eight floats.</summary>
internal struct Row8 : IRegisterRow<Row8>
{
    public Row4 Left, Right;

    public static int Size => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Row8 Fetch(Matrix factor, bool transposed, int outer, int last, int k, int step) => new()
    {
        Left = Row4.Fetch(factor, transposed, outer, last, k, step),
        Right = Row4.Fetch(factor, transposed, outer + 4 * step, last, k, step),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Row8 Keep(Row8 row, bool condition) => new()
    {
        Left = Row4.Keep(row.Left, condition),
        Right = Row4.Keep(row.Right, condition),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Row8 Load(ArrayView<float> source, int index, int step)
    {
        ArrayView<float> from = source.SubView(index);
        return new Row8 { Left = Row4.Load(from, 0, step), Right = Row4.Load(from, 4 * step, step) };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Row8 row, ArrayView<float> target, int index, int step)
    {
        ArrayView<float> to = target.SubView(index);
        Row4.Store(row.Left, to, 0, step);
        Row4.Store(row.Right, to, 4 * step, step);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void MultiplyAdd(float a, Row8 b)
    {
        Left.MultiplyAdd(a, b.Left);
        Right.MultiplyAdd(a, b.Right);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Store<TEpilogue>(GemmArguments arguments, int row, int col, int step)
        where TEpilogue : struct, IGemmEpilogue
    {
        Left.Store<TEpilogue>(arguments, row, col, step);
        Right.Store<TEpilogue>(arguments, row, col + 4 * step, step);
    }
}

/// <summary>8 × 8: as many multiply-adds as shared memory can feed, for products large enough to fill a GPU.</summary>
internal struct Tile8 : IRegisterTile<Tile8, Row8>
{
    private Row8 r0, r1, r2, r3, r4, r5, r6, r7;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void MultiplyAdd(ref Tile8 sum, Row8 a, Row8 b)
    {
        sum.r0.MultiplyAdd(a.Left.C0, b);
        sum.r1.MultiplyAdd(a.Left.C1, b);
        sum.r2.MultiplyAdd(a.Left.C2, b);
        sum.r3.MultiplyAdd(a.Left.C3, b);
        sum.r4.MultiplyAdd(a.Right.C0, b);
        sum.r5.MultiplyAdd(a.Right.C1, b);
        sum.r6.MultiplyAdd(a.Right.C2, b);
        sum.r7.MultiplyAdd(a.Right.C3, b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TEpilogue>(Tile8 sum, GemmArguments arguments, int row, int col, int step)
        where TEpilogue : struct, IGemmEpilogue
    {
        sum.r0.Store<TEpilogue>(arguments, row, col, step);
        sum.r1.Store<TEpilogue>(arguments, row + step, col, step);
        sum.r2.Store<TEpilogue>(arguments, row + 2 * step, col, step);
        sum.r3.Store<TEpilogue>(arguments, row + 3 * step, col, step);
        sum.r4.Store<TEpilogue>(arguments, row + 4 * step, col, step);
        sum.r5.Store<TEpilogue>(arguments, row + 5 * step, col, step);
        sum.r6.Store<TEpilogue>(arguments, row + 6 * step, col, step);
        sum.r7.Store<TEpilogue>(arguments, row + 7 * step, col, step);
    }
}
