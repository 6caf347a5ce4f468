using System.Runtime.CompilerServices;

namespace GlowGpu.Kernels.Host;

/// <summary>
/// The transformations of blocks of 4×4 pixels, F(4×4, 3×3): 36 products for 16 pixels, 2.25 in place of 9 for each.
/// In one dimension, with the points 0, ±b, ±a and ∞,
/// <code>
///   E(x) = [x0, (x0 + b²x2) ± b(x1 + b²x3), (x0 + a²x2) ± a(x1 + a²x3), x3]
///   G(w) = [w0/(a²b²), (w0 + b²w2 ± b·w1)/(2b²(b² − a²)), (w0 + a²w2 ± a·w1)/(2a²(a² − b²)), w2]
/// S(y) = [y4 − (a² + b²)y2 + a²b²y0, (y4 − a²y2) ± b(y3 − a²y1), (y4 − b²y2) ± a(y3 − b²y1), y5 − (a² + b²)y3 +
/// a²b²y1]
/// </code>
/// </summary>
/// <remarks>
/// b = 3/4 and a = 3/2 have exact products, and are so placed around 1 that no power of them is large or small: sums
/// of 128 channels come out with 3 times the rounding error of blocks of 2×2, half as much as with the usual 1 and 2.
/// </remarks>
internal readonly unsafe struct Filter4 : IFilter
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
    private const float B = 0.75f, A = 1.5f, B2 = B * B, A2 = A * A, Sum2 = A2 + B2, Product2 = A2 * B2;
    private const float Factor0 = (float)(1 / (double)Product2);
    private const float FactorB = (float)(1 / (2.0 * B2 * (B2 - A2))), FactorA = (float)(1 / (2.0 * A2 * (A2 - B2)));

    public static int Side => 4;

    public static void Expand<V>(int count, in Grid from, in Grid to) where V : struct, ILanes<V> =>
        Kronecker.Apply<V, E, Plain>(count, Panels.Width, from, to, default);

    public static void Contract<V, TEnd>(int count, in Grid from, in Grid to, in Grid operand) where V : struct,
        ILanes<V> where TEnd : struct, IEnd =>
        Kronecker.Apply<V, Et, TEnd>(count, Panels.Width, from, to, operand);

    public static void Transform<V, TEnd>(int count, in Grid from, in Grid to) where V : struct,
        ILanes<V> where TEnd : struct, IEnd =>
        Kronecker.ApplyByColumns<V, G, TEnd>(count, Panels.Width, from, to, default);

    public static void Fold<V>(int count, in Grid from, in Grid to) where V : struct, ILanes<V> =>
        Kronecker.ApplyByColumns<V, Gt, Plain>(count, Panels.Width, from, to, default);

    public static void Shift<V>(int count, int lanes, in Grid from, in Grid to) where V : struct, ILanes<V> =>
        Kronecker.Apply<V, S, Plain>(count, lanes, from, to, default);

    public static void Overlap<V>(int count, int lanes, in Grid from, in Grid to) where V : struct, ILanes<V> =>
        Kronecker.Apply<V, St, Plain>(count, lanes, from, to, default);

    private readonly struct E : IMap
    {
        public static int From => 4;

        public static int To => 6;

        [MethodImpl(Inline)]
        public static void Of<V>(V x0, V x1, V x2, V x3, V x4, V x5, out V y0, out V y1, out V y2, out V y3,
            out V y4, out V y5)
            where V : struct, ILanes<V>
        {
            V even = V.MultiplyAdd(x2, V.All(B2), x0), odd = V.MultiplyAdd(x3, V.All(B2), x1);
            V even2 = V.MultiplyAdd(x2, V.All(A2), x0), odd2 = V.MultiplyAdd(x3, V.All(A2), x1);
            y0 = x0;
            y1 = V.MultiplyAdd(odd, V.All(B), even);
            y2 = V.MultiplyAdd(odd, V.All(-B), even);
            y3 = V.MultiplyAdd(odd2, V.All(A), even2);
            y4 = V.MultiplyAdd(odd2, V.All(-A), even2);
            y5 = x3;
        }
    }

    private readonly struct Et : IMap
    {
        public static int From => 6;

        public static int To => 4;

        [MethodImpl(Inline)]
        public static void Of<V>(V x0, V x1, V x2, V x3, V x4, V x5, out V y0, out V y1, out V y2, out V y3,
            out V y4, out V y5)
            where V : struct, ILanes<V>
        {
            V sum = x1 + x2, difference = x1 - x2, sum2 = x3 + x4, difference2 = x3 - x4;
            y0 = x0 + sum + sum2;
            y1 = V.MultiplyAdd(difference, V.All(B), difference2 * V.All(A));
            y2 = V.MultiplyAdd(sum, V.All(B2), sum2 * V.All(A2));
            y3 = V.MultiplyAdd(difference, V.All(B * B2), V.MultiplyAdd(difference2, V.All(A * A2), x5));
            y4 = y5 = default;
        }
    }

    private readonly struct G : IMap
    {
        public static int From => 3;

        public static int To => 6;

        [MethodImpl(Inline)]
        public static void Of<V>(V x0, V x1, V x2, V x3, V x4, V x5, out V y0, out V y1, out V y2, out V y3,
            out V y4, out V y5)
            where V : struct, ILanes<V>
        {
            V ends = V.MultiplyAdd(x2, V.All(B2), x0) * V.All(FactorB),
                ends2 = V.MultiplyAdd(x2, V.All(A2), x0) * V.All(FactorA);
            y0 = x0 * V.All(Factor0);
            y1 = V.MultiplyAdd(x1, V.All(B * FactorB), ends);
            y2 = V.MultiplyAdd(x1, V.All(-B * FactorB), ends);
            y3 = V.MultiplyAdd(x1, V.All(A * FactorA), ends2);
            y4 = V.MultiplyAdd(x1, V.All(-A * FactorA), ends2);
            y5 = x2;
        }
    }

    private readonly struct Gt : IMap
    {
        public static int From => 6;

        public static int To => 3;

        [MethodImpl(Inline)]
        public static void Of<V>(V x0, V x1, V x2, V x3, V x4, V x5, out V y0, out V y1, out V y2, out V y3,
            out V y4, out V y5)
            where V : struct, ILanes<V>
        {
            V sum = (x1 + x2) * V.All(FactorB), sum2 = (x3 + x4) * V.All(FactorA);
            y0 = V.MultiplyAdd(x0, V.All(Factor0), sum + sum2);
            y1 = V.MultiplyAdd(x1 - x2, V.All(B * FactorB), (x3 - x4) * V.All(A * FactorA));
            y2 = V.MultiplyAdd(sum, V.All(B2), V.MultiplyAdd(sum2, V.All(A2), x5));
            y3 = y4 = y5 = default;
        }
    }

    private readonly struct S : IMap
    {
        public static int From => 6;

        public static int To => 6;

        [MethodImpl(Inline)]
        public static void Of<V>(V x0, V x1, V x2, V x3, V x4, V x5, out V y0, out V y1, out V y2, out V y3,
            out V y4, out V y5)
            where V : struct, ILanes<V>
        {
            V even = V.MultiplyAdd(x2, V.All(-A2), x4), odd = V.MultiplyAdd(x1, V.All(-A2), x3);
            V even2 = V.MultiplyAdd(x2, V.All(-B2), x4), odd2 = V.MultiplyAdd(x1, V.All(-B2), x3);
            y0 = V.MultiplyAdd(x0, V.All(Product2), V.MultiplyAdd(x2, V.All(-Sum2), x4));
            y1 = V.MultiplyAdd(odd, V.All(B), even);
            y2 = V.MultiplyAdd(odd, V.All(-B), even);
            y3 = V.MultiplyAdd(odd2, V.All(A), even2);
            y4 = V.MultiplyAdd(odd2, V.All(-A), even2);
            y5 = V.MultiplyAdd(x1, V.All(Product2), V.MultiplyAdd(x3, V.All(-Sum2), x5));
        }
    }

    private readonly struct St : IMap
    {
        public static int From => 6;

        public static int To => 6;

        [MethodImpl(Inline)]
        public static void Of<V>(V x0, V x1, V x2, V x3, V x4, V x5, out V y0, out V y1, out V y2, out V y3,
            out V y4, out V y5)
            where V : struct, ILanes<V>
        {
            V sum = x1 + x2, sum2 = x3 + x4, difference = (x1 - x2) * V.All(B), difference2 = (x3 - x4) * V.All(A);
            y0 = x0 * V.All(Product2);
            y1 = V.MultiplyAdd(difference, V.All(-A2), V.MultiplyAdd(difference2, V.All(-B2), x5 * V.All(Product2)));
            y2 = V.MultiplyAdd(sum, V.All(-A2), V.MultiplyAdd(sum2, V.All(-B2), x0 * V.All(-Sum2)));
            y3 = V.MultiplyAdd(x5, V.All(-Sum2), difference + difference2);
            y4 = x0 + sum + sum2;
            y5 = x5;
        }
    }
}
