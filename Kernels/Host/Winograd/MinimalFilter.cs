using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace GlowGpu.Kernels.Host;

// Winograd's minimal filtering of a 3×3 convolution between a narrow side (the image: z1, h or their gradients) and a wide one
// (hidden channels). A 2×2 block of wide pixels x, a quad, meets a 4×4 patch y of narrow ones in the trilinear form
//
//   Σ over u, d of x[u]·w[d]·y[u + d] = Σ over g of E(x)[g]·G(w)[g]·S(y)[g]        u in {0, 1}², d in {0, 1, 2}²
//
// with 16 products in place of 36, each the Kronecker square of one dimension's
//
//   E(x) = [x0, x0 + x1, x0 − x1, x1]        G(w) = [w0, (w0 + w1 + w2)/2, (w0 − w1 + w2)/2, w2]
//   S(y) = [y0 − y2, y1 + y2, y2 − y1, y3 − y1]
//
// (Winograd 1980, "Arithmetic complexity of computations"; Lavin & Gray 2016). Whichever of the three is asked for, the others
// are transformed, multiplied for each g in a matrix product over channels or quads, and the result goes through the
// transpose of its own transformation. Both convolutions of a coupling network and all of their gradients are this one form:
//
//   narrow → wide   x = Eᵀ(G(w)·S(y))      gather,  products, contract
//   wide → narrow   y = Sᵀ(G(w)·E(x))      expand,  products, spread and sum
//   weights         w = Gᵀ(E(x)·S(y))      gather and expand, products, fold
//
// Coefficients are 0, ±1 and ½, so rounding grows by a small constant only.
internal static unsafe class MinimalFilter
{
    /// <summary>Products for each quad: the points g of the transformed domain.</summary>
    public const int Points = 16;

    private const int Taps = 9;

    /// <summary>
    /// E of a tile's quads: target[panel, g, quad, lane] for <paramref name="panels"/> panels of wide channels;
    /// <paramref name="plane"/> floats lie between two g.
    /// </summary>
    public static void Expand(float* wide, nint panel, int panels, int quads, float* target, nint plane, nint targetPanel)
    {
        for (int p = 0; p < panels; p++, wide += panel, target += targetPanel)
        {
            if (Vector512.IsHardwareAccelerated) Expand<Lanes512>(wide, quads, target, plane);
            else if (Vector256.IsHardwareAccelerated) Expand<Lanes256>(wide, quads, target, plane);
            else Expand<Lanes128>(wide, quads, target, plane);
        }
    }

    /// <summary>wide = max(Eᵀ(products) + bias, 0) of a panel, where products are laid out as <see cref="Expand"/> does.</summary>
    public static void ContractRelu(float* products, nint plane, int quads, float* bias, float* wide)
    {
        if (Vector512.IsHardwareAccelerated) Contract<Lanes512, BiasRelu>(products, plane, quads, bias, wide);
        else if (Vector256.IsHardwareAccelerated) Contract<Lanes256, BiasRelu>(products, plane, quads, bias, wide);
        else Contract<Lanes128, BiasRelu>(products, plane, quads, bias, wide);
    }

    /// <summary>wide = Eᵀ(products) where the gate, a panel like wide, is above zero, elsewhere 0.</summary>
    public static void ContractMasked(float* products, nint plane, int quads, float* gate, float* wide)
    {
        if (Vector512.IsHardwareAccelerated) Contract<Lanes512, Mask>(products, plane, quads, gate, wide);
        else if (Vector256.IsHardwareAccelerated) Contract<Lanes256, Mask>(products, plane, quads, gate, wide);
        else Contract<Lanes128, Mask>(products, plane, quads, gate, wide);
    }

    /// <summary>
    /// G of weights: target[g, c / 16, row, c % 16] from source[tap, row, c]·scale[c] with rows <paramref name="sourceRow"/> apart; padding
    /// lanes become 0. With <paramref name="mirrored"/> tap t is read where 8 − t lies. <paramref name="point"/> floats lie between
    /// two g of target, <paramref name="panel"/> between two panels.
    /// </summary>
    public static void TransformWeights(float* source, nint tap, nint sourceRow, int rows, int columns, float* scale, bool mirrored,
        float* target, nint point, nint panel)
    {
        if (mirrored)
        {
            source += (Taps - 1) * tap;
            tap = -tap;
        }
        for (int c = 0; c < columns; c += Panels.Width, target += panel)
        {
            int n = Math.Min(Panels.Width, columns - c);
            if (Vector512.IsHardwareAccelerated) Transform<Lanes512>(source + c, tap, sourceRow, rows, n, scale + c, target, point);
            else if (Vector256.IsHardwareAccelerated) Transform<Lanes256>(source + c, tap, sourceRow, rows, n, scale + c, target, point);
            else Transform<Lanes128>(source + c, tap, sourceRow, rows, n, scale + c, target, point);
        }
    }

    /// <summary>
    /// Gᵀ: target[tap, lane] = Σ over g of products[g, lane], for the 16 lanes of one row; rows of target are 16 floats,
    /// <paramref name="point"/> floats lie between two g. With <paramref name="mirrored"/> taps are written from the last to the first.
    /// </summary>
    public static void Fold(float* products, nint point, bool mirrored, float* target)
    {
        if (Vector512.IsHardwareAccelerated) Fold<Lanes512>(products, point, mirrored, target);
        else if (Vector256.IsHardwareAccelerated) Fold<Lanes256>(products, point, mirrored, target);
        else Fold<Lanes128>(products, point, mirrored, target);
    }

    private static void Expand<V>(float* wide, int quads, float* target, nint plane) where V : struct, ILanes<V>
    {
        for (int q = 0; q < quads; q++, target += Panels.Width)
        {
            float* x = wide + Quads.Row(q) * Panels.Width;
            for (int lane = 0; lane < Panels.Width; lane += V.Count)
            {
                V a = V.Load(x + lane), b = V.Load(x + Quads.Plane * Panels.Width + lane);
                V c = V.Load(x + 2 * Quads.Plane * Panels.Width + lane), d = V.Load(x + 3 * Quads.Plane * Panels.Width + lane);
                float* to = target + lane;
                V ab = a + b, cd = c + d, b2 = a - b, d2 = c - d;
                Row(to, plane, a, ab, b2, b);
                Row(to + 4 * plane, plane, a + c, ab + cd, b2 + d2, b + d);
                Row(to + 8 * plane, plane, a - c, ab - cd, b2 - d2, b - d);
                Row(to + 12 * plane, plane, c, cd, d2, d);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Row<V>(float* to, nint plane, V a, V b, V c, V d) where V : struct, ILanes<V>
    {
        a.Store(to);
        b.Store(to + plane);
        c.Store(to + 2 * plane);
        d.Store(to + 3 * plane);
    }

    /// <summary>How a wide value ends.</summary>
    private interface IEnd
    {
        /// <summary>Whether the operand is one row for all pixels.</summary>
        static abstract bool IsRow { get; }

        static abstract V Of<V>(V x, V operand) where V : struct, ILanes<V>;
    }

    private readonly struct BiasRelu : IEnd
    {
        public static bool IsRow => true;

        public static V Of<V>(V x, V operand) where V : struct, ILanes<V> => V.Max(default, x + operand);
    }

    private readonly struct Mask : IEnd
    {
        public static bool IsRow => false;

        public static V Of<V>(V x, V operand) where V : struct, ILanes<V> => V.Where(V.Less(default, operand), x, default);
    }

    private static void Contract<V, TEnd>(float* products, nint plane, int quads, float* operand, float* wide)
        where V : struct, ILanes<V>
        where TEnd : struct, IEnd
    {
        for (int q = 0; q < quads; q++, products += Panels.Width)
        {
            nint row = Quads.Row(q) * Panels.Width;
            float* gate = TEnd.IsRow ? operand : operand + row;
            nint gatePlane = TEnd.IsRow ? 0 : Quads.Plane * Panels.Width;
            for (int lane = 0; lane < Panels.Width; lane += V.Count)
            {
                float* m = products + lane;
                (V r0, V s0) = Halve<V>(m, plane);
                (V r1, V s1) = Halve<V>(m + 4 * plane, plane);
                (V r2, V s2) = Halve<V>(m + 8 * plane, plane);
                (V r3, V s3) = Halve<V>(m + 12 * plane, plane);
                float* to = wide + row + lane, at = gate + lane;
                TEnd.Of(r0 + r1 + r2, V.Load(at)).Store(to);
                TEnd.Of(s0 + s1 + s2, V.Load(at + gatePlane)).Store(to + Quads.Plane * Panels.Width);
                TEnd.Of(r1 - r2 + r3, V.Load(at + 2 * gatePlane)).Store(to + 2 * Quads.Plane * Panels.Width);
                TEnd.Of(s1 - s2 + s3, V.Load(at + 3 * gatePlane)).Store(to + 3 * Quads.Plane * Panels.Width);
            }
        }
    }

    /// <summary>Eᵀ in one dimension.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (V, V) Halve<V>(float* m, nint plane) where V : struct, ILanes<V>
    {
        V m1 = V.Load(m + plane), m2 = V.Load(m + 2 * plane);
        return (V.Load(m) + m1 + m2, m1 - m2 + V.Load(m + 3 * plane));
    }

    private static void Transform<V>(
        float* source, nint tap, nint sourceRow, int rows, int columns, float* scale, float* target, nint point)
        where V : struct, ILanes<V>
    {
        V half = V.All(0.5f);
        for (int lane = 0; lane < Panels.Width; lane += V.Count)
        {
            int n = Math.Min(columns - lane, V.Count);
            float* w = source + lane, to = target + lane;
            V s = n > 0 ? V.LoadFirst(scale + lane, n) : default;
            for (int row = 0; row < rows; row++, w += sourceRow, to += Panels.Width)
            {
                if (n <= 0)
                {
                    for (int g = 0; g < Points; g++) default(V).Store(to + g * point);
                    continue;
                }
                (V a0, V a1, V a2, V a3) = FilterLine(w, tap, n, s, half);
                (V b0, V b1, V b2, V b3) = FilterLine(w + 3 * tap, tap, n, s, half);
                (V c0, V c1, V c2, V c3) = FilterLine(w + 6 * tap, tap, n, s, half);
                Column(Filter(a0, b0, c0, half), to, 4 * point);
                Column(Filter(a1, b1, c1, half), to + point, 4 * point);
                Column(Filter(a2, b2, c2, half), to + 2 * point, 4 * point);
                Column(Filter(a3, b3, c3, half), to + 3 * point, 4 * point);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (V, V, V, V) FilterLine<V>(float* w, nint tap, int n, V scale, V half) where V : struct, ILanes<V> =>
        Filter(Load(w, n, scale), Load(w + tap, n, scale), Load(w + 2 * tap, n, scale), half);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Load<V>(float* w, int n, V scale) where V : struct, ILanes<V> =>
        (n == V.Count ? V.Load(w) : V.LoadFirst(w, n)) * scale;

    /// <summary>G in one dimension.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (V, V, V, V) Filter<V>(V w0, V w1, V w2, V half) where V : struct, ILanes<V>
    {
        V ends = w0 + w2;
        return (w0, (ends + w1) * half, (ends - w1) * half, w2);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Column<V>((V A, V B, V C, V D) x, float* to, nint distance) where V : struct, ILanes<V> =>
        Row(to, distance, x.A, x.B, x.C, x.D);

    private static void Fold<V>(float* products, nint point, bool mirrored, float* target) where V : struct, ILanes<V>
    {
        V half = V.All(0.5f);
        nint tap = mirrored ? -Panels.Width : Panels.Width;
        if (mirrored) target += (Taps - 1) * Panels.Width;
        for (int lane = 0; lane < Panels.Width; lane += V.Count)
        {
            float* u = products + lane, to = target + lane;
            (V a0, V a1, V a2) = FoldLine<V>(u, point, half);
            (V b0, V b1, V b2) = FoldLine<V>(u + 4 * point, point, half);
            (V c0, V c1, V c2) = FoldLine<V>(u + 8 * point, point, half);
            (V d0, V d1, V d2) = FoldLine<V>(u + 12 * point, point, half);
            FoldColumn(a0, b0, c0, d0, half, to, 3 * tap);
            FoldColumn(a1, b1, c1, d1, half, to + tap, 3 * tap);
            FoldColumn(a2, b2, c2, d2, half, to + 2 * tap, 3 * tap);
        }
    }

    /// <summary>Gᵀ in one dimension.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (V, V, V) FoldLine<V>(float* u, nint point, V half) where V : struct, ILanes<V> =>
        Fold(V.Load(u), V.Load(u + point), V.Load(u + 2 * point), V.Load(u + 3 * point), half);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FoldColumn<V>(V a, V b, V c, V d, V half, float* to, nint distance) where V : struct, ILanes<V>
    {
        (V w0, V w1, V w2) = Fold(a, b, c, d, half);
        w0.Store(to);
        w1.Store(to + distance);
        w2.Store(to + 2 * distance);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (V, V, V) Fold<V>(V u0, V u1, V u2, V u3, V half) where V : struct, ILanes<V>
    {
        V sum = (u1 + u2) * half;
        return (u0 + sum, (u1 - u2) * half, sum + u3);
    }
}
