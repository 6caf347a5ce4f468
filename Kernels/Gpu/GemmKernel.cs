using ILGPU;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// Arguments of one product C = op(A)·op(B): C <c>[M,N]</c>, inner dimension K. Layer z of the grid covers the inner
/// range <c>[z·KSlice, (z+1)·KSlice)</c> and writes its own C, M rows further on.
/// </summary>
internal struct GemmArguments
{
    public Matrix A, B, C;
    public int M, N, K, KSlice;

    /// <summary>The epilogue's bias row or mask.</summary>
    public Matrix Operand;
}

/// <summary>Which of the two factors is stored transposed.</summary>
internal interface IGemmForm
{
    /// <summary>A is stored <c>[K,M]</c>.</summary>
    static abstract bool TransposeA { get; }

    /// <summary>B is stored <c>[N,K]</c>.</summary>
    static abstract bool TransposeB { get; }
}

/// <summary>C = A·B.</summary>
internal struct FormNN : IGemmForm
{
    public static bool TransposeA => false;
    public static bool TransposeB => false;
}

/// <summary>C = A·Bᵀ.</summary>
internal struct FormNT : IGemmForm
{
    public static bool TransposeA => false;
    public static bool TransposeB => true;
}

/// <summary>C = Aᵀ·B.</summary>
internal struct FormTN : IGemmForm
{
    public static bool TransposeA => true;
    public static bool TransposeB => false;
}

/// <summary>What becomes of an element of the product; row counts on through the layers of the grid.</summary>
internal interface IGemmEpilogue
{
    static abstract void Store(GemmArguments arguments, int row, int col, float value);
}

/// <summary>C = value.</summary>
internal struct Overwrite : IGemmEpilogue
{
    public static void Store(GemmArguments arguments, int row, int col, float value) =>
        arguments.C[Grid.IdxZ * arguments.M + row, col] = value;
}

/// <summary>C += value.</summary>
internal struct Accumulate : IGemmEpilogue
{
    public static void Store(GemmArguments arguments, int row, int col, float value) =>
        arguments.C[row, col] += value;
}

/// <summary>C = value + bias[col].</summary>
internal struct AddBias : IGemmEpilogue
{
    public static void Store(GemmArguments arguments, int row, int col, float value) =>
        arguments.C[row, col] = value + arguments.Operand[col];
}

/// <summary>C = max(value + bias[col], 0); NaN stays NaN, so that a diverged run is noticed.</summary>
internal struct AddBiasRelu : IGemmEpilogue
{
    public static void Store(GemmArguments arguments, int row, int col, float value)
    {
        float sum = value + arguments.Operand[col];
        arguments.C[row, col] = sum < 0f ? 0f : sum;
    }
}

/// <summary>C = value where mask[row, col] &gt; 0, else 0: the way back through ReLU.</summary>
internal struct ReluMask : IGemmEpilogue
{
    public static void Store(GemmArguments arguments, int row, int col, float value) =>
        arguments.C[row, col] = arguments.Operand[row, col] > 0f ? value : 0f;
}

/// <summary>Size of a group: Edge × Edge threads, each with one register tile.</summary>
internal interface IGemmGroup
{
    static abstract int Edge { get; }
}

internal struct Group16 : IGemmGroup
{
    public static int Edge => 16;
}

internal struct Group8 : IGemmGroup
{
    public static int Edge => 8;
}

internal struct Group4 : IGemmGroup
{
    public static int Edge => 4;
}

internal struct Group2 : IGemmGroup
{
    public static int Edge => 2;
}

/// <summary>
/// The device side of <see cref="GpuGemm"/>. A group of Edge × Edge threads stages Edge inner indices of a block of A
/// and of one of B in shared memory, fetches the next ones to registers while it multiplies, and so walks down the
/// inner dimension. Every element of C is the sum over k in ascending order, whatever the sizes, so that a row's
/// result does not depend on how many other rows there are.
/// </summary>
internal static class GemmKernel
{
    public static void Multiply<TGroup, TTile, TRow, TForm, TEpilogue>(GemmArguments arguments)
        where TGroup : struct, IGemmGroup
        where TTile : struct, IRegisterTile<TTile, TRow>
        where TRow : struct, IRegisterRow<TRow>
        where TForm : struct, IGemmForm
        where TEpilogue : struct, IGemmEpilogue
    {
        // One float of padding a line: the stores of a factor whose inner index is contiguous would all fall into one
        // bank.
        int pitch = TGroup.Edge * TRow.Size + 1;
        ArrayView<float> a = SharedMemory.Allocate<float>(TGroup.Edge * (TGroup.Edge * TRow.Size + 1));
        ArrayView<float> b = SharedMemory.Allocate<float>(TGroup.Edge * (TGroup.Edge * TRow.Size + 1));
        int row = Group.IdxX / TGroup.Edge;
        int col = Group.IdxX % TGroup.Edge;
        int firstRow = Grid.IdxX * TGroup.Edge * TRow.Size;
        int firstCol = Grid.IdxY * TGroup.Edge * TRow.Size;
        int end = IntrinsicMath.Min((Grid.IdxZ + 1) * arguments.KSlice, arguments.K);

        // Consecutive threads fetch consecutive addresses, be that along the inner or the outer dimension.
        int outerA = TForm.TransposeA ? col : row;
        int innerA = TForm.TransposeA ? row : col;
        int outerB = TForm.TransposeB ? row : col;
        int innerB = TForm.TransposeB ? col : row;
        int k = Grid.IdxZ * arguments.KSlice;
        TRow nextA = Fetch<TGroup, TRow>(arguments.A, TForm.TransposeA, firstRow + outerA, arguments.M, k + innerA,
            end);
        TRow nextB = Fetch<TGroup, TRow>(arguments.B, !TForm.TransposeB, firstCol + outerB, arguments.N, k + innerB,
            end);
        TTile sum = default;
        while (k < end)
        {
            // Zeroing beyond the end waits until here: where the row was fetched it would wait for the load.
            TRow.Store(TRow.Keep(nextA, k + innerA < end), a, innerA * pitch + outerA, TGroup.Edge);
            TRow.Store(TRow.Keep(nextB, k + innerB < end), b, innerB * pitch + outerB, TGroup.Edge);
            Group.Barrier();
            k += TGroup.Edge;
            if (k < end)
            {
                nextA = Fetch<TGroup, TRow>(arguments.A, TForm.TransposeA, firstRow + outerA, arguments.M,
                    k + innerA, end);
                nextB = Fetch<TGroup, TRow>(arguments.B, !TForm.TransposeB, firstCol + outerB, arguments.N,
                    k + innerB, end);
            }
            for (int d = 0; d < TGroup.Edge; d++)
            {
                TTile.MultiplyAdd(ref sum,
                    TRow.Load(a, d * pitch + row, TGroup.Edge), TRow.Load(b, d * pitch + col, TGroup.Edge));
            }
            Group.Barrier();
        }
        TTile.Store<TEpilogue>(sum, arguments, firstRow + row, firstCol + col, TGroup.Edge);
    }

    private static TRow Fetch<TGroup, TRow>(Matrix factor, bool transposed, int outer, int count, int k, int end)
        where TGroup : struct, IGemmGroup
        where TRow : struct, IRegisterRow<TRow> =>
        TRow.Fetch(factor, transposed, outer, count - 1, IntrinsicMath.Min(k, end - 1), TGroup.Edge);
}
