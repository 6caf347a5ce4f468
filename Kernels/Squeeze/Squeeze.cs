namespace GlowGpu.Kernels;

/// <summary>
/// Space to depth, <c>[N,H,W,C] → [N,H/2,W/2,4C]</c>, output channel 4c + 2·dy + dx for the pixel at offset (dy, dx)
/// of its 2×2 block (openai/glow's order). A permutation: no log-determinant; its backward is its inverse.
/// </summary>
public interface ISqueeze
{
    /// <summary>
    /// x <c>[N·H·W, C]</c> (may be strided) → y <c>[N·H·W/4, 4C]</c>; <paramref name="pixels"/> are those of x, H and
    /// W even.
    /// </summary>
    void Forward(Pixels pixels, View x, View y);

    /// <summary>y → x (may be strided), <paramref name="pixels"/> those of x.</summary>
    void Inverse(Pixels pixels, View y, View x);
}
