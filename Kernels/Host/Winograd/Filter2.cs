using System.Runtime.CompilerServices;

namespace GlowGpu.Kernels.Host;

/// <summary>
/// The transformations of blocks of 2×2 pixels, F(2×2, 3×3): 16 products for four pixels, 4 in place of 9 for each.
/// In one dimension
/// <code>
///   E(x) = [x0, x0 + x1, x0 − x1, x1]
///   G(w) = [w0, (w0 + w1 + w2)/2, (w0 − w1 + w2)/2, w2]
///   S(y) = [y0 − y2, y1 + y2, y2 − y1, y3 − y1]
/// </code>
/// </summary>
internal readonly unsafe struct Filter2 : IFilter
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Side => 2;

    public static void Expand<V>(int count, in Grid from, in Grid to) where V : struct, ILanes<V> =>
        Kronecker.ApplyInRegisters<V, E, Plain>(count, Panels.Width, from, to, default);

    public static void Contract<V, TEnd>(int count, in Grid from, in Grid to, in Grid operand) where V : struct,
        ILanes<V> where TEnd : struct, IEnd =>
        Kronecker.ApplyInRegisters<V, Et, TEnd>(count, Panels.Width, from, to, operand);

    public static void Transform<V, TEnd>(int count, in Grid from, in Grid to) where V : struct,
        ILanes<V> where TEnd : struct, IEnd =>
        Kronecker.ApplyInRegisters<V, G, TEnd>(count, Panels.Width, from, to, default);

    public static void Fold<V>(int count, in Grid from, in Grid to) where V : struct, ILanes<V> =>
        Kronecker.ApplyInRegisters<V, Gt, Plain>(count, Panels.Width, from, to, default);

    public static void Shift<V>(int count, int lanes, in Grid from, in Grid to) where V : struct, ILanes<V> =>
        Kronecker.ApplyInRegisters<V, S, Plain>(count, lanes, from, to, default);

    public static void Overlap<V>(int count, int lanes, in Grid from, in Grid to) where V : struct, ILanes<V> =>
        Kronecker.ApplyInRegisters<V, St, Plain>(count, lanes, from, to, default);

    private readonly struct E : IMap
    {
        public static int From => 2;

        public static int To => 4;

        [MethodImpl(Inline)]
        public static void Of<V>(V x0, V x1, V x2, V x3, V x4, V x5, out V y0, out V y1, out V y2, out V y3,
            out V y4, out V y5)
            where V : struct, ILanes<V>
        {
            y0 = x0;
            y1 = x0 + x1;
            y2 = x0 - x1;
            y3 = x1;
            y4 = y5 = default;
        }
    }

    private readonly struct Et : IMap
    {
        public static int From => 4;

        public static int To => 2;

        [MethodImpl(Inline)]
        public static void Of<V>(V x0, V x1, V x2, V x3, V x4, V x5, out V y0, out V y1, out V y2, out V y3,
            out V y4, out V y5)
            where V : struct, ILanes<V>
        {
            y0 = x0 + x1 + x2;
            y1 = x1 - x2 + x3;
            y2 = y3 = y4 = y5 = default;
        }
    }

    private readonly struct G : IMap
    {
        public static int From => 3;

        public static int To => 4;

        [MethodImpl(Inline)]
        public static void Of<V>(V x0, V x1, V x2, V x3, V x4, V x5, out V y0, out V y1, out V y2, out V y3,
            out V y4, out V y5)
            where V : struct, ILanes<V>
        {
            V ends = x0 + x2;
            y0 = x0;
            y1 = (ends + x1) * V.All(0.5f);
            y2 = (ends - x1) * V.All(0.5f);
            y3 = x2;
            y4 = y5 = default;
        }
    }

    private readonly struct Gt : IMap
    {
        public static int From => 4;

        public static int To => 3;

        [MethodImpl(Inline)]
        public static void Of<V>(V x0, V x1, V x2, V x3, V x4, V x5, out V y0, out V y1, out V y2, out V y3,
            out V y4, out V y5)
            where V : struct, ILanes<V>
        {
            V sum = (x1 + x2) * V.All(0.5f);
            y0 = x0 + sum;
            y1 = (x1 - x2) * V.All(0.5f);
            y2 = sum + x3;
            y3 = y4 = y5 = default;
        }
    }

    private readonly struct S : IMap
    {
        public static int From => 4;

        public static int To => 4;

        [MethodImpl(Inline)]
        public static void Of<V>(V x0, V x1, V x2, V x3, V x4, V x5, out V y0, out V y1, out V y2, out V y3,
            out V y4, out V y5)
            where V : struct, ILanes<V>
        {
            y0 = x0 - x2;
            y1 = x1 + x2;
            y2 = x2 - x1;
            y3 = x3 - x1;
            y4 = y5 = default;
        }
    }

    private readonly struct St : IMap
    {
        public static int From => 4;

        public static int To => 4;

        [MethodImpl(Inline)]
        public static void Of<V>(V x0, V x1, V x2, V x3, V x4, V x5, out V y0, out V y1, out V y2, out V y3,
            out V y4, out V y5)
            where V : struct, ILanes<V>
        {
            y0 = x0;
            y1 = x1 - x2 - x3;
            y2 = x1 + x2 - x0;
            y3 = x3;
            y4 = y5 = default;
        }
    }
}
