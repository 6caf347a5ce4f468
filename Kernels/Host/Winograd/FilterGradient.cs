namespace GlowGpu.Kernels.Host;

/// <summary>
/// The gradient of a 3×3 convolution's weights in the domain of a <see cref="MinimalFilter"/>: for every g, narrow
/// and wide channel the sum over blocks of S(narrow)·E(wide), folded back to nine taps at the end. The workers divide
/// the wide channels among themselves and each walks all blocks, so that every element is one sum in ascending order,
/// whatever their number.
/// </summary>
internal unsafe struct FilterGradient
{
    private const int Taps = 9;

    // Narrow channels that are folded at a time, and floats of one tap of them.
    private const int FoldRows = Panels.Width, FoldBlock = FoldRows * Panels.Width;

    public HostGemm Gemm;
    public MinimalFilter Filter;

    /// <summary>Channels of the narrow and the wide side.</summary>
    public int Channels, Width;

    /// <summary>Blocks of a full tile, and tiles that <see cref="Add"/> takes at most.</summary>
    public int TileBlocks, MaxTiles;

    /// <summary>The sums, laid out by <see cref="FilterWeights.ToWide"/>.</summary>
    public float* Sums;

    /// <summary>
    /// Lots of sums that <see cref="Sums"/> begins, one behind the other; they are added up when they are folded.
    /// </summary>
    public int Groups;

    /// <summary>Whether the taps run from the last to the first: the convolution reads the wide side.</summary>
    public bool Mirrored;

    private readonly FilterWeights Layout => FilterWeights.ToWide(Filter, Channels, Width);

    /// <summary>
    /// Adds <paramref name="blocks"/> blocks (or begins with them): the narrow side tile after tile as
    /// <see cref="BlockPatches.Gather"/> left it, the wide side tile after tile in panels. <paramref name="slice"/>
    /// is scratch of <see cref="TileFilter.SliceLength"/> for all blocks of the tiles.
    /// </summary>
    public readonly void Add(float* narrow, nint narrowTile, float* wide, nint wideTile, int blocks, bool begin,
        float* slice, int part, int parts)
    {
        FilterWeights layout = Layout;
        int row = Panels.Pad(Channels);
        nint panel = Filter.Area * (nint)TileBlocks * Panels.Width,
            plane = ((nint)MaxTiles * TileBlocks + 1) * Panels.Width, slicePanel = Filter.Points * plane;
        Product product = new()
        {
            A = narrow,
            ARow = 1,
            AStep = row,
            ABlock = narrowTile,
            Block = TileBlocks,
            B = slice,
            BPanel = slicePanel,
            BBlock = (nint)TileBlocks * Panels.Width,
            CRow = Panels.Width,
            CPanel = layout.Slice,
            M = Channels,
            K = blocks,
            Epilogue = begin ? Epilogue.Store : Epilogue.Accumulate,
            Cold = true,
        };
        (int first, int end) = Workers.Share(Panels.Count(Width), part, parts);
        for (int panels; first < end; first += panels)
        {
            panels = TileFilter.Slicing(end - first);
            for (int done = 0, tile = 0; done < blocks; done += TileBlocks, tile++)
                Filter.Expand(wide + tile * wideTile + first * panel, panel, panels,
                    Math.Min(TileBlocks, blocks - done),
                    slice + (nint)done * Panels.Width, plane, slicePanel);
            product.N = panels * Panels.Width;
            product.C = Sums + layout.Panel(first);
            int next = first + panels;
            Ahead ahead = new()
            {
                Start = wide + next * panel,
                Rows = Math.Min(blocks, TileBlocks) * Filter.Area,
                Panels = TileFilter.Slicing(end - next),
                PanelDistance = panel,
                Tiles = (blocks + TileBlocks - 1) / TileBlocks,
                TileDistance = wideTile,
            };
            ahead.Step = ahead.Rows / Filter.Points + 1;
            product.Ahead = &ahead;
            Gemm.MultiplyEach(ref product, Filter.Points, (nint)TileBlocks * row, plane, layout.Point);
        }
    }

    /// <summary>
    /// target[tap, narrow channel, wide channel] = folded sums·scale[wide channel], a worker's share; taps lie so far
    /// apart.
    /// </summary>
    public readonly void FinishByNarrow(float* scale, float* target, nint tap, int part, int parts)
    {
        float* taps = stackalloc float[Taps * FoldBlock];
        (int first, int end) = Workers.Share(Panels.Count(Width), part, parts);
        for (int panel = first; panel < end; panel++)
        {
            int column = panel * Panels.Width, n = Math.Min(Panels.Width, Width - column);
            SumGroups(panel);
            for (int c = 0; c < Channels; c += FoldRows)
            {
                int rows = Fold(panel, c, taps);
                for (int t = 0; t < Taps; t++)
                {
                    float* from = taps + t * FoldBlock, to = target + t * tap + (nint)c * Width + column;
                    for (int row = 0; row < rows; row++, from += Panels.Width, to += Width) Panels.Scale(from,
                        scale + column, to, n);
                }
            }
        }
    }

    /// <summary>target[tap, wide channel, narrow channel] = folded sums·scale[narrow channel], likewise.</summary>
    public readonly void FinishByWide(float* scale, float* target, nint tap, int part, int parts)
    {
        float* taps = stackalloc float[Taps * FoldBlock], turned = stackalloc float[FoldBlock];
        (int first, int end) = Workers.Share(Panels.Count(Width), part, parts);
        for (int panel = first; panel < end; panel++)
        {
            int column = panel * Panels.Width, n = Math.Min(Panels.Width, Width - column);
            SumGroups(panel);
            for (int c = 0; c < Channels; c += FoldRows)
            {
                int rows = Fold(panel, c, taps);
                for (int t = 0; t < Taps; t++)
                {
                    Panels.PackTransposedPanel(taps + t * FoldBlock, Panels.Width, n, rows, null, scale + c, turned);
                    float* from = turned, to = target + t * tap + (nint)column * Channels + c;
                    for (int i = 0; i < n; i++, from += Panels.Width, to += Channels) Panels.CopyRow(from, to, rows);
                }
            }
        }
    }

    /// <summary>Adds the sums of a panel of wide channels of all groups to those of the first, in order.</summary>
    private readonly void SumGroups(int panel)
    {
        FilterWeights layout = Layout;
        float* sums = Sums + layout.Panel(panel);
        HostReduce.Add(sums, sums + layout.Length, layout.Length, Groups - 1, layout.Slice);
    }

    /// <summary>
    /// taps[tap, row, 16] of the wide channels of a panel and some narrow ones from one on; returns how many.
    /// </summary>
    private readonly int Fold(int panel, int channel, float* taps)
    {
        FilterWeights layout = Layout;
        int rows = Math.Min(FoldRows, Channels - channel);
        Filter.Fold(Sums + layout.Panel(panel) + channel * Panels.Width, layout.Point, rows, Mirrored, taps, FoldBlock);
        return rows;
    }
}
