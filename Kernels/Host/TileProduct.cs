namespace GlowGpu.Kernels.Host;

/// <summary>
/// A weight gradient: C[M,N] = Σ over pixels of A[p,m]·B[p,n], where A and B lie tile after tile, each tile in
/// <see cref="Panels"/>. The workers divide C among themselves and each walks all pixels, so that every element is
/// one sum over the pixels in ascending order: bit for bit the same for any number of workers and any height of the
/// tiles.
/// </summary>
/// <remarks>
/// A unit of work is 16 rows × up to 48 columns of C, the columns divided evenly. The units are numbered row by row
/// and dealt out in contiguous runs; a worker walks its run column by column, so that the 48 columns of B stay in L1
/// while A passes.
/// </remarks>
internal unsafe struct TileProduct
{
    private const int GroupPanels = 3;

    // Tiles that one product runs over: C is loaded and stored once for them.
    private const int PassTiles = 4;

    public float* A;
    public float* B;

    /// <summary>
    /// C in rows (CPanel = 16) or panels, as in <see cref="Product"/>; its columns beyond N are not touched.
    /// </summary>
    public float* C;

    public nint ATile, BTile;

    public nint CRow, CPanel;
    public int M, N, TileRows;

    private readonly int Groups => (Panels.Count(N) + GroupPanels - 1) / GroupPanels;

    /// <summary>
    /// One worker's share of C += AᵀB over the first <paramref name="pixels"/> pixels of A and B; with
    /// <paramref name="begin"/> C is overwritten instead.
    /// </summary>
    public readonly void Run(HostGemm gemm, int pixels, bool begin, int part, int parts)
    {
        int pass = PassTiles * TileRows;
        Product product = new()
        {
            ARow = 1,
            AStep = Panels.Width,
            ABlock = ATile,
            BPanel = (nint)TileRows * Panels.Width,
            BBlock = BTile,
            Block = TileRows,
            CRow = CRow,
            CPanel = CPanel,
            Cold = true,
        };
        for (int first = 0; first < pixels; first += pass)
        {
            nint tile = first / TileRows;
            product.K = Math.Min(pass, pixels - first);
            product.Epilogue = begin && first == 0 ? Epilogue.Store : Epilogue.Accumulate;
            for (int group = 0; group < Groups; group++)
            {
                (int unit, int end) = Units(group, part, parts);
                (int panel, int column, int endColumn) = Columns(group);
                product.N = endColumn - column;
                product.B = B + tile * BTile + panel * product.BPanel;
                for (; unit < end; unit++)
                {
                    product.M = Math.Min(Panels.Width, M - unit * Panels.Width);
                    product.A = A + tile * ATile + unit * product.BPanel;
                    product.C = C + panel * CPanel + unit * Panels.Width * CRow;
                    gemm.Multiply(ref product);
                }
            }
        }
    }

    /// <summary>First panel and columns of a group.</summary>
    private readonly (int Panel, int First, int End) Columns(int group)
    {
        (int first, int end) = Workers.Share(Panels.Count(N), group, Groups);
        return (first, first * Panels.Width, Math.Min(end * Panels.Width, N));
    }

    /// <summary>
    /// The run of 16-row units of one column group that belongs to a worker: units row·Groups + group in its share.
    /// </summary>
    private readonly (int First, int End) Units(int group, int part, int parts)
    {
        int groups = Groups;
        long units = (long)Panels.Count(M) * groups;
        long first = units * part / parts, end = units * (part + 1) / parts;
        return ((int)((first - group + groups - 1) / groups), (int)((end - group + groups - 1) / groups));
    }
}
