using System.Runtime.CompilerServices;

namespace GlowGpu.Kernels.Host;

/// <summary>Where small square matrices of vectors lie: matrix, row and column so many floats apart.</summary>
internal readonly unsafe struct Grid(float* at, nint next, nint row, nint column)
{
    public readonly float* At = at;
    public readonly nint Next = next, Row = row, Column = column;

    /// <summary>The same value for every element.</summary>
    public static Grid Of(float* one) => new(one, 0, 0, 0);
}

/// <summary>
/// A linear map of up to six values to up to six; it ignores what it has too many of and leaves the others 0.
/// </summary>
internal interface IMap
{
    /// <summary>Values it takes: 2, 3, 4 or 6.</summary>
    static abstract int From { get; }

    /// <summary>Values it makes: 2, 3, 4 or 6.</summary>
    static abstract int To { get; }

    static abstract void Of<V>(V x0, V x1, V x2, V x3, V x4, V x5, out V y0, out V y1, out V y2, out V y3, out V y4,
        out V y5)
        where V : struct, ILanes<V>;
}

/// <summary>What becomes of a value, and how it is stored.</summary>
internal unsafe interface IEnd
{
    static abstract void Store<V>(V x, float* operand, float* target) where V : struct, ILanes<V>;
}

/// <summary>x.</summary>
internal readonly struct Plain : IEnd
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Store<V>(V x, float* operand, float* target) where V : struct,
        ILanes<V> => x.Store(target);
}

/// <summary>x, past the caches.</summary>
internal readonly struct Streaming : IEnd
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Store<V>(V x, float* operand, float* target) where V : struct,
        ILanes<V> => x.StoreStreaming(target);
}

/// <summary>max(x + operand, 0).</summary>
internal readonly struct BiasRelu : IEnd
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Store<V>(V x, float* operand, float* target) where V : struct,
        ILanes<V> => V.Max(default, x + V.Load(operand)).Store(target);
}

/// <summary>x where the operand is above zero, elsewhere 0.</summary>
internal readonly struct Mask : IEnd
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Store<V>(V x, float* operand, float* target) where V : struct, ILanes<V> =>
        V.Where(V.Less(default, V.Load(operand)), x, default).Store(target);
}

/// <summary>
/// Applies a map to both dimensions of matrices of vectors: to[i] = end(M·from[i]·Mᵀ) for so many matrices, each
/// element so many lanes. Whole vectors are read and written.
/// </summary>
/// <remarks>Calls are nested no deeper than the compiler inlines whatever the size.</remarks>
internal static unsafe class Kronecker
{
    private const int Most = 6;

    /// <summary>
    /// With maps of and to at most four values, so that all stay in registers between the two passes.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ApplyInRegisters<V, TMap, TEnd>(int count, int lanes, in Grid from, in Grid to, in Grid operand)
        where V : struct, ILanes<V>
        where TMap : struct, IMap
        where TEnd : struct, IEnd
    {
        nint row = from.Row, column = from.Column, toRow = to.Row, toColumn = to.Column, atRow = operand.Row,
            atColumn = operand.Column;
        int step = V.Count;
        for (int i = 0; i < count; i++)
        {
            float* x = from.At + i * from.Next, y = to.At + i * to.Next, at = operand.At + i * operand.Next;
            for (int lane = 0; lane < lanes; lane += step, x += step, y += step, at += step)
            {
                V c0 = default, c1 = default, c2 = default, c3 = default, d0 = default, d1 = default, d2 = default,
                    d3 = default;
                Line<V, TMap>(x, column, out V a0, out V a1, out V a2, out V a3);
                Line<V, TMap>(x + row, column, out V b0, out V b1, out V b2, out V b3);
                if (TMap.From > 2) Line<V, TMap>(x + 2 * row, column, out c0, out c1, out c2, out c3);
                if (TMap.From > 3) Line<V, TMap>(x + 3 * row, column, out d0, out d1, out d2, out d3);
                Map<V, TMap, TEnd>(a0, b0, c0, d0, default, default, y, toRow, at, atRow);
                Map<V, TMap, TEnd>(a1, b1, c1, d1, default, default, y + toColumn, toRow, at + atColumn, atRow);
                if (TMap.To > 2) Map<V, TMap, TEnd>(a2, b2, c2, d2, default, default, y + 2 * toColumn, toRow,
                    at + 2 * atColumn, atRow);
                if (TMap.To > 3) Map<V, TMap, TEnd>(a3, b3, c3, d3, default, default, y + 3 * toColumn, toRow,
                    at + 3 * atColumn, atRow);
            }
        }
    }

    /// <summary>With any maps; what lies between the two passes is in the first cache.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    [SkipLocalsInit]
    public static void Apply<V, TMap, TEnd>(int count, int lanes, in Grid from, in Grid to, in Grid operand)
        where V : struct, ILanes<V>
        where TMap : struct, IMap
        where TEnd : struct, IEnd
    {
        // A vector that crosses two cache lines would cost two accesses.
        const int Line = Panels.Width * sizeof(float);
        byte* memory = stackalloc byte[(Most * Most + 1) * Line];
        float* between = (float*)(((nint)memory + Line - 1) & -Line);
        nint row = from.Row, column = from.Column, toRow = to.Row, toColumn = to.Column, atRow = operand.Row,
            atColumn = operand.Column;
        int step = V.Count, rows = TMap.From, columns = TMap.To;
        nint line = columns * step;
        for (int i = 0; i < count; i++)
        {
            float* x = from.At + i * from.Next, y = to.At + i * to.Next, at = operand.At + i * operand.Next;
            for (int lane = 0; lane < lanes; lane += step, x += step, y += step, at += step)
            {
                float* source = x, target = between;
                for (int r = 0; r < rows; r++, source += row, target += line)
                {
                    Load<V, TMap>(source, column, out V x0, out V x1, out V x2, out V x3, out V x4, out V x5);
                    Map<V, TMap, Plain>(x0, x1, x2, x3, x4, x5, target, step, null, 0);
                }
                source = between;
                target = y;
                float* gate = at;
                for (int c = 0; c < columns; c++, source += step, target += toColumn, gate += atColumn)
                {
                    Load<V, TMap>(source, line, out V x0, out V x1, out V x2, out V x3, out V x4, out V x5);
                    Map<V, TMap, TEnd>(x0, x1, x2, x3, x4, x5, target, toRow, gate, atRow);
                }
            }
        }
    }

    /// <summary>
    /// With a map of three values to six or the other way round: in one pass over all matrices for every two columns
    /// of the results, so that what lies between the two maps stays in registers. To store it and load it again takes
    /// longer here than to read the matrices two or three times; between four values and six it does not.
    /// </summary>
    public static void ApplyByColumns<V, TMap, TEnd>(int count, int lanes, in Grid from, in Grid to, in Grid operand)
        where V : struct, ILanes<V>
        where TMap : struct, IMap
        where TEnd : struct, IEnd
    {
        if (TMap.To == 3)
        {
            ApplyTwoColumns<V, TMap, TEnd, ZeroAndTwo>(count, lanes, from, to, operand);
            ApplyTwoColumns<V, TMap, TEnd, One>(count, lanes, from, to, operand);
            return;
        }
        ApplyTwoColumns<V, TMap, TEnd, ZeroAndFive>(count, lanes, from, to, operand);
        ApplyTwoColumns<V, TMap, TEnd, OneAndTwo>(count, lanes, from, to, operand);
        ApplyTwoColumns<V, TMap, TEnd, ThreeAndFour>(count, lanes, from, to, operand);
    }

    /// <summary>Two columns of a result, or one.</summary>
    private interface IPair
    {
        static abstract int First { get; }

        static abstract int Second { get; }
    }

    private readonly struct ZeroAndFive : IPair
    {
        public static int First => 0;

        public static int Second => 5;
    }

    private readonly struct OneAndTwo : IPair
    {
        public static int First => 1;

        public static int Second => 2;
    }

    private readonly struct ThreeAndFour : IPair
    {
        public static int First => 3;

        public static int Second => 4;
    }

    private readonly struct ZeroAndTwo : IPair
    {
        public static int First => 0;

        public static int Second => 2;
    }

    private readonly struct One : IPair
    {
        public static int First => 1;

        public static int Second => 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ApplyTwoColumns<V, TMap, TEnd, TPair>(int count, int lanes, in Grid from,
        in Grid to, in Grid operand)
        where V : struct, ILanes<V>
        where TMap : struct, IMap
        where TEnd : struct, IEnd
        where TPair : struct, IPair
    {
        nint row = from.Row, column = from.Column, toRow = to.Row, atRow = operand.Row;
        nint first = TPair.First * to.Column, second = TPair.Second * to.Column,
            atFirst = TPair.First * operand.Column, atSecond = TPair.Second * operand.Column;
        int step = V.Count;
        for (int i = 0; i < count; i++)
        {
            float* x = from.At + i * from.Next, y = to.At + i * to.Next, at = operand.At + i * operand.Next;
            for (int lane = 0; lane < lanes; lane += step, x += step, y += step, at += step)
            {
                V d0 = default, d1 = default, e0 = default, e1 = default, f0 = default, f1 = default;
                TwoColumns<V, TMap, TPair>(x, column, out V a0, out V a1);
                TwoColumns<V, TMap, TPair>(x + row, column, out V b0, out V b1);
                TwoColumns<V, TMap, TPair>(x + 2 * row, column, out V c0, out V c1);
                if (TMap.From > 3)
                {
                    TwoColumns<V, TMap, TPair>(x + 3 * row, column, out d0, out d1);
                    TwoColumns<V, TMap, TPair>(x + 4 * row, column, out e0, out e1);
                    TwoColumns<V, TMap, TPair>(x + 5 * row, column, out f0, out f1);
                }
                Map<V, TMap, TEnd>(a0, b0, c0, d0, e0, f0, y + first, toRow, at + atFirst, atRow);
                if (TPair.Second > TPair.First) Map<V, TMap, TEnd>(a1, b1, c1, d1, e1, f1, y + second, toRow,
                    at + atSecond, atRow);
            }
        }
    }

    /// <summary>Two of the values that a map makes of a line.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void TwoColumns<V, TMap, TPair>(float* x, nint column, out V first, out V second)
        where V : struct, ILanes<V>
        where TMap : struct, IMap
        where TPair : struct, IPair
    {
        Load<V, TMap>(x, column, out V x0, out V x1, out V x2, out V x3, out V x4, out V x5);
        TMap.Of(x0, x1, x2, x3, x4, x5, out V y0, out V y1, out V y2, out V y3, out V y4, out V y5);
        first = TPair.First == 0 ? y0 : TPair.First == 1 ? y1 : y3;
        second = TPair.Second == 5 ? y5 : TPair.Second == 4 ? y4 : y2;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Line<V, TMap>(float* x, nint column, out V y0, out V y1, out V y2, out V y3)
        where V : struct, ILanes<V>
        where TMap : struct, IMap
    {
        Load<V, TMap>(x, column, out V x0, out V x1, out V x2, out V x3, out V x4, out V x5);
        TMap.Of(x0, x1, x2, x3, x4, x5, out y0, out y1, out y2, out y3, out _, out _);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Load<V, TMap>(float* x, nint step, out V x0, out V x1, out V x2, out V x3, out V x4, out V x5)
        where V : struct, ILanes<V>
        where TMap : struct, IMap
    {
        x0 = V.Load(x);
        x1 = V.Load(x + step);
        x2 = x3 = x4 = x5 = default;
        if (TMap.From > 2) x2 = V.Load(x + 2 * step);
        if (TMap.From > 3) x3 = V.Load(x + 3 * step);
        if (TMap.From <= 4) return;
        x4 = V.Load(x + 4 * step);
        x5 = V.Load(x + 5 * step);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Map<V, TMap, TEnd>(V x0, V x1, V x2, V x3, V x4, V x5, float* y, nint step,
        float* at, nint atStep)
        where V : struct, ILanes<V>
        where TMap : struct, IMap
        where TEnd : struct, IEnd
    {
        TMap.Of(x0, x1, x2, x3, x4, x5, out V y0, out V y1, out V y2, out V y3, out V y4, out V y5);
        TEnd.Store(y0, at, y);
        TEnd.Store(y1, at + atStep, y + step);
        if (TMap.To > 2) TEnd.Store(y2, at + 2 * atStep, y + 2 * step);
        if (TMap.To > 3) TEnd.Store(y3, at + 3 * atStep, y + 3 * step);
        if (TMap.To <= 4) return;
        TEnd.Store(y4, at + 4 * atStep, y + 4 * step);
        TEnd.Store(y5, at + 5 * atStep, y + 5 * step);
    }
}
