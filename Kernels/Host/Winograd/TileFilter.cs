namespace GlowGpu.Kernels.Host;

/// <summary>
/// The matrix products of a <see cref="MinimalFilter"/> for the blocks of one tile of hidden activations, kept in
/// <see cref="Panels"/> <see cref="Panel"/> apart. Wide channels pass in slices of a few panels, so that their
/// transformed copies stay in cache; <see cref="Slice"/> holds them as <c>[panel, g, block, 16]</c>.
/// </summary>
internal unsafe struct TileFilter
{
    /// <summary>Panels of a slice: the columns of a micro-kernel pass.</summary>
    private const int SlicePanels = 3;

    // Of a slice that is summed over: the longer, the fewer times sums are loaded and stored.
    public const int NarrowSlice = 4;

    // Fewer floats than this, half of an L2 cache, stay in one from a tile to the next.
    private const int LeastFetched = 1 << 17;

    public HostGemm Gemm;
    public MinimalFilter Filter;

    /// <summary>Blocks of this tile.</summary>
    public int Blocks;

    /// <summary>Blocks that there is room for: of the highest tile.</summary>
    public int Capacity;

    /// <summary>Distance between panels of a tile.</summary>
    public nint Panel;

    /// <summary>
    /// Whether a wide side that is written with a ReLU lies in memory rather than in a cache: it is fetched slice by
    /// slice.
    /// </summary>
    public bool Cold;

    /// <summary>
    /// Whether weights from wide to narrow lie in memory rather than in a cache: if they are many, they are fetched
    /// point by point.
    /// </summary>
    public bool Far;

    /// <summary>Scratch of <see cref="SliceLength"/>.</summary>
    public float* Slice;

    /// <summary>Distance between two g in a slice.</summary>
    public readonly nint Plane => (nint)(Capacity + 1) * Panels.Width;

    private readonly nint SlicePanel => Filter.Points * Plane;

    /// <summary>Panels of the next slice when so many are left: 2 + 2 rather than 3 + 1.</summary>
    public static int Slicing(int left) => left == SlicePanels + 1 ? left / 2 : Math.Min(SlicePanels, left);

    /// <summary>Floats of a slice for tiles of so many blocks.</summary>
    public static nint SliceLength(MinimalFilter filter, int blocks) => (nint)NarrowSlice * filter.Points
        * (blocks + 1) * Panels.Width;

    /// <summary>Floats of the narrow side of a tile: [g, block, channels padded to panels].</summary>
    public static nint NarrowLength(MinimalFilter filter, int blocks, int channels) => (nint)filter.Points * blocks
        * Panels.Pad(channels);

    /// <summary>All panels of the following.</summary>
    public readonly void ToWideRelu(float* narrow, int channels, float* weights, int width, float* bias, float* wide) =>
        ToWideRelu(narrow, channels, weights, width, bias, wide, 0, Panels.Count(width));

    /// <summary>
    /// wide = max(Eᵀ(weights·narrow) + bias, 0) for the panels [<paramref name="first"/>, <paramref name="end"/>) of
    /// <paramref name="width"/> channels, by weights of <see cref="FilterWeights.ToWide"/>.
    /// </summary>
    public readonly void ToWideRelu(float* narrow, int channels, float* weights, int width, float* bias,
        float* wide, int first, int end)
    {
        for (int panels; first < end; first += panels)
        {
            Ahead ahead = NextSlice(wide, first, end);
            panels = Multiply(narrow, channels, weights, width, first, end, Cold ? &ahead : null);
            for (int p = 0; p < panels; p++)
                Filter.ContractRelu(
                    Slice + p * SlicePanel, Plane, Blocks, bias + (first + p) * Panels.Width,
                        wide + (first + p) * Panel);
        }
    }

    /// <summary>
    /// One slice, of the panels [<paramref name="first"/>, <paramref name="end"/>), of wide = Eᵀ(weights·narrow)
    /// where the gate is above zero, elsewhere 0; returns its number of panels.
    /// </summary>
    public readonly int ToWideMasked(float* narrow, int channels, float* weights, int width, int first, int end,
        float* gate, float* wide)
    {
        Ahead ahead = NextSlice(gate, first, end);
        int panels = Multiply(narrow, channels, weights, width, first, end, &ahead);
        for (int p = 0; p < panels; p++)
            Filter.ContractMasked(Slice + p * SlicePanel, Plane, Blocks, gate + (first + p) * Panel,
                wide + (first + p) * Panel);
        return panels;
    }

    /// <summary>All g of the following.</summary>
    public readonly void ToNarrow(float* wide, int width, float* weights, int channels, float* narrow) =>
        ToNarrow(wide, width, weights, channels, narrow, 0, Filter.Points);

    /// <summary>
    /// narrow[g, block, c] = Σ over <paramref name="width"/> wide channels of E(wide)·weights, by those of
    /// <see cref="FilterWeights.ToNarrow"/>, for so many channels and the g in [<paramref name="firstPoint"/>,
    /// <paramref name="endPoint"/>); what lies behind them in a row is arbitrary.
    /// </summary>
    public readonly void ToNarrow(float* wide, int width, float* weights, int channels, float* narrow,
        int firstPoint, int endPoint)
    {
        FilterWeights layout = FilterWeights.ToNarrow(Filter, width, channels);
        int row = Panels.Pad(channels);
        for (int first = 0; first < Panels.Count(width); first += NarrowSlice)
        {
            int panels = Math.Min(NarrowSlice, Panels.Count(width) - first);
            Filter.Expand(wide + first * Panel, Panel, panels, Blocks, Slice, Plane, SlicePanel);
            float* start = weights + layout.Panel(first) + firstPoint * layout.Point;
            Ahead ahead = new()
            {
                Start = start + layout.Point,
                Rows = (int)((endPoint - firstPoint - 1) * layout.Point / Panels.Width),
                Panels = 1,
                Tiles = 1,
                Step = (int)(layout.Point / Panels.Width) / Gemm.Passes(Blocks, Gemm.Columns(channels)) + 1,
            };
            Product product = new()
            {
                A = Slice + firstPoint * Plane,
                ARow = Panels.Width,
                AStep = 1,
                ABlock = SlicePanel,
                Block = Panels.Width,
                B = start,
                BPanel = layout.NarrowPanel,
                BBlock = Panels.Width * Panels.Width,
                C = narrow + firstPoint * (nint)Capacity * row,
                CRow = row,
                CPanel = Panels.Width,
                M = Blocks,
                N = Gemm.Columns(channels),
                K = Math.Min(panels * Panels.Width, width - first * Panels.Width),
                Epilogue = first == 0 ? Epilogue.Store : Epilogue.Accumulate,
                Ahead = Far && layout.Length >= LeastFetched ? &ahead : null,
            };
            Gemm.MultiplyEach(ref product, endPoint - firstPoint, Plane, layout.Point, (nint)Capacity * row);
        }
    }

    /// <summary>
    /// The slice of a wide side behind the one that begins with a panel, to be fetched with the products of that one.
    /// </summary>
    private readonly Ahead NextSlice(float* wide, int first, int end)
    {
        int next = first + Slicing(end - first);
        return new Ahead
        {
            Start = wide + next * Panel,
            Rows = Blocks * Filter.Area,
            Panels = Slicing(end - next),
            PanelDistance = Panel,
            Tiles = 1,
            Step = Blocks * Filter.Area / Filter.Points + 1,
        };
    }

    /// <summary>
    /// The products of one slice of wide channels, into <see cref="Slice"/>; returns its number of panels, which ends
    /// before so many.
    /// </summary>
    private readonly int Multiply(float* narrow, int channels, float* weights, int width, int first,
        int end, Ahead* ahead = null)
    {
        FilterWeights layout = FilterWeights.ToWide(Filter, channels, width);
        int row = Panels.Pad(channels), panels = Slicing(end - first);
        Product product = new()
        {
            A = narrow,
            ARow = row,
            AStep = 1,
            Block = channels,
            B = weights + layout.Panel(first),
            BPanel = layout.Slice,
            C = Slice,
            CRow = Panels.Width,
            CPanel = SlicePanel,
            M = Blocks,
            N = panels * Panels.Width,
            K = channels,
            Ahead = ahead,
        };
        Gemm.MultiplyEach(ref product, Filter.Points, (nint)Capacity * row, layout.Point, Plane);
        return panels;
    }
}
