namespace GlowGpu.Kernels.Host;

/// <summary>
/// Cuts the pixels of a batch into tiles of equal height (the last may be lower) for the operations that carry a tile
/// through several products.
/// </summary>
/// <remarks>
/// 64 pixels × 512 channels are 128 KB: two layers of activations and the panels of weights that stream past fit a
/// core's L2 of 1 MB (or 512 KB), and a weight is used 64 times for each load. Few pixels are cut finer, so that
/// every worker has the same number of tiles. Heights are multiples of 16, the pixels that <see cref="ColumnSums"/>
/// adds up at once.
/// </remarks>
internal readonly struct Tiles
{
    /// <summary>Heights are multiples of this, but for the last tile.</summary>
    public const int Step = 16;

    /// <summary>The largest height unless another is asked for.</summary>
    public const int MaxRows = 64;

    public Tiles(int pixels, int workers, int most = MaxRows)
    {
        Pixels = pixels;
        int wanted = (pixels + most - 1) / most;
        wanted = (wanted + workers - 1) / workers * workers;
        int rows = (pixels + wanted - 1) / wanted;
        Rows = Math.Max((rows + Step - 1) / Step * Step, Step);
        Count = (pixels + Rows - 1) / Rows;
    }

    private Tiles(int pixels, int rows)
    {
        Pixels = pixels;
        Rows = rows;
        Count = (pixels + rows - 1) / rows;
    }

    /// <summary>Tiles of one height, however many workers there are.</summary>
    public static Tiles Full(int pixels, int rows) => new(pixels, rows);

    /// <summary>Number of pixels.</summary>
    public int Pixels { get; }

    /// <summary>Pixels of a full tile.</summary>
    public int Rows { get; }

    /// <summary>Number of tiles.</summary>
    public int Count { get; }

    /// <summary>First pixel of a tile.</summary>
    public int First(int tile) => tile * Rows;

    /// <summary>Pixels of a tile.</summary>
    public int Height(int tile) => Math.Min(Rows, Pixels - tile * Rows);
}
