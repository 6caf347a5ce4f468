using GlowGpu.Kernels;

namespace GlowGpu.Tests.Checks;

/// <summary>A pixel tensor <c>[N,H,W,C]</c>.</summary>
public sealed record PixelShape(int N, int H, int W, int C) : ITestShape
{
    /// <summary>
    /// The sizes of a Glow's levels (C = 2, 6, 12, 24, 30) on images that are not square, one image and several, and
    /// pixel counts one past the tiles that kernels work in.
    /// </summary>
    public static IReadOnlyList<PixelShape> Common { get; } =
    [
        new(1, 1, 1, 2), new(1, 2, 3, 6), new(2, 3, 2, 12), new(3, 4, 6, 24), new(1, 5, 7, 30), new(1, 1, 97, 12),
            new(1, 193, 1, 6),
        new(5, 8, 6, 2), new(2, 16, 33, 6),
    ];

    /// <summary>P = N·H·W with its factors.</summary>
    public Pixels Pixels => new(N, H, W);

    /// <summary>P.</summary>
    public int P => Pixels.Count;

    /// <inheritdoc/>
    public bool Tiny => P * C <= 1500;

    /// <inheritdoc/>
    public override string ToString() => $"[{N},{H},{W},{C}]";
}
