using System.Runtime.Intrinsics;

namespace GlowGpu.Kernels.Host;

// Winograd's minimal filtering of a 3×3 convolution between a narrow side (the image: z1, h or their gradients) and a
// wide one (hidden channels). A block x of m×m wide pixels meets a patch y of (m+2)×(m+2) narrow ones in the
// trilinear form
//
//   Σ over u, d of x[u]·w[d]·y[u + d] = Σ over g of E(x)[g]·G(w)[g]·S(y)[g]        u in {0 … m−1}², d in {0, 1, 2}²
//
// with (m+2)² products in place of 9m². In one dimension x and w are the coefficients of polynomials: E and G
// evaluate them at m + 2 points, one of them ∞, and S is the transpose of finding the coefficients of their product
// from its values there; in two dimensions each is applied to lines and to columns (Toom 1963; Winograd 1980,
// "Arithmetic complexity of computations"; Lavin & Gray 2016). Whichever of the three is asked for, the others are
// transformed, multiplied for each g in a matrix product over channels or blocks, and the result goes through the
// transpose of its own transformation. Both convolutions of a coupling network and all of their gradients are this
// one form:
//
//   narrow → wide   x = Eᵀ(G(w)·S(y))      gather,  products, contract
//   wide → narrow   y = Sᵀ(G(w)·E(x))      expand,  products, spread and sum
//   weights         w = Gᵀ(E(x)·S(y))      gather and expand, products, fold

/// <summary>The transformations in one size of block.</summary>
internal interface IFilter
{
    /// <summary>m: a block has m×m pixels.</summary>
    static abstract int Side { get; }

    /// <summary>E of m×m.</summary>
    static abstract void Expand<V>(int count, in Grid from, in Grid to) where V : struct, ILanes<V>;

    /// <summary>Eᵀ, to m×m.</summary>
    static abstract void Contract<V, TEnd>(int count, in Grid from, in Grid to, in Grid operand) where V : struct,
        ILanes<V> where TEnd : struct, IEnd;

    /// <summary>G of 3×3.</summary>
    static abstract void Transform<V, TEnd>(int count, in Grid from, in Grid to) where V : struct,
        ILanes<V> where TEnd : struct, IEnd;

    /// <summary>Gᵀ, to 3×3.</summary>
    static abstract void Fold<V>(int count, in Grid from, in Grid to) where V : struct, ILanes<V>;

    /// <summary>S of (m+2)×(m+2).</summary>
    static abstract void Shift<V>(int count, int lanes, in Grid from, in Grid to) where V : struct, ILanes<V>;

    /// <summary>Sᵀ, likewise.</summary>
    static abstract void Overlap<V>(int count, int lanes, in Grid from, in Grid to) where V : struct, ILanes<V>;
}

/// <summary>Minimal filtering in one size of block with vectors of one width.</summary>
internal abstract unsafe class MinimalFilter
{
    protected const int Taps = 9;

    // Blocks of 4×4 do 56 % of the products of blocks of 2×2, with weights that are 2.25 times as large: below this
    // many lines or columns there are too few blocks in an image for them.
    private const int LeastForFour = 8;

    private static readonly MinimalFilter two = Widest<Filter2>(), four = Widest<Filter4>();

    /// <summary>m: a block has m×m pixels.</summary>
    public abstract int Side { get; }

    /// <summary>m + 2: side of the patch that a block meets.</summary>
    public int PatchSide => Side + 2;

    /// <summary>Pixels of a block.</summary>
    public int Area => Side * Side;

    /// <summary>Products of a block: the points g of the transformed domain.</summary>
    public int Points => PatchSide * PatchSide;

    /// <summary>
    /// The filter for images of a size, at the widest vectors of the processor. It may not depend on how many they
    /// are: weights are packed for one.
    /// </summary>
    public static MinimalFilter For(Pixels pixels) => pixels.H >= LeastForFour && pixels.W >= LeastForFour ? four : two;

    /// <summary>
    /// E of a tile's blocks: target[panel, g, block, lane] for <paramref name="panels"/> panels of wide channels;
    /// <paramref name="plane"/> floats lie between two g.
    /// </summary>
    public abstract void Expand(float* wide, nint panel, int panels, int blocks, float* target,
        nint plane, nint targetPanel);

    /// <summary>
    /// wide = max(Eᵀ(products) + bias, 0) of a panel, where products are laid out as <see cref="Expand"/> does.
    /// </summary>
    public abstract void ContractRelu(float* products, nint plane, int blocks, float* bias, float* wide);

    /// <summary>wide = Eᵀ(products) where the gate, a panel like wide, is above zero, elsewhere 0.</summary>
    public abstract void ContractMasked(float* products, nint plane, int blocks, float* gate, float* wide);

    /// <summary>
    /// G of weights: target[g, c / 16, row, c % 16] from source[tap, row, c]·scale[c] with rows
    /// <paramref name="sourceRow"/> apart; padding lanes become 0. With <paramref name="mirrored"/> tap t is read
    /// where 8 − t lies. <paramref name="point"/> floats lie between two g of target, <paramref name="panel"/>
    /// between two panels.
    /// </summary>
    public void TransformWeights(float* source, nint tap, nint sourceRow, int rows, int columns,
        float* scale, bool mirrored,
        float* target, nint point, nint panel, bool streaming = false)
    {
        if (mirrored)
        {
            source += (Taps - 1) * tap;
            tap = -tap;
        }
        const int Batch = 16, Tap = Batch * Panels.Width;
        float* taps = stackalloc float[Taps * Tap];

        // Columns follow columns, or, where there are few, rows follow rows in the next call.
        nint next = columns > Panels.Width ? Panels.Width : rows * sourceRow;
        for (int c = 0; c < columns; c += Panels.Width, target += panel)
        {
            int n = Math.Min(Panels.Width, columns - c);
            if (n < Panels.Width) new Span<float>(taps, Taps * Tap).Clear();
            for (int first = 0; first < rows; first += Batch)
            {
                int count = Math.Min(Batch, rows - first);
                for (int t = 0; t < Taps; t++)
                {
                    float* from = source + t * tap + first * sourceRow + c, to = taps + t * Tap;
                    for (int row = 0; row < count; row++, from += sourceRow, to += Panels.Width)
                    {
                        Ahead.Line(from + next);
                        Panels.Scale(from, scale + c, to, n);
                    }
                }
                TransformRows(taps, Tap, count, target + first * Panels.Width, point, streaming);
            }
        }
    }

    /// <summary>
    /// G of nine taps of so many rows, 16 lanes each: target[g, row, lane] with <paramref name="point"/> floats
    /// between two g from taps <paramref name="tap"/> floats apart. With <paramref name="streaming"/> they are
    /// written by <see cref="ILanes{T}.StoreStreaming"/>.
    /// </summary>
    public abstract void TransformRows(float* taps, nint tap, int rows, float* target, nint point,
        bool streaming = false);

    /// <summary>
    /// Gᵀ of so many rows of 16 lanes: target[tap, row, lane] = Σ over g of products[g, row, lane], with
    /// <paramref name="point"/> floats between two g and <paramref name="tap"/> between two taps. With
    /// <paramref name="mirrored"/> taps are written from the last to the first.
    /// </summary>
    public abstract void Fold(float* products, nint point, int rows, bool mirrored, float* target, nint tap);

    /// <summary>
    /// S of one patch [position, row]: target[g] with <paramref name="point"/> floats between two g; whole vectors.
    /// </summary>
    public abstract void Shift(float* patch, int row, int channels, float* target, nint point);

    /// <summary>
    /// Sᵀ of <paramref name="count"/> blocks: target[block, position, row] from products[g, block, row]; whole
    /// vectors.
    /// </summary>
    public abstract void Overlap(float* products, nint point, int row, int channels, int count, float* target);

    private static MinimalFilter Widest<TFilter>() where TFilter : struct, IFilter =>
        Vector512.IsHardwareAccelerated ? new MinimalFilter<Lanes512, TFilter>()
        : Vector256.IsHardwareAccelerated ? new MinimalFilter<Lanes256, TFilter>()
        : new MinimalFilter<Lanes128, TFilter>();
}

/// <inheritdoc/>
internal sealed unsafe class MinimalFilter<V, TFilter> : MinimalFilter
    where V : struct, ILanes<V>
    where TFilter : struct, IFilter
{
    /// <inheritdoc/>
    public override int Side => TFilter.Side;

    /// <inheritdoc/>
    public override string ToString() => $"blocks of {Side}×{Side}, {V.Count} lanes";

    /// <inheritdoc/>
    public override void Expand(float* wide, nint panel, int panels, int blocks, float* target,
        nint plane, nint targetPanel)
    {
        for (int p = 0; p < panels; p++) TFilter.Expand<V>(blocks, Wide(wide + p * panel),
            Products(target + p * targetPanel, plane));
    }

    /// <inheritdoc/>
    public override void ContractRelu(float* products, nint plane, int blocks, float* bias, float* wide) =>
        TFilter.Contract<V, BiasRelu>(blocks, Products(products, plane), Wide(wide), Grid.Of(bias));

    /// <inheritdoc/>
    public override void ContractMasked(float* products, nint plane, int blocks, float* gate, float* wide) =>
        TFilter.Contract<V, Mask>(blocks, Products(products, plane), Wide(wide), Wide(gate));

    /// <inheritdoc/>
    public override void Fold(float* products, nint point, int rows, bool mirrored, float* target, nint tap)
    {
        Grid taps = mirrored
            ? new Grid(target + (Taps - 1) * tap, Panels.Width, -3 * tap, -tap)
            : new Grid(target, Panels.Width, 3 * tap, tap);
        TFilter.Fold<V>(rows, new Grid(products, Panels.Width, PatchSide * point, point), taps);
    }

    /// <inheritdoc/>
    public override void Shift(float* patch, int row, int channels, float* target, nint point) =>
        TFilter.Shift<V>(1, channels, new Grid(patch, 0, PatchSide * row, row),
            new Grid(target, 0, PatchSide * point, point));

    /// <inheritdoc/>
    public override void Overlap(float* products, nint point, int row, int channels, int count, float* target) =>
        TFilter.Overlap<V>(count, channels, new Grid(products, row, PatchSide * point, point),
            new Grid(target, Points * row, PatchSide * row, row));

    /// <inheritdoc/>
    public override void TransformRows(float* taps, nint tap, int rows, float* target, nint point, bool streaming)
    {
        Grid from = new(taps, Panels.Width, 3 * tap, tap), to = new(target, Panels.Width, PatchSide * point, point);
        if (streaming) TFilter.Transform<V, Streaming>(rows, from, to);
        else TFilter.Transform<V, Plain>(rows, from, to);
    }

    /// <summary>Blocks of wide pixels in a panel.</summary>
    private static Grid Wide(float* at) => new(at, TFilter.Side * TFilter.Side * Panels.Width,
        TFilter.Side * Panels.Width, Panels.Width);

    /// <summary>[g, block, lane].</summary>
    private static Grid Products(float* at, nint plane) => new(at, Panels.Width, (TFilter.Side + 2) * plane, plane);
}
