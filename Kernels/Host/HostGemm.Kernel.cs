using System.Runtime.CompilerServices;

namespace GlowGpu.Kernels.Host;

// The micro-kernel: C[rows, vectors·lanes] += A[rows, K]·B[K, vectors·lanes] with C in registers throughout.
//
// Register budget (accumulators + B vectors + the broadcast A element, of what the instruction set has):
//   AVX-512   8 × 3 vectors (8×48 floats)   24 + 3 + 1 of 32
//   AVX2      6 × 2 vectors (6×16 floats)   12 + 2 + 1 of 16
//   128-bit   4 × 2 vectors (4×8 floats)     8 + 2 + 1 of 16
// A single vector of columns has but eight accumulators, as many as multiply-adds are under way, and waits at every
// hiccup: with AVX-512 it goes 16 rows high, the eight lower ones in the place of a second vector. Each has at least
// as many independent accumulators as a multiply-add has latency times throughput (8 on every current core), and does
// 2.2 to 3 multiply-adds per load, so neither latency nor the load ports bound it. Lower heights, which rows that are
// no multiple of the highest are divided into evenly, are the same source with the surplus rows folded away at
// compile time.
//
// Cache blocking is the caller's: per step of K a kernel reads one 64-byte line of each B panel and `rows` floats of
// A. B panels stream from L2 (8 bytes a cycle at full speed with AVX-512, 11 with AVX2), A stays in L1 while the rows
// of a tile are walked.
//
// Every element of C is a sum over k in ascending order, one multiply-add a step, whichever kernel computes it:
// results depend neither on how rows and columns are tiled nor on which thread runs them.
internal sealed unsafe partial class HostGemm
{
    private interface INumber
    {
        static abstract int Value { get; }

        /// <summary>Whether, of vectors, the second is the first of the rows below.</summary>
        static virtual bool IsTall => false;
    }

    private readonly struct Tall : INumber
    {
        public static int Value => 2;

        public static bool IsTall => true;
    }

    private readonly struct One : INumber { public static int Value => 1; }

    private readonly struct Two : INumber { public static int Value => 2; }

    private readonly struct Three : INumber { public static int Value => 3; }

    private readonly struct Four : INumber { public static int Value => 4; }

    private readonly struct Five : INumber { public static int Value => 5; }

    private readonly struct Six : INumber { public static int Value => 6; }

    private readonly struct Seven : INumber { public static int Value => 7; }

    private readonly struct Eight : INumber { public static int Value => 8; }

    /// <summary>One C tile; <paramref name="last"/> is the number of valid columns in its last vector.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Kernel<V, TRows, TVectors>(Product* p, float* a, float* b, float* c, float* operand, int last)
        where V : struct, ILanes<V>
        where TRows : struct, INumber
        where TVectors : struct, INumber
    {
        V c00 = default, c01 = default, c02 = default, c10 = default, c11 = default, c12 = default;
        V c20 = default, c21 = default, c22 = default, c30 = default, c31 = default, c32 = default;
        V c40 = default, c41 = default, c42 = default, c50 = default, c51 = default, c52 = default;
        V c60 = default, c61 = default, c62 = default, c70 = default, c71 = default, c72 = default;

        nint cRow = p->CRow;
        nint cVec = TVectors.IsTall ? TRows.Value * cRow : V.Count == Panels.Width ? p->CPanel : V.Count;
        float* start = p->Epilogue == Epilogue.Accumulate ? c : p->Start is null ? null : p->Start + (c - p->C);
        if (start is not null)
        {
            LoadRow<V, TVectors>(start, cVec, last, ref c00, ref c01, ref c02);
            if (TRows.Value > 1) LoadRow<V, TVectors>(start + cRow, cVec, last, ref c10, ref c11, ref c12);
            if (TRows.Value > 2) LoadRow<V, TVectors>(start + 2 * cRow, cVec, last, ref c20, ref c21, ref c22);
            if (TRows.Value > 3) LoadRow<V, TVectors>(start + 3 * cRow, cVec, last, ref c30, ref c31, ref c32);
            if (TRows.Value > 4) LoadRow<V, TVectors>(start + 4 * cRow, cVec, last, ref c40, ref c41, ref c42);
            if (TRows.Value > 5) LoadRow<V, TVectors>(start + 5 * cRow, cVec, last, ref c50, ref c51, ref c52);
            if (TRows.Value > 6) LoadRow<V, TVectors>(start + 6 * cRow, cVec, last, ref c60, ref c61, ref c62);
            if (TRows.Value > 7) LoadRow<V, TVectors>(start + 7 * cRow, cVec, last, ref c70, ref c71, ref c72);
        }

        nint row = p->ARow, step = p->AStep;
        nint row2 = 2 * row, row3 = 3 * row, row4 = 4 * row, below = TRows.Value * row;
        nint bVec = V.Count == Panels.Width ? p->BPanel : V.Count;
        nint bVec2 = 2 * bVec;
        int block = p->Block;
        for (int rest = p->K; rest > 0; rest -= block)
        {
            int n = Math.Min(rest, block);
            float* aNext = a + p->ABlock;
            float* bNext = b + p->BBlock;
            for (; n > 0; n--)
            {
                V b0 = V.Load(b), b1 = default, b2 = default;
                if (TVectors.Value > 1 && !TVectors.IsTall) b1 = V.Load(b + bVec);
                if (TVectors.Value > 2) b2 = V.Load(b + bVec2);
                MultiplyRow<V, TVectors>(a, below, b0, b1, b2, ref c00, ref c01, ref c02);
                if (TRows.Value > 1) MultiplyRow<V, TVectors>(a + row, below, b0, b1, b2, ref c10, ref c11, ref c12);
                if (TRows.Value > 2) MultiplyRow<V, TVectors>(a + row2, below, b0, b1, b2, ref c20, ref c21, ref c22);
                if (TRows.Value > 3) MultiplyRow<V, TVectors>(a + row3, below, b0, b1, b2, ref c30, ref c31, ref c32);
                if (TRows.Value > 4)
                {
                    float* a4 = a + row4;
                    MultiplyRow<V, TVectors>(a4, below, b0, b1, b2, ref c40, ref c41, ref c42);
                    if (TRows.Value > 5) MultiplyRow<V, TVectors>(a4 + row, below, b0, b1, b2, ref c50, ref c51,
                        ref c52);
                    if (TRows.Value > 6) MultiplyRow<V, TVectors>(a4 + row2, below, b0, b1, b2, ref c60, ref c61,
                        ref c62);
                    if (TRows.Value > 7) MultiplyRow<V, TVectors>(a4 + row3, below, b0, b1, b2, ref c70, ref c71,
                        ref c72);
                }
                a += step;
                b += Panels.Width;
            }
            a = aNext;
            b = bNext;
        }

        Epilogue epilogue = p->Epilogue;
        nint oRow = p->OperandRow;
        nint oVec = TVectors.IsTall ? TRows.Value * oRow : V.Count == Panels.Width ? p->OperandPanel : V.Count;
        FinishRow<V, TVectors>(epilogue, c, cVec, operand, oVec, last, c00, c01, c02);
        if (TRows.Value > 1) FinishRow<V, TVectors>(epilogue, c + cRow, cVec, operand + oRow, oVec,
            last, c10, c11, c12);
        if (TRows.Value > 2) FinishRow<V, TVectors>(epilogue, c + 2 * cRow, cVec, operand + 2 * oRow, oVec,
            last, c20, c21, c22);
        if (TRows.Value > 3) FinishRow<V, TVectors>(epilogue, c + 3 * cRow, cVec, operand + 3 * oRow, oVec,
            last, c30, c31, c32);
        if (TRows.Value > 4) FinishRow<V, TVectors>(epilogue, c + 4 * cRow, cVec, operand + 4 * oRow, oVec,
            last, c40, c41, c42);
        if (TRows.Value > 5) FinishRow<V, TVectors>(epilogue, c + 5 * cRow, cVec, operand + 5 * oRow, oVec,
            last, c50, c51, c52);
        if (TRows.Value > 6) FinishRow<V, TVectors>(epilogue, c + 6 * cRow, cVec, operand + 6 * oRow, oVec,
            last, c60, c61, c62);
        if (TRows.Value > 7) FinishRow<V, TVectors>(epilogue, c + 7 * cRow, cVec, operand + 7 * oRow, oVec,
            last, c70, c71, c72);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LoadRow<V, TVectors>(
        float* c, nint cVec, int last, ref V c0, ref V c1, ref V c2)
        where V : struct, ILanes<V>
        where TVectors : struct, INumber
    {
        if (TVectors.Value > 1) c0 = V.Load(c);
        if (TVectors.Value > 2) c1 = V.Load(c + cVec);
        float* end = c + (TVectors.Value - 1) * cVec;
        V x = last == V.Count ? V.Load(end) : V.LoadFirst(end, last);
        if (TVectors.Value == 1) c0 = x;
        else if (TVectors.Value == 2) c1 = x;
        else c2 = x;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MultiplyRow<V, TVectors>(float* a, nint below, V b0, V b1, V b2, ref V c0, ref V c1, ref V c2)
        where V : struct, ILanes<V>
        where TVectors : struct, INumber
    {
        V x = V.All(*a);
        c0 = V.MultiplyAdd(x, b0, c0);
        if (TVectors.IsTall) c1 = V.MultiplyAdd(V.All(a[below]), b0, c1);
        else if (TVectors.Value > 1) c1 = V.MultiplyAdd(x, b1, c1);
        if (TVectors.Value > 2) c2 = V.MultiplyAdd(x, b2, c2);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FinishRow<V, TVectors>(
        Epilogue epilogue, float* c, nint cVec, float* operand, nint oVec, int last, V c0, V c1, V c2)
        where V : struct, ILanes<V>
        where TVectors : struct, INumber
    {
        if (epilogue >= Epilogue.Bias)
        {
            c0 = Finish<V>(epilogue, operand, c0);
            if (TVectors.Value > 1) c1 = Finish<V>(epilogue, operand + oVec, c1);
            if (TVectors.Value > 2) c2 = Finish<V>(epilogue, operand + 2 * oVec, c2);
        }
        if (TVectors.Value > 1) c0.Store(c);
        if (TVectors.Value > 2) c1.Store(c + cVec);
        float* end = c + (TVectors.Value - 1) * cVec;
        V x = TVectors.Value == 1 ? c0 : TVectors.Value == 2 ? c1 : c2;
        if (last == V.Count) x.Store(end);
        else x.StoreFirst(end, last);
    }

    /// <summary>What a bias or mask makes of a sum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Finish<V>(Epilogue epilogue, float* operand, V x)
        where V : struct, ILanes<V>
    {
        V y = V.Load(operand);
        V zero = V.All(0);
        if (epilogue == Epilogue.Mask) return V.Where(V.Less(zero, y), x, zero);
        x += y;
        return epilogue == Epilogue.BiasRelu ? V.Max(zero, x) : x;
    }
}
