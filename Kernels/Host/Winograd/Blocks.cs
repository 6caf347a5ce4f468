namespace GlowGpu.Kernels.Host;

/// <summary>
/// The pixels <c>[N,H,W]</c> of a batch cut into square blocks in raster order, those of a
/// <see cref="MinimalFilter"/>; where a side does not divide H or W, the last blocks have pixels outside the image. A
/// matrix over the pixels of blocks has those of a block, line by line, in rows one after the other. This order
/// depends on nothing but the image's size. Rows that belong to no pixel are called dead.
/// </summary>
internal readonly struct Blocks
{
    private readonly Pixels pixels;
    private readonly int side;

    public Blocks(Pixels pixels, int side)
    {
        this.pixels = pixels;
        this.side = side;
        Lines = (pixels.H + side - 1) / side;
        Columns = (pixels.W + side - 1) / side;
    }

    /// <summary>Blocks below each other in an image.</summary>
    public int Lines { get; }

    /// <summary>Blocks beside each other in an image.</summary>
    public int Columns { get; }

    /// <summary>Blocks of the batch.</summary>
    public int Count => pixels.N * Lines * Columns;

    /// <summary>Rows of a matrix over the pixels of all blocks: whole steps of <see cref="Tiles"/>.</summary>
    public int Rows => (Count * side * side + Tiles.Step - 1) / Tiles.Step * Tiles.Step;

    /// <summary>
    /// Zeroes the dead rows among the blocks [first, first + count) of a tile in <see cref="Panels"/> of so many
    /// columns.
    /// </summary>
    public unsafe void ClearDead(int first, int count, float* tile, nint panel, int columns)
    {
        if (first + count <= Count && pixels.H % side == 0 && pixels.W % side == 0) return;
        for (int i = 0; i < count; i++)
        {
            (int line, int column) = Math.DivRem(first + i, Columns);
            int y = line % Lines * side, x = column * side;
            for (int u = 0; u < side; u++)
                for (int v = 0; v < side; v++)
                {
                    if (first + i < Count && y + u < pixels.H && x + v < pixels.W) continue;
                    float* row = tile + ((i * side + u) * side + v) * Panels.Width;
                    for (int c = 0; c < columns; c += Panels.Width, row += panel) new Span<float>(row,
                        Panels.Width).Clear();
                }
        }
    }
}
