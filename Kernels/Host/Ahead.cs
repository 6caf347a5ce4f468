using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace GlowGpu.Kernels.Host;

/// <summary>
/// Activations that will be read next, in <see cref="Panels"/> of some tiles: brought into cache piece by piece while products that precede them are
/// computed. They were written a whole pass ago and come from memory, in runs too short for a processor to notice by itself. A hint: no result depends on it.
/// </summary>
internal unsafe struct Ahead
{
    /// <summary>The first panel in the first tile.</summary>
    public float* Start;

    /// <summary>Rows of a tile.</summary>
    public int Rows;

    public int Panels, Tiles;
    public nint PanelDistance, TileDistance;

    /// <summary>Fetches one of so many shares of the rows.</summary>
    public readonly void Fetch(int share, int shares)
    {
        (int first, int end) = Workers.Share(Rows, share, shares);
        for (int tile = 0; tile < Tiles; tile++)
            for (int panel = 0; panel < Panels; panel++)
            {
                float* line = Start + tile * TileDistance + panel * PanelDistance + first * Host.Panels.Width;
                for (int row = first; row < end; row++, line += Host.Panels.Width) Line(line);
            }
    }

    /// <summary>Fetches a cache line.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Line(float* at)
    {
        if (Sse.IsSupported) Sse.Prefetch0(at);
    }
}
