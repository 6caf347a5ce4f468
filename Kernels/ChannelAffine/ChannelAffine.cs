namespace GlowGpu.Kernels;

/// <summary>
/// The channel GEMM: actnorm and invertible 1×1 convolution (or permutation) folded into one affine map of each
/// pixel's channel vector (Kingma &amp; Dhariwal 2018, table 1). The folded matrix comes from
/// <see cref="IChannelMap"/>; the inverse of the step is the same operation with the inverse map.
/// <code>y[p,j] = Σ_i x[p,i]·w[i,j] + b[j]</code>
/// 2·P·C² flops, 8·P·C bytes. C up to 384; accumulation in float32.
/// </summary>
public interface IChannelAffine
{
    /// <summary>y = x·w + b. x <c>[P,C]</c>, w <c>[C,C]</c> dense, b <c>[1,C]</c>, y <c>[P,C]</c>.</summary>
    void Apply(View x, View w, View b, View y);

    /// <summary>
    /// dx = dy·wᵀ, dw = xᵀ·dy, db = Σ_p dy. dy, x, dx <c>[P,C]</c>; w, dw <c>[C,C]</c>; db <c>[1,C]</c>. Overwrites
    /// all three.
    /// </summary>
    void Backward(View dy, View x, View w, View dx, View dw, View db);
}
