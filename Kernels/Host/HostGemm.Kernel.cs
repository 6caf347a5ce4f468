using System.Runtime.CompilerServices;

namespace GlowGpu.Kernels.Host;

// The micro-kernel: C[rows, vectors·lanes] += A[rows, K]·B[K, vectors·lanes] with C in registers throughout.
//
// Register budget (accumulators + B vectors + the broadcast A element, of what the instruction set has):
//   AVX-512   8 × 3 vectors (8×48 floats)   24 + 3 + 1 of 32
//   AVX2      6 × 2 vectors (6×16 floats)   12 + 2 + 1 of 16
//   128-bit   4 × 2 vectors (4×8 floats)     8 + 2 + 1 of 16
// Each has at least as many independent accumulators as a multiply-add has latency times throughput (8 on every current
// core), and does 2.2 to 3 multiply-adds per load, so neither latency nor the load ports bound it. The row counts 4, 2, 1 of the tails
// are the same source with the surplus rows folded away at compile time.
//
// Cache blocking is the caller's: per step of K a kernel reads one 64-byte line of each B panel and `rows` floats of A. B panels
// stream from L2 (8 bytes a cycle at full speed with AVX-512, 11 with AVX2), A stays in L1 while the rows of a tile are walked.
//
// Every element of C is a sum over k in ascending order, one multiply-add a step, whichever kernel computes it: results depend
// neither on how rows and columns are tiled nor on which thread runs them.
internal sealed unsafe partial class HostGemm
{
    private interface INumber
    {
        static abstract int Value { get; }
    }

    private readonly struct One : INumber { public static int Value => 1; }

    private readonly struct Two : INumber { public static int Value => 2; }

    private readonly struct Three : INumber { public static int Value => 3; }

    private readonly struct Four : INumber { public static int Value => 4; }

    private readonly struct Six : INumber { public static int Value => 6; }

    private readonly struct Eight : INumber { public static int Value => 8; }

    /// <summary>One C tile; <paramref name="last"/> is the number of valid columns in its last vector.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Kernel<TSimd, TVec, TRows, TVectors>(Product* p, float* a, float* b, float* c, float* operand, int last)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        where TRows : struct, INumber
        where TVectors : struct, INumber
    {
        TVec c00 = default, c01 = default, c02 = default, c10 = default, c11 = default, c12 = default;
        TVec c20 = default, c21 = default, c22 = default, c30 = default, c31 = default, c32 = default;
        TVec c40 = default, c41 = default, c42 = default, c50 = default, c51 = default, c52 = default;
        TVec c60 = default, c61 = default, c62 = default, c70 = default, c71 = default, c72 = default;

        nint cRow = p->CRow;
        nint cVec = TSimd.Lanes == Panels.Width ? p->CPanel : TSimd.Lanes;
        if (p->Epilogue == Epilogue.Accumulate)
        {
            LoadRow<TSimd, TVec, TVectors>(c, cVec, ref c00, ref c01, ref c02);
            if (TRows.Value > 1) LoadRow<TSimd, TVec, TVectors>(c + cRow, cVec, ref c10, ref c11, ref c12);
            if (TRows.Value > 2) LoadRow<TSimd, TVec, TVectors>(c + 2 * cRow, cVec, ref c20, ref c21, ref c22);
            if (TRows.Value > 3) LoadRow<TSimd, TVec, TVectors>(c + 3 * cRow, cVec, ref c30, ref c31, ref c32);
            if (TRows.Value > 4) LoadRow<TSimd, TVec, TVectors>(c + 4 * cRow, cVec, ref c40, ref c41, ref c42);
            if (TRows.Value > 5) LoadRow<TSimd, TVec, TVectors>(c + 5 * cRow, cVec, ref c50, ref c51, ref c52);
            if (TRows.Value > 6) LoadRow<TSimd, TVec, TVectors>(c + 6 * cRow, cVec, ref c60, ref c61, ref c62);
            if (TRows.Value > 7) LoadRow<TSimd, TVec, TVectors>(c + 7 * cRow, cVec, ref c70, ref c71, ref c72);
        }

        nint row = p->ARow, step = p->AStep;
        nint row2 = 2 * row, row3 = 3 * row, row4 = 4 * row;
        nint bVec = TSimd.Lanes == Panels.Width ? p->BPanel : TSimd.Lanes;
        nint bVec2 = 2 * bVec;
        int block = p->Block;
        for (int rest = p->K; rest > 0; rest -= block)
        {
            int n = Math.Min(rest, block);
            float* aNext = a + p->ABlock;
            float* bNext = b + p->BBlock;
            for (; n > 0; n--)
            {
                TVec b0 = TSimd.Load(b), b1 = default, b2 = default;
                if (TVectors.Value > 1) b1 = TSimd.Load(b + bVec);
                if (TVectors.Value > 2) b2 = TSimd.Load(b + bVec2);
                MultiplyRow<TSimd, TVec, TVectors>(a, b0, b1, b2, ref c00, ref c01, ref c02);
                if (TRows.Value > 1) MultiplyRow<TSimd, TVec, TVectors>(a + row, b0, b1, b2, ref c10, ref c11, ref c12);
                if (TRows.Value > 2) MultiplyRow<TSimd, TVec, TVectors>(a + row2, b0, b1, b2, ref c20, ref c21, ref c22);
                if (TRows.Value > 3) MultiplyRow<TSimd, TVec, TVectors>(a + row3, b0, b1, b2, ref c30, ref c31, ref c32);
                if (TRows.Value > 4)
                {
                    float* a4 = a + row4;
                    MultiplyRow<TSimd, TVec, TVectors>(a4, b0, b1, b2, ref c40, ref c41, ref c42);
                    if (TRows.Value > 5) MultiplyRow<TSimd, TVec, TVectors>(a4 + row, b0, b1, b2, ref c50, ref c51, ref c52);
                    if (TRows.Value > 6) MultiplyRow<TSimd, TVec, TVectors>(a4 + row2, b0, b1, b2, ref c60, ref c61, ref c62);
                    if (TRows.Value > 7) MultiplyRow<TSimd, TVec, TVectors>(a4 + row3, b0, b1, b2, ref c70, ref c71, ref c72);
                }
                a += step;
                b += Panels.Width;
            }
            a = aNext;
            b = bNext;
        }

        Epilogue epilogue = p->Epilogue;
        nint oRow = p->OperandRow;
        nint oVec = TSimd.Lanes == Panels.Width ? p->OperandPanel : TSimd.Lanes;
        FinishRow<TSimd, TVec, TVectors>(epilogue, c, cVec, operand, oVec, last, c00, c01, c02);
        if (TRows.Value > 1) FinishRow<TSimd, TVec, TVectors>(epilogue, c + cRow, cVec, operand + oRow, oVec, last, c10, c11, c12);
        if (TRows.Value > 2) FinishRow<TSimd, TVec, TVectors>(epilogue, c + 2 * cRow, cVec, operand + 2 * oRow, oVec, last, c20, c21, c22);
        if (TRows.Value > 3) FinishRow<TSimd, TVec, TVectors>(epilogue, c + 3 * cRow, cVec, operand + 3 * oRow, oVec, last, c30, c31, c32);
        if (TRows.Value > 4) FinishRow<TSimd, TVec, TVectors>(epilogue, c + 4 * cRow, cVec, operand + 4 * oRow, oVec, last, c40, c41, c42);
        if (TRows.Value > 5) FinishRow<TSimd, TVec, TVectors>(epilogue, c + 5 * cRow, cVec, operand + 5 * oRow, oVec, last, c50, c51, c52);
        if (TRows.Value > 6) FinishRow<TSimd, TVec, TVectors>(epilogue, c + 6 * cRow, cVec, operand + 6 * oRow, oVec, last, c60, c61, c62);
        if (TRows.Value > 7) FinishRow<TSimd, TVec, TVectors>(epilogue, c + 7 * cRow, cVec, operand + 7 * oRow, oVec, last, c70, c71, c72);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LoadRow<TSimd, TVec, TVectors>(float* c, nint cVec, ref TVec c0, ref TVec c1, ref TVec c2)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        where TVectors : struct, INumber
    {
        c0 = TSimd.Load(c);
        if (TVectors.Value > 1) c1 = TSimd.Load(c + cVec);
        if (TVectors.Value > 2) c2 = TSimd.Load(c + 2 * cVec);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MultiplyRow<TSimd, TVec, TVectors>(float* a, TVec b0, TVec b1, TVec b2, ref TVec c0, ref TVec c1, ref TVec c2)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        where TVectors : struct, INumber
    {
        TVec x = TSimd.Broadcast(*a);
        c0 = TSimd.MultiplyAdd(x, b0, c0);
        if (TVectors.Value > 1) c1 = TSimd.MultiplyAdd(x, b1, c1);
        if (TVectors.Value > 2) c2 = TSimd.MultiplyAdd(x, b2, c2);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FinishRow<TSimd, TVec, TVectors>(
        Epilogue epilogue, float* c, nint cVec, float* operand, nint oVec, int last, TVec c0, TVec c1, TVec c2)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        where TVectors : struct, INumber
    {
        if (epilogue >= Epilogue.Bias)
        {
            c0 = Finish<TSimd, TVec>(epilogue, operand, c0);
            if (TVectors.Value > 1) c1 = Finish<TSimd, TVec>(epilogue, operand + oVec, c1);
            if (TVectors.Value > 2) c2 = Finish<TSimd, TVec>(epilogue, operand + 2 * oVec, c2);
        }
        if (TVectors.Value > 1) TSimd.Store(c, c0);
        if (TVectors.Value > 2) TSimd.Store(c + cVec, c1);
        float* end = c + (TVectors.Value - 1) * cVec;
        TVec x = TVectors.Value == 1 ? c0 : TVectors.Value == 2 ? c1 : c2;
        if (last == TSimd.Lanes) TSimd.Store(end, x);
        else TSimd.StoreFirst(end, x, last);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVec Finish<TSimd, TVec>(Epilogue epilogue, float* operand, TVec x)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        TVec y = TSimd.Load(operand);
        if (epilogue == Epilogue.Mask) return TSimd.Where(y, x);
        x = TSimd.Add(x, y);
        return epilogue == Epilogue.BiasRelu ? TSimd.Relu(x) : x;
    }
}
