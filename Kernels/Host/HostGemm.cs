namespace GlowGpu.Kernels.Host;

/// <summary>What happens to a tile of a product while it is still in registers.</summary>
internal enum Epilogue
{
    /// <summary>C = A·B.</summary>
    Store,

    /// <summary>
    /// C += A·B, the sum over k continued in the same order as one longer product: Store with Start = C.
    /// </summary>
    Accumulate,

    /// <summary>C = A·B + bias.</summary>
    Bias,

    /// <summary>C = max(A·B + bias, 0).</summary>
    BiasRelu,

    /// <summary>C = A·B where the gate is above zero, elsewhere 0: the backward pass of a ReLU.</summary>
    Mask,
}

/// <summary>
/// C[M,N] from A[M,K]·B[K,N]. All distances are in floats.
/// <list type="bullet">
/// <item>A: element (m, k) at <c>A + m·ARow + (k / Block)·ABlock + (k % Block)·AStep</c>. With ARow the step it is
/// read down a column, so the same kernel multiplies by A or by Aᵀ.</item>
/// <item>B, in <see cref="Panels"/>: element (k, n) at <c>B + (n / 16)·BPanel + (k / Block)·BBlock + (k % Block)·16 +
/// n % 16</c>; its last panel must be whole in memory.</item>
/// <item>C: element (m, n) at <c>C + (n / 16)·CPanel + m·CRow + n % 16</c>: panels, or rows when CPanel = 16. Nothing
/// beyond column N is touched.</item>
/// <item>Start, addressed like C: what the sums begin from, before k = 0; null for zeros. It may be C.</item>
/// <item>Operand, whole panels: the bias (OperandRow = 0) or the gate, addressed like C.</item>
/// <item>Cold: C, and the gate if there is one, lie in memory rather than in a cache: they are fetched while sums
/// run.</item>
/// <item>Far: B, if it is large, lies in memory rather than in a cache: columns are fetched while those before them
/// are computed.</item>
/// <item>Ahead: what else to fetch meanwhile, or null.</item>
/// </list>
/// </summary>
internal unsafe struct Product
{
    public float* A;
    public float* B;
    public float* C;
    public float* Start;
    public float* Operand;
    public nint ARow, AStep, ABlock;
    public nint BPanel, BBlock;
    public nint CRow, CPanel;
    public nint OperandRow, OperandPanel;
    public int M, N, K, Block;
    public Epilogue Epilogue;
    public bool Cold, Far;
    public Ahead* Ahead;

    /// <summary>
    /// A in panels so far apart, times whole panels of B; C and what happens to it are still to be set.
    /// </summary>
    public static Product OfPanels(float* a, nint aPanel, int m, int k, float* b, int n) => new()
    {
        A = a,
        ARow = Panels.Width,
        AStep = 1,
        ABlock = aPanel,
        Block = Panels.Width,
        B = b,
        BPanel = (nint)k * Panels.Width,
        BBlock = Panels.Width * Panels.Width,
        M = m,
        N = n,
        K = k,
    };

    /// <summary>A in rows so far apart, times whole panels of B.</summary>
    public static Product OfRows(float* a, nint aRow, int m, int k, float* b, int n) => new()
    {
        A = a,
        ARow = aRow,
        AStep = 1,
        Block = k,
        B = b,
        BPanel = (nint)k * Panels.Width,
        M = m,
        N = n,
        K = k,
    };

    /// <summary>Sets C to panels so far apart.</summary>
    public void ToPanels(float* c, nint cPanel)
    {
        C = c;
        CRow = Panels.Width;
        CPanel = cPanel;
    }

    /// <summary>Sets C to rows so far apart.</summary>
    public void ToRows(float* c, nint cRow)
    {
        C = c;
        CRow = cRow;
        CPanel = Panels.Width;
    }

    /// <summary>Ends in adding a bias of whole panels, and a ReLU if asked for.</summary>
    public void AddBias(float* bias, bool relu)
    {
        Operand = bias;
        OperandRow = 0;
        OperandPanel = Panels.Width;
        Epilogue = relu ? Epilogue.BiasRelu : Epilogue.Bias;
    }

    /// <summary>Ends in zeroing what lies where the gate, in panels so far apart, is not above zero.</summary>
    public void Mask(float* gate, nint gatePanel)
    {
        Operand = gate;
        OperandRow = Panels.Width;
        OperandPanel = gatePanel;
        Epilogue = Epilogue.Mask;
    }
}

/// <summary>
/// Single-precision matrix products of the host backend, on one thread: the operations split their work over the
/// workers, where they know the shape of all of it.
/// </summary>
internal sealed unsafe partial class HostGemm
{
    private const int MaxVectors = 3;

    // A B of so many floats is fetched columns by columns before their turn: a smaller one stays in L2 from one
    // product to the next.
    private const int LeastFetched = 1 << 15;

    /// <summary>How many products, and the distances from one to the next.</summary>
    private readonly record struct Each(int Count, nint A, nint B, nint C);

    // kernels[height · (MaxVectors + 1) + vectors] for heights of 1 … rows; vectors 0 is a vector of half the width.
    // tall does a vector of twice so many rows, where there is such a kernel.
    private readonly delegate*<Product*, float*, float*, float*, float*, int, void>[] kernels;
    private readonly delegate*<Product*, float*, float*, float*, float*, int, void> tall;
    private readonly int rows;
    private readonly int vectors;
    private readonly int lanes;

    // Whether a single vector goes as two of half the width.
    private readonly bool inHalves;

    public HostGemm(SimdLevel level)
    {
        if (!SimdLevels.IsSupported(level))
            throw new NotSupportedException(
                $"host: this processor cannot run {level} instructions; {SimdLevels.Best} is its widest level");
        Level = level;
        inHalves = level == SimdLevel.Avx512 && SimdLevels.IsHalved;
        (rows, vectors, lanes) = level switch
        {
            SimdLevel.Avx512 => (8, 3, 16),
            SimdLevel.Avx2 => (6, 2, 8),
            _ => (4, 2, 4),
        };
        kernels = new delegate*<Product*, float*, float*, float*, float*, int, void>[(rows + 1) * (MaxVectors + 1)];
        switch (level)
        {
            case SimdLevel.Avx512:
                AddUpTo6<Lanes512>();
                Add<Lanes512, Seven>();
                Add<Lanes512, Eight>();
                if (!inHalves) tall = &Kernel<Lanes512, Eight, Tall>;
                break;
            case SimdLevel.Avx2:
                AddUpTo6<Lanes256>();
                break;
            default:
                AddUpTo4<Lanes128>();
                break;
        }
    }

    /// <summary>The instruction set of the kernels.</summary>
    public SimdLevel Level { get; }

    /// <summary>
    /// The columns that a product of so many had best compute when there is room for whole panels and what it writes
    /// behind its last one does not matter: stores under a mask are slow.
    /// </summary>
    public int Columns(int columns)
    {
        int unit = inHalves || lanes < Lanes256.Count ? Lanes256.Count : lanes;
        return (columns + unit - 1) / unit * unit;
    }

    /// <summary>Passes of a micro-kernel that a product of so many rows and columns takes.</summary>
    public int Passes(int m, int n)
    {
        int pairs = tall is not null && n == lanes ? m / (2 * rows) : 0;
        return (pairs + (m - 2 * pairs * rows + rows - 1) / rows) * ((n + vectors * lanes - 1) / (vectors * lanes));
    }

    /// <summary>Computes one product.</summary>
    public void Multiply(ref Product product) => MultiplyEach(ref product, 1, 0, 0, 0);

    /// <summary>
    /// Computes <paramref name="count"/> products of one shape, whose factors and results lie so far apart; unless
    /// there is one only, they may not have an operand or a start of their own.
    /// </summary>
    public void MultiplyEach(ref Product product, int count, nint aNext, nint bNext, nint cNext)
    {
        Each each = new(count, aNext, bNext, cNext);
        fixed (Product* p = &product)
        {
            int columns = (p->N + lanes - 1) / lanes;
            int tail = p->N - (columns - 1) * lanes;

            // Where a 512-bit vector is two of half the width, and that holds the last columns, it takes half the time.
            bool half = inHalves && tail <= Lanes256.Count;
            if (half) Walk(p, each, columns - 1, 0, tail, default);
            int whole = half ? columns - 1 : columns;
            for (int v = 0, width; v < whole; v += width)
            {
                width = Width(whole - v);
                int last = v + width == columns ? tail : lanes, next = v + width;
                bool fetches = count == 1 && next < whole && p->Far && (long)p->K * p->N >= LeastFetched
                    && p->BBlock == p->Block * Panels.Width;
                Walk(p, each, v, width, width == 1 && inHalves ? last - Lanes256.Count : last,
                    fetches ? Columns(p, next, Width(whole - next)) : default);
            }
        }
    }

    /// <summary>
    /// Vectors that are computed at a time when so many are left. A single one meets too few multiply-adds a load: 2
    /// + 2 rather than 3 + 1.
    /// </summary>
    private int Width(int left) => left == vectors + 1 && vectors > 2 ? vectors - 1 : Math.Min(vectors, left);

    /// <summary>Some vectors of columns of B, to be fetched while those before them are computed.</summary>
    private Ahead Columns(Product* p, int first, int width)
    {
        (int panel, int offset) = Math.DivRem(first * lanes, Panels.Width);
        return new Ahead
        {
            Start = p->B + panel * p->BPanel,
            Rows = p->K,
            Panels = Panels.Count(offset + width * lanes),
            PanelDistance = p->BPanel,
            Tiles = 1,
            Step = p->K / ((p->M + rows - 1) / rows) + 1,
        };
    }

    /// <summary>
    /// Some vectors of columns, from one on, of all rows of every product; <paramref name="next"/> is fetched
    /// meanwhile.
    /// </summary>
    private void Walk(Product* p, in Each each, int first, int width, int last, Ahead next)
    {
        (int panel, int offset) = Math.DivRem(first * lanes, Panels.Width);
        float* aStart = p->A, bStart = p->B + panel * p->BPanel + offset;
        float* cStart = p->C + panel * p->CPanel + offset, operandStart = p->Operand + panel * p->OperandPanel + offset;
        int pairs = tall is not null && width == 1 && last == lanes ? p->M / (2 * rows) : 0,
            others = p->M - pairs * 2 * rows, passes = (others + rows - 1) / rows;
        int lines = Panels.Count(offset + Math.Max(width, 1) * lanes);
        for (int i = 0; i < each.Count; i++, aStart += each.A, bStart += each.B, cStart += each.C)
        {
            float* a = aStart, c = cStart, operand = operandStart;
            for (int pair = 0; pair < pairs; pair++)
            {
                Fetch(p, c, operand, 2 * rows, lines);
                tall(p, a, bStart, c, operand, last);
                a += 2 * rows * p->ARow;
                c += 2 * rows * p->CRow;
                operand += 2 * rows * p->OperandRow;
            }
            for (int rest = others, left = passes; left > 0; left--)
            {
                int height = left == 1 ? rest : (rest + left - 1) / left;
                next.Fetch();
                Fetch(p, c, operand, height, lines);
                kernels[height * (MaxVectors + 1) + width](p, a, bStart, c, operand, last);
                a += height * p->ARow;
                c += height * p->CRow;
                operand += height * p->OperandRow;
                rest -= height;
            }
        }
    }

    /// <summary>
    /// What is fetched with a tile of so many rows: some of what is needed later, and, from memory, what the tile
    /// will end with, the gate and what it overwrites. A sum that continues begins with C, so there it is the tile
    /// below.
    /// </summary>
    private static void Fetch(Product* p, float* c, float* operand, int height, int lines)
    {
        if (p->Ahead is not null) p->Ahead->Fetch();
        if (!p->Cold) return;
        FetchRows(p->Epilogue == Epilogue.Accumulate ? c + height * p->CRow : c, height, p->CRow, lines, p->CPanel);
        if (p->Epilogue == Epilogue.Mask) FetchRows(operand, height, p->OperandRow, lines, p->OperandPanel);
    }

    private static void FetchRows(float* at, int rows, nint row, int lines, nint panel)
    {
        for (int line = 0; line < lines; line++, at += panel)
        {
            float* to = at;
            for (int r = 0; r < rows; r++, to += row) Ahead.Line(to);
        }
    }

    private void AddUpTo4<V>() where V : struct, ILanes<V>
    {
        Add<V, One>();
        Add<V, Two>();
        Add<V, Three>();
        Add<V, Four>();
    }

    private void AddUpTo6<V>() where V : struct, ILanes<V>
    {
        AddUpTo4<V>();
        Add<V, Five>();
        Add<V, Six>();
    }

    private void Add<V, TRows>() where V : struct, ILanes<V> where TRows : struct, INumber
    {
        int i = TRows.Value * (MaxVectors + 1);
        if (V.Count == Panels.Width) kernels[i] = &Kernel<Lanes256, TRows, One>;
        kernels[i + 1] = V.Count == Panels.Width && inHalves ? &Kernel<Lanes256, TRows, Two> : &Kernel<V, TRows, One>;
        kernels[i + 2] = &Kernel<V, TRows, Two>;
        kernels[i + 3] = &Kernel<V, TRows, Three>;
    }
}
