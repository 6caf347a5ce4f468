namespace GlowGpu.Kernels.Host;

/// <summary>
/// The matrix products of <see cref="MinimalFilter"/> for the quads of one tile of hidden activations, kept in
/// <see cref="Panels"/> <see cref="Panel"/> apart. Wide channels pass in slices of a few panels, so that their 16 transformed
/// copies stay in cache; <see cref="Slice"/> holds them as <c>[panel, g, quad, 16]</c>.
/// </summary>
internal unsafe struct TileFilter
{
    /// <summary>Panels of a slice: the columns of a micro-kernel pass.</summary>
    public const int SlicePanels = 3;

    private const int Points = MinimalFilter.Points;

    public HostGemm Gemm;

    /// <summary>Quads of this tile.</summary>
    public int Quads;

    /// <summary>Quads that there is room for: of the highest tile.</summary>
    public int Capacity;

    /// <summary>Distance between panels of a tile.</summary>
    public nint Panel;

    /// <summary>Scratch of <see cref="SliceLength"/>.</summary>
    public float* Slice;

    /// <summary>Distance between two g in a slice.</summary>
    public readonly nint Plane => (nint)Capacity * Panels.Width;

    private readonly nint SlicePanel => Points * Plane;

    /// <summary>Floats of a slice for tiles of so many quads.</summary>
    public static nint SliceLength(int quads) => (nint)SlicePanels * Points * quads * Panels.Width;

    /// <summary>Floats of the narrow side of a tile: [g, quad, channels padded to panels].</summary>
    public static nint NarrowLength(int quads, int channels) => (nint)Points * quads * Panels.Pad(channels);

    /// <summary>
    /// wide = max(Eᵀ(weights·narrow) + bias, 0) for <paramref name="width"/> channels; weights are <c>[g]</c> panels of
    /// <paramref name="channels"/> rows.
    /// </summary>
    public readonly void ToWideRelu(float* narrow, int channels, float* weights, int width, float* bias, float* wide)
    {
        for (int first = 0; first < Panels.Count(width); first += SlicePanels)
        {
            int panels = Multiply(narrow, channels, weights, width, first);
            for (int p = 0; p < panels; p++)
                MinimalFilter.ContractRelu(
                    Slice + p * SlicePanel, Plane, Quads, bias + (first + p) * Panels.Width, wide + (first + p) * Panel);
        }
    }

    /// <summary>
    /// One slice of wide = Eᵀ(weights·narrow) where the gate is above zero, elsewhere 0; returns its number of panels.
    /// </summary>
    public readonly int ToWideMasked(float* narrow, int channels, float* weights, int width, int first, float* gate, float* wide)
    {
        int panels = Multiply(narrow, channels, weights, width, first);
        for (int p = 0; p < panels; p++)
            MinimalFilter.ContractMasked(Slice + p * SlicePanel, Plane, Quads, gate + (first + p) * Panel, wide + (first + p) * Panel);
        return panels;
    }

    /// <summary>
    /// narrow[g, quad, c] = Σ over wide channels of E(wide)·weights, <c>[g]</c> panels of <paramref name="width"/> rows, for so many
    /// channels; what lies behind them in a row is arbitrary.
    /// </summary>
    public readonly void ToNarrow(float* wide, int width, float* weights, int channels, float* narrow)
    {
        int row = Panels.Pad(channels);
        nint point = (nint)width * row;
        for (int first = 0; first < Panels.Count(width); first += SlicePanels)
        {
            int panels = Math.Min(SlicePanels, Panels.Count(width) - first), channel = first * Panels.Width;
            MinimalFilter.Expand(wide + first * Panel, Panel, panels, Quads, Slice, Plane, SlicePanel);
            Product product = new()
            {
                ARow = Panels.Width,
                AStep = 1,
                ABlock = SlicePanel,
                Block = Panels.Width,
                BPanel = (nint)width * Panels.Width,
                BBlock = Panels.Width * Panels.Width,
                CRow = row,
                CPanel = Panels.Width,
                M = Quads,
                N = (channels + 7) / 8 * 8,   // stores under a mask are slow
                K = Math.Min(panels * Panels.Width, width - channel),
                Epilogue = first == 0 ? Epilogue.Store : Epilogue.Accumulate,
            };
            for (int g = 0; g < Points; g++)
            {
                product.A = Slice + g * Plane;
                product.B = weights + g * point + channel * Panels.Width;
                product.C = narrow + g * (nint)Capacity * row;
                Gemm.Multiply(ref product);
            }
        }
    }

    /// <summary>The products of one slice of wide channels, into <see cref="Slice"/>.</summary>
    private readonly int Multiply(float* narrow, int channels, float* weights, int width, int first)
    {
        int row = Panels.Pad(channels), panels = Math.Min(SlicePanels, Panels.Count(width) - first);
        nint point = (nint)channels * Panels.Pad(width);
        Product product = new()
        {
            ARow = row,
            AStep = 1,
            Block = channels,
            BPanel = (nint)channels * Panels.Width,
            CRow = Panels.Width,
            CPanel = SlicePanel,
            M = Quads,
            N = panels * Panels.Width,
            K = channels,
        };
        for (int g = 0; g < Points; g++)
        {
            product.A = narrow + g * (nint)Capacity * row;
            product.B = weights + g * point + (nint)first * product.BPanel;
            product.C = Slice + g * Plane;
            Gemm.Multiply(ref product);
        }
        return panels;
    }
}
