using System.Runtime.CompilerServices;

namespace GlowGpu.Kernels.Host;

/// <summary>
/// Elementary functions on vectors of float32, accurate to about 1 ulp (exp, log, log1p) and 2 ulp (the rest) over the
/// whole range, subnormal results included. exp(−∞) = 0, log(0) = −∞, log of a negative is NaN, NaN stays NaN. The
/// polynomials are minimax fits of relative error (Remez) on the reduced range, made for this file.
/// </summary>
internal static class VectorMath
{
    /// <summary>Bit pattern of √½ in float32, where mantissas are split from exponents.</summary>
    public const int RootHalfBits = 0x3F3504F3;

    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    // ln 2 = Ln2High + Ln2Low; the high part has 16 bits, so that its product with an exponent is exact.
    private const float Ln2High = 0.693145752f, Ln2Low = 1.42860677e-6f, Log2E = 1.44269502f;
    private const float SmallestNormal = 1.17549435e-38f;

    /// <summary>e^x: x = n·ln 2 + r with |r| ≤ ½·ln 2, then 1 + r + r²·q(r), scaled by 2^n.</summary>
    [MethodImpl(Inline)]
    public static V Exp<V>(V x) where V : struct, ILanes<V>
    {
        // Beyond these the result is 0 or ∞ in float32, and inside them Scale holds.
        x = V.Max(V.All(-104), V.Min(V.All(89), x));
        V n = V.Round(x * V.All(Log2E));
        V r = V.Fma(n, V.All(-Ln2High), x);
        r = V.Fma(n, V.All(-Ln2Low), r);
        V q = V.Fma(V.All(0.00138145359f), r, V.All(0.00836874545f));
        q = V.Fma(q, r, V.All(0.0416683890f));
        q = V.Fma(q, r, V.All(0.166665211f));
        q = V.Fma(q, r, V.All(0.499999940f));
        return V.Scale(V.All(1) + V.Fma(r * r, q, r), n);
    }

    /// <summary>ln x.</summary>
    [MethodImpl(Inline)]
    public static V Log<V>(V x) where V : struct, ILanes<V>
    {
        V subnormal = V.Less(x, V.All(SmallestNormal));
        V m = V.SplitExponent(V.Where(subnormal, x * V.All(8388608), x), out V n);
        n -= V.Where(subnormal, V.All(23), V.All(0));
        return LogEdges(x, LogOfParts(m - V.All(1), n));
    }

    /// <summary>ln(1 + x), accurate for small x too.</summary>
    [MethodImpl(Inline)]
    public static V Log1p<V>(V x) where V : struct, ILanes<V>
    {
        V u = V.All(1) + x;
        V m = V.SplitExponent(u, out V n);
        // What rounding took from 1 + x (Knuth's exact difference), at the scale of m.
        V back = u - V.All(1);
        V lost = (V.All(1) - (u - back)) + (x - back);
        V f = m - V.All(1) + V.Scale(lost, -n);
        V result = LogOfParts(f, n);
        return V.Where(V.Equal(x, V.All(float.PositiveInfinity)), x, LogEdges(u, result));
    }

    /// <summary>
    /// ln(1 + t) for t in [0, 1]: <see cref="Log1p"/> without its edges, for what follows an exp(−|x|).
    /// </summary>
    [MethodImpl(Inline)]
    public static V Log1pOfUnit<V>(V t) where V : struct, ILanes<V>
    {
        V u = V.All(1) + t;
        V lost = t - (u - V.All(1));
        V doubled = V.Less(V.All(1.41421354f), u);
        V f = V.Where(doubled, V.Fma(u, V.All(0.5f), V.All(-1)) + V.All(0.5f) * lost, t);
        return LogOfParts(f, V.Where(doubled, V.All(1), V.All(0)));
    }

    /// <summary>1/(1 + e^−x), without overflow for any x.</summary>
    [MethodImpl(Inline)]
    public static V Sigmoid<V>(V x) where V : struct, ILanes<V>
    {
        V t = Exp(-V.Abs(x));
        return V.Where(V.Less(x, V.All(0)), t, V.All(1)) / (V.All(1) + t);
    }

    /// <summary>ln(1 + e^x), without overflow for any x.</summary>
    [MethodImpl(Inline)]
    public static V Softplus<V>(V x) where V : struct, ILanes<V> =>
        V.Max(V.All(0), x) + Log1pOfUnit(Exp(-V.Abs(x)));

    /// <summary>ln sigmoid(x) = −softplus(−x).</summary>
    [MethodImpl(Inline)]
    public static V LogSigmoid<V>(V x) where V : struct, ILanes<V> =>
        V.Min(V.All(0), x) - Log1pOfUnit(Exp(-V.Abs(x)));

    /// <summary>
    /// tanh x: a polynomial near 0, where 1 − e^(−2|x|) would cancel, and (1 − e^(−2|x|))/(1 + e^(−2|x|)) beyond.
    /// </summary>
    [MethodImpl(Inline)]
    public static V Tanh<V>(V x) where V : struct, ILanes<V>
    {
        V magnitude = V.Abs(x), square = x * x;
        V p = V.Fma(V.All(-0.00611319218f), square, V.All(0.021010082f));
        p = V.Fma(p, square, V.All(-0.05385407f));
        p = V.Fma(p, square, V.All(0.133327945f));
        p = V.Fma(p, square, V.All(-0.333333292f));
        V small = V.Fma(p * square, x, x);
        V e = Exp(V.All(-2) * magnitude);
        V large = (V.All(1) - e) / (V.All(1) + e);
        large = V.Where(V.Less(x, V.All(0)), -large, large);
        return V.Where(V.Less(magnitude, V.All(0.625f)), small, large);
    }

    /// <summary>ln(1 + f) + n·ln 2 for f in [√½ − 1, √2 − 1], small terms first.</summary>
    [MethodImpl(Inline)]
    private static V LogOfParts<V>(V f, V n) where V : struct, ILanes<V>
    {
        V p = V.Fma(V.All(-0.0763446465f), f, V.All(0.127634943f));
        p = V.Fma(p, f, V.All(-0.131610811f));
        p = V.Fma(p, f, V.All(0.142015651f));
        p = V.Fma(p, f, V.All(-0.166232526f));
        p = V.Fma(p, f, V.All(0.200012311f));
        p = V.Fma(p, f, V.All(-0.250008225f));
        p = V.Fma(p, f, V.All(0.333333313f));
        V square = f * f;
        V tail = V.Fma(p * f, square, n * V.All(Ln2Low));
        tail = V.Fma(V.All(-0.5f), square, tail);
        return V.Fma(n, V.All(Ln2High), f + tail);
    }

    /// <summary>Puts right what the parts of x = 0, x &lt; 0, ∞ and NaN gave.</summary>
    [MethodImpl(Inline)]
    private static V LogEdges<V>(V x, V log) where V : struct, ILanes<V>
    {
        log = V.Where(V.Less(x, V.All(float.PositiveInfinity)), log, x);
        V zero = V.Where(V.Equal(x, V.All(0)), V.All(float.NegativeInfinity), V.All(float.NaN));
        return V.Where(V.Less(V.All(0), x), log, zero);
    }
}
