namespace GlowGpu.Kernels.Host;

/// <summary>
/// The pixels <c>[N,H,W]</c> of a batch cut into quads, blocks of 2×2, in raster order; where H or W is odd the last quads have
/// pixels outside the image. A matrix over the pixels of quads keeps four quads in 16 rows: the first pixel of each, then the
/// second of each, so that a quad's pixels are <see cref="Plane"/> rows apart. This order depends on nothing but the image's size.
/// Rows that belong to no pixel are called dead.
/// </summary>
internal readonly struct Quads
{
    /// <summary>Rows between two pixels of a quad.</summary>
    public const int Plane = 4;

    private const int BlockRows = 4 * Plane;

    private readonly Pixels pixels;

    public Quads(Pixels pixels)
    {
        this.pixels = pixels;
        Lines = (pixels.H + 1) / 2;
        Columns = (pixels.W + 1) / 2;
    }

    /// <summary>Quads below each other in an image.</summary>
    public int Lines { get; }

    /// <summary>Quads beside each other in an image.</summary>
    public int Columns { get; }

    /// <summary>Quads of the batch.</summary>
    public int Count => pixels.N * Lines * Columns;

    /// <summary>Rows of a matrix over the pixels of all quads: whole blocks of 16.</summary>
    public int Rows => (Count + Plane - 1) / Plane * BlockRows;

    /// <summary>The row of a quad's first pixel.</summary>
    public static int Row(int quad) => quad / Plane * BlockRows + quad % Plane;

    /// <summary>Zeroes the dead rows among the quads [first, first + count) of a tile in <see cref="Panels"/> of so many columns.</summary>
    public unsafe void ClearDead(int first, int count, float* tile, nint panel, int columns)
    {
        if (first + count <= Count && pixels.H % 2 == 0 && pixels.W % 2 == 0) return;
        for (int i = 0; i < count; i++)
        {
            bool outside = first + i >= Count;
            (int line, int column) = Math.DivRem(first + i, Columns);
            bool below = outside || 2 * (line % Lines) + 1 == pixels.H, beside = outside || 2 * column + 1 == pixels.W;
            for (int plane = 0; plane < 4; plane++)
            {
                if (!outside && !(below && plane >= 2) && !(beside && plane % 2 == 1)) continue;
                float* row = tile + (Row(i) + plane * Plane) * Panels.Width;
                for (int c = 0; c < columns; c += Panels.Width, row += panel) new Span<float>(row, Panels.Width).Clear();
            }
        }
    }
}
