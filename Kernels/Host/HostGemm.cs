using System.Runtime.Intrinsics;

namespace GlowGpu.Kernels.Host;

/// <summary>What happens to a tile of a product while it is still in registers.</summary>
internal enum Epilogue
{
    /// <summary>C = A·B.</summary>
    Store,

    /// <summary>C += A·B, the sum over k continued in the same order as one longer product.</summary>
    Accumulate,

    /// <summary>C = A·B + bias.</summary>
    Bias,

    /// <summary>C = max(A·B + bias, 0).</summary>
    BiasRelu,

    /// <summary>C = A·B where the gate is above zero, elsewhere 0: the backward pass of a ReLU.</summary>
    Mask,
}

/// <summary>
/// C[M,N] from A[M,K]·B[K,N]. All distances are in floats.
/// <list type="bullet">
/// <item>A: element (m, k) at <c>A + m·ARow + (k / Block)·ABlock + (k % Block)·AStep</c>. With ARow the step it is read down a
/// column, so the same kernel multiplies by A or by Aᵀ.</item>
/// <item>B, in <see cref="Panels"/>: element (k, n) at <c>B + (n / 16)·BPanel + (k / Block)·BBlock + (k % Block)·16 + n % 16</c>; its
/// last panel must be whole in memory.</item>
/// <item>C: element (m, n) at <c>C + (n / 16)·CPanel + m·CRow + n % 16</c>: panels, or rows when CPanel = 16. Nothing beyond
/// column N is touched; <see cref="Epilogue.Accumulate"/> needs N in whole panels.</item>
/// <item>Operand, whole panels: the bias (OperandRow = 0) or the gate, addressed like C.</item>
/// </list>
/// </summary>
internal unsafe struct Product
{
    public float* A;
    public float* B;
    public float* C;
    public float* Operand;
    public nint ARow, AStep, ABlock;
    public nint BPanel, BBlock;
    public nint CRow, CPanel;
    public nint OperandRow, OperandPanel;
    public int M, N, K, Block;
    public Epilogue Epilogue;
}

/// <summary>
/// Single-precision matrix products of the host backend, on one thread: the operations split their work over the
/// workers, where they know the shape of all of it.
/// </summary>
internal sealed unsafe partial class HostGemm
{
    private const int MaxVectors = 3;

    // kernels[rows · MaxVectors + vectors − 1] for the row counts of a level.
    private readonly delegate*<Product*, float*, float*, float*, float*, int, void>[] kernels;
    private readonly int rows;
    private readonly int vectors;
    private readonly int lanes;

    public HostGemm(SimdLevel level)
    {
        if (!SimdLevels.IsSupported(level))
            throw new NotSupportedException($"host: this machine cannot run {level} instructions; {SimdLevels.Best} is its widest level");
        Level = level;
        (rows, vectors, lanes) = level switch
        {
            SimdLevel.Avx512 => (8, 3, 16),
            SimdLevel.Avx2 => (6, 2, 8),
            _ => (4, 2, 4),
        };
        kernels = new delegate*<Product*, float*, float*, float*, float*, int, void>[(rows + 1) * MaxVectors];
        switch (level)
        {
            case SimdLevel.Avx512:
                Add<Simd512, Vector512<float>, Eight>();
                AddTails<Simd512, Vector512<float>>();
                break;
            case SimdLevel.Avx2:
                Add<Simd256, Vector256<float>, Six>();
                AddTails<Simd256, Vector256<float>>();
                break;
            default:
                AddTails<Simd128, Vector128<float>>();
                break;
        }
    }

    /// <summary>The instruction set of the kernels.</summary>
    public SimdLevel Level { get; }

    /// <summary>Computes one product.</summary>
    public void Multiply(ref Product product)
    {
        fixed (Product* p = &product)
        {
            int count = (p->N + lanes - 1) / lanes;
            int perPanel = Panels.Width / lanes;
            int tail = p->N - (count - 1) * lanes;
            for (int v = 0; v < count; v += vectors)
            {
                int width = Math.Min(vectors, count - v);
                int last = v + width == count ? tail : lanes;
                int panel = v / perPanel, offset = v % perPanel * lanes;
                float* b = p->B + panel * p->BPanel + offset;
                float* c = p->C + panel * p->CPanel + offset;
                float* operand = p->Operand + panel * p->OperandPanel + offset;
                for (int m = 0; m < p->M;)
                {
                    int height = p->M - m;
                    height = height >= rows ? rows : height >= 4 ? 4 : height >= 2 ? 2 : 1;
                    kernels[height * MaxVectors + width - 1](
                        p, p->A + m * p->ARow, b, c + m * p->CRow, operand + m * p->OperandRow, last);
                    m += height;
                }
            }
        }
    }

    private void AddTails<TSimd, TVec>() where TSimd : struct, ISimd<TVec> where TVec : struct
    {
        Add<TSimd, TVec, Four>();
        Add<TSimd, TVec, Two>();
        Add<TSimd, TVec, One>();
    }

    private void Add<TSimd, TVec, TRows>() where TSimd : struct, ISimd<TVec> where TVec : struct where TRows : struct, INumber
    {
        int i = TRows.Value * MaxVectors;
        kernels[i] = &Kernel<TSimd, TVec, TRows, One>;
        kernels[i + 1] = &Kernel<TSimd, TVec, TRows, Two>;
        kernels[i + 2] = &Kernel<TSimd, TVec, TRows, Three>;
    }
}
