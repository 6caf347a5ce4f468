namespace GlowGpu.Kernels.Host;

/// <summary>
/// The gradient of a 3×3 convolution's weights in the domain of <see cref="MinimalFilter"/>: sums[g, narrow channel, wide channel]
/// over quads of S(narrow)·E(wide), folded back to nine taps at the end. The workers divide the wide channels among themselves
/// and each walks all quads, so that every element is one sum in ascending order, whatever their number.
/// </summary>
internal unsafe struct FilterGradient
{
    private const int Points = MinimalFilter.Points, SlicePanels = TileFilter.SlicePanels, Taps = 9;

    public HostGemm Gemm;

    /// <summary>Channels of the narrow and the wide side.</summary>
    public int Channels, Width;

    /// <summary>Quads of a full tile, and tiles that <see cref="Add"/> takes at most.</summary>
    public int TileQuads, MaxTiles;

    /// <summary>The sums, of <see cref="SumsLength"/>.</summary>
    public float* Sums;

    /// <summary>Whether the taps run from the last to the first: the convolution reads the wide side.</summary>
    public bool Mirrored;

    /// <summary>Floats of the sums.</summary>
    public static nint SumsLength(int channels, int width) => (nint)Points * channels * Panels.Pad(width);

    private readonly nint Point => (nint)Channels * Panels.Pad(Width);

    /// <summary>
    /// Adds <paramref name="quads"/> quads (or begins with them): the narrow side tile after tile as <see cref="QuadPatches.Gather"/> left
    /// it, the wide side tile after tile in panels. <paramref name="slice"/> is scratch of <see cref="TileFilter.SliceLength"/> for
    /// all quads of the tiles.
    /// </summary>
    public readonly void Add(float* narrow, nint narrowTile, float* wide, nint wideTile, int quads, bool begin, float* slice, int part, int parts)
    {
        int row = Panels.Pad(Channels), padded = Panels.Pad(Width);
        nint panel = 4 * (nint)TileQuads * Panels.Width, plane = (nint)MaxTiles * TileQuads * Panels.Width, slicePanel = Points * plane;
        Product product = new()
        {
            ARow = 1,
            AStep = row,
            ABlock = narrowTile,
            Block = TileQuads,
            BPanel = slicePanel,
            BBlock = (nint)TileQuads * Panels.Width,
            CRow = padded,
            CPanel = Panels.Width,
            M = Channels,
            K = quads,
            Epilogue = begin ? Epilogue.Store : Epilogue.Accumulate,
        };
        (int first, int end) = Workers.Share(Panels.Count(Width), part, parts);
        for (int panels; first < end; first += panels)
        {
            panels = Math.Min(SlicePanels, end - first);
            for (int done = 0, tile = 0; done < quads; done += TileQuads, tile++)
                MinimalFilter.Expand(wide + tile * wideTile + first * panel, panel, panels, Math.Min(TileQuads, quads - done),
                    slice + (nint)done * Panels.Width, plane, slicePanel);
            product.N = panels * Panels.Width;
            for (int g = 0; g < Points; g++)
            {
                product.A = narrow + g * (nint)TileQuads * row;
                product.B = slice + g * plane;
                product.C = Sums + g * Point + first * Panels.Width;
                Gemm.Multiply(ref product);
            }
        }
    }

    /// <summary>target[tap, narrow channel, wide channel] = folded sums·scale[wide channel], a worker's share; taps lie so far apart.</summary>
    public readonly void FinishByNarrow(float* scale, float* target, nint tap, int part, int parts)
    {
        float* taps = stackalloc float[Taps * Panels.Width];
        (int first, int end) = Workers.Share(Panels.Count(Width), part, parts);
        for (int panel = first; panel < end; panel++)
        {
            int column = panel * Panels.Width, n = Math.Min(Panels.Width, Width - column);
            for (int c = 0; c < Channels; c++)
            {
                MinimalFilter.Fold(Sums + (nint)c * Panels.Pad(Width) + column, Point, Mirrored, taps);
                for (int t = 0; t < Taps; t++)
                    Panels.Scale(taps + t * Panels.Width, scale + column, target + t * tap + (nint)c * Width + column, n);
            }
        }
    }

    /// <summary>target[tap, wide channel, narrow channel] = folded sums·scale[narrow channel], likewise.</summary>
    public readonly void FinishByWide(float* scale, float* target, nint tap, int part, int parts)
    {
        float* taps = stackalloc float[Taps * Panels.Width];
        (int first, int end) = Workers.Share(Panels.Count(Width), part, parts);
        for (int panel = first; panel < end; panel++)
        {
            int column = panel * Panels.Width, n = Math.Min(Panels.Width, Width - column);
            for (int c = 0; c < Channels; c++)
            {
                MinimalFilter.Fold(Sums + (nint)c * Panels.Pad(Width) + column, Point, Mirrored, taps);
                float* to = target + (nint)column * Channels + c;
                for (int t = 0; t < Taps; t++)
                    for (int i = 0; i < n; i++) to[t * tap + i * Channels] = taps[t * Panels.Width + i] * scale[c];
            }
        }
    }
}
