using GlowGpu.Bench.Roofline;
using GlowGpu.Kernels;

namespace GlowGpu.Bench.Gpu;

/// <summary>
/// A matrix product c [M,N] = op(a)·op(b) over K, of row-major matrices of which one may be read transposed.
/// </summary>
/// <param name="Name">for people</param>
/// <param name="M">rows of c</param>
/// <param name="N">columns of c</param>
/// <param name="K">length of the sums</param>
/// <param name="TransposeA">a is stored as [K,M]</param>
/// <param name="TransposeB">b is stored as [N,K]</param>
internal sealed record ProductShape(string Name, int M, int N, int K, bool TransposeA = false, bool TransposeB = false)
{
    /// <summary>Rows of a as it is stored.</summary>
    public int ARows => TransposeA ? K : M;

    /// <summary>Columns of a as it is stored.</summary>
    public int ACols => TransposeA ? M : K;

    /// <summary>Rows of b as it is stored.</summary>
    public int BRows => TransposeB ? N : K;

    /// <summary>Columns of b as it is stored.</summary>
    public int BCols => TransposeB ? K : N;

    /// <summary>Flops and bytes.</summary>
    public Cost Cost(string precision) => Roofline.Cost.Product(M, N, K, precision == "bf16" ? 2 : 4);

    /// <summary>
    /// The three products of a coupling network over P pixels, forward and backward (the gradient of the input and of
    /// the weights).
    /// </summary>
    public static IReadOnlyList<ProductShape> Of(CouplingNetShape net, int p)
    {
        int patches = 9 * net.In1, taps = 9 * net.Out, width = net.Width;
        return
        [
            new("patches·W1", p, width, patches), new("a1·W2", p, width, width), new("a2·W3", p, taps, width),
            new("dtaps·W3ᵀ", p, width, taps, TransposeB: true), new("g2·W2ᵀ", p, width, width, TransposeB: true),
            new("g1·W1ᵀ", p, patches, width, TransposeB: true),
            new("a2ᵀ·dtaps", width, taps, p, TransposeA: true), new("a1ᵀ·g2", width, width, p, TransposeA: true),
            new("patchesᵀ·g1", patches, width, p, TransposeA: true),
        ];
    }

    /// <summary>The entry of the product, summed in double from the stored matrices.</summary>
    public double Entry(ReadOnlySpan<float> a, ReadOnlySpan<float> b, int row, int col)
    {
        double sum = 0;
        for (int k = 0; k < K; k++)
            sum += (double)(TransposeA ? a[k * M + row] : a[row * K + k]) * (TransposeB ? b[col * K + k]
                : b[k * N + col]);
        return sum;
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Name} [{M},{K}]·[{K},{N}]";
}
