using GlowGpu.Kernels;
using GlowGpu.Tests.Checks;

namespace GlowGpu.Tests.Kernels;

/// <summary>A network on images: in → width → out channels, z1 dense or half of a wider tensor.</summary>
public sealed record NetworkShape(int N, int H, int W, int In, int Width, int Out, bool EdgeBias, Layout Layout)
    : ITestShape
{
    /// <summary>
    /// In, out as couplings of both kinds and splits have them (C = 2, 6, 12, 24, 30), odd widths and widths around the
    /// multiples that kernels work in, pixel counts one past a tile, images of one pixel, one row, one column.
    /// </summary>
    public static IReadOnlyList<NetworkShape> Common { get; } =
    [
        new(1, 1, 1, 1, 3, 2, true, Layout.Dense),
        new(1, 2, 3, 1, 5, 1, false, Layout.FirstHalf),
        new(1, 2, 2, 3, 4, 6, true, Layout.FirstHalf),
        new(2, 3, 2, 6, 8, 6, true, Layout.Dense),
        new(2, 1, 4, 3, 7, 3, true, Layout.FirstHalf),
        new(1, 5, 3, 6, 33, 12, true, Layout.FirstHalf),
        new(2, 4, 6, 12, 16, 24, true, Layout.FirstHalf),
        new(3, 7, 5, 15, 17, 30, true, Layout.FirstHalf),
        new(1, 97, 1, 3, 32, 6, true, Layout.FirstHalf),
        new(1, 1, 193, 6, 33, 12, false, Layout.FirstHalf),
        new(2, 8, 13, 12, 48, 12, true, Layout.FirstHalf),
        new(1, 6, 9, 24, 65, 48, false, Layout.FirstHalf),
        new(1, 16, 12, 3, 128, 6, true, Layout.FirstHalf),
        new(1, 3, 3, 48, 31, 96, true, Layout.FirstHalf),
        // The published width; and several tiles of pixels for each of two threads.
        new(1, 2, 5, 6, 512, 12, true, Layout.FirstHalf),
        new(2, 16, 17, 6, 40, 12, true, Layout.FirstHalf),
    ];

    /// <summary>N, H, W.</summary>
    public Pixels Pixels => new(N, H, W);

    /// <summary>P.</summary>
    public int P => Pixels.Count;

    /// <summary>The coupling network of these sizes.</summary>
    public CouplingNetShape Coupling => new(In, Width, Out, EdgeBias);

    /// <summary>The zero convolution of these sizes; the width plays no part.</summary>
    public ZeroConvShape ZeroConv => new(In, Out, EdgeBias);

    /// <inheritdoc/>
    public bool Tiny => P * Width * (9L * In + Width + 9 * Out) <= 200_000;

    /// <summary>Rounding errors of the longest sums on the way, in units of the result's size.</summary>
    public double Relative => 24 * Tolerance.Ulp * Math.Sqrt(9 * Math.Max(Math.Max(In, Width), P));

    /// <inheritdoc/>
    public override string ToString() =>
        $"[{N},{H},{W}] {In}→{Width}→{Out}{(EdgeBias ? " edge" : "")}{(Layout == Layout.Dense ? "" : " strided")}";
}
