using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace GlowGpu.Kernels.Host;

/// <summary>
/// Memory that will be read next, brought into cache piece by piece while products that precede it are computed:
/// <see cref="Panels"/> of activations, written a whole pass ago in runs too short for a processor to notice by
/// itself, or weights. A hint: no result depends on it.
/// </summary>
internal unsafe struct Ahead
{
    /// <summary>The first panel in the first tile.</summary>
    public float* Start;

    /// <summary>Cache lines of a panel of a tile.</summary>
    public int Rows;

    public int Panels, Tiles;
    public nint PanelDistance, TileDistance;

    /// <summary>Rows to fetch with every pass of a micro-kernel.</summary>
    public int Step;

    private int done;

    /// <summary>A run of memory, to be fetched within so many passes.</summary>
    public static Ahead Of(float* start, nint length, int passes) => new()
    {
        Start = start,
        Rows = (int)(length / Host.Panels.Width),
        Panels = 1,
        Tiles = 1,
        Step = (int)(length / Host.Panels.Width / Math.Max(passes, 1)) + 1,
    };

    /// <summary>Fetches the next rows, as long as there are any.</summary>
    public void Fetch()
    {
        int first = done;
        if (first >= Rows) return;
        done = Math.Min(first + Step, Rows);
        for (int tile = 0; tile < Tiles; tile++)
            for (int panel = 0; panel < Panels; panel++)
            {
                float* line = Start + tile * TileDistance + panel * PanelDistance + (nint)first * Host.Panels.Width;
                for (int row = first; row < done; row++, line += Host.Panels.Width) Line(line);
            }
    }

    /// <summary>Fetches a cache line.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Line(float* at)
    {
        if (Sse.IsSupported) Sse.Prefetch0(at);
    }
}
