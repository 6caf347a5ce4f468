using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace GlowGpu.Kernels.Host;

// One level of Strassen's product in Winograd's form (Strassen 1969; Winograd 1971): matrices in halves of rows and
// columns, seven products of half the size in place of eight, fifteen additions:
//
//   S1 = A21 + A22   S2 = S1 − A11   S3 = A11 − A21   S4 = A12 − S2
//   T1 = B12 − B11   T2 = B22 − T1   T3 = B22 − B12   T4 = T2 − B21
//   C11 = A11·B11 + A12·B21
//   C12 = U + S1·T1 + S4·B22         U = A11·B11 + S2·T2
//   C21 = U + S3·T3 − A22·T4
//   C22 = U + S3·T3 + S1·T1
//
// An eighth of the multiply-adds is saved. Of the additions, T is made once when weights are packed, S in one pass
// over A, and all but two of those behind the products continue a sum that is in registers anyway. Of the eighth
// about a half arrives at 512 and 256 channels (6 to 9 % measured on AVX-512): the passes, and 7/4 of the weights
// that stream by. Rounding errors are about 2.3 times those of the plain product. An infinity or NaN reaches both
// rows of a pair.
//
// Gradients of weights are plain products: the sums of both factors would pass from one core's cache to the other's,
// which costs more than an eighth of the multiply-adds.
//
// Pixels are halved into even and odd rows, so that which are added depends on nothing but their order: not on the
// height of tiles, hence not on the number of workers.
internal static unsafe class Strassen
{
    /// <summary>Products of half the size.</summary>
    public const int Products = 7;

    // Where each right-hand factor lies among the packed ones.
    private const int B11 = 0, B21 = 1, B22 = 2, Sums = 3;

    private const int MinWidth = 256;

    // Rows that are packed panel by panel. Their targets lie a power of two apart and share a cache's sets: in runs
    // of a few lines each they are written two and a half times as fast as line by line.
    private const int PackRows = 8;

    /// <summary>Whether products of so many channels by as many are to be made this way.</summary>
    public static bool Pays(int width) => width >= MinWidth && width % (2 * Panels.Width) == 0;

    /// <summary>Floats of the seven right-hand factors.</summary>
    public static long PackedLength(int width) => Products * ((long)width / 2 * width / 2);

    /// <summary>Floats of a product's scratch for tiles whose panels lie so far apart.</summary>
    public static nint ScratchLength(int width, nint panel) =>
        width / 2 / Panels.Width * (4 * panel / 2 + panel + panel / 2);

    /// <summary>
    /// Packs the rows [<paramref name="first"/>, <paramref name="end"/>) of both halves of a matrix [width, width]
    /// into the right-hand factors, of so many panels from one on and those as far into the right half. In the
    /// source, which begins at that panel, lie rows, panels and the right half so far apart; columns are multiplied
    /// by scale, unless it is null. With <paramref name="streaming"/> factors are written by
    /// <see cref="ILanes{T}.StoreStreaming"/>.
    /// </summary>
    public static void Pack(float* source, nint row, nint panel, nint right, float* scale, int width, int first,
        int end, int firstPanel, int panels, float* packed,
        bool streaming = false)
    {
        if (Vector512.IsHardwareAccelerated && streaming) Pack<Lanes512, Streaming>(source, row, panel, right, scale,
            width, first, end, firstPanel, panels, packed);
        else if (Vector512.IsHardwareAccelerated) Pack<Lanes512, Plain>(source, row, panel, right, scale, width,
            first, end, firstPanel, panels, packed);
        else if (Vector256.IsHardwareAccelerated) Pack<Lanes256, Plain>(source, row, panel, right, scale, width,
            first, end, firstPanel, panels, packed);
        else Pack<Lanes128, Plain>(source, row, panel, right, scale, width, first, end, firstPanel, panels, packed);
    }

    /// <summary>
    /// The sums S1 … S4 of the quarters of A, a tile in panels so far apart; each in panels of half that distance,
    /// one sum after another.
    /// </summary>
    private static void SumLeft(float* a, nint panel, int rows, int width, float* sums)
    {
        int panels = width / 2 / Panels.Width;
        nint right = panels * panel, distance = panels * (panel / 2);
        for (int p = 0; p < panels; p++, a += panel, sums += panel / 2)
        {
            float* odd = a + Panels.Width;
            SumLeft(a, a + right, odd, odd + right, 2 * Panels.Width, rows / 2, sums, distance);
        }
    }

    /// <summary>
    /// Computes a product by packed factors as <see cref="HostGemm.Multiply"/> would the plain one: A [even number of
    /// rows, width] and C in panels, equally far apart, and a gate, if there is one, as well; B is not looked at. A
    /// and C must not overlap.
    /// </summary>
    /// <exception cref="ArgumentException">The number of rows is odd, or the product ends in neither bias nor
    /// mask.</exception>
    public static void Multiply(HostGemm gemm, in Product plain, float* packed, float* scratch) =>
        Multiply(gemm, plain, packed, scratch, 0, plain.N / 2 / Panels.Width);

    /// <summary>
    /// The same for the panels [<paramref name="first"/>, <paramref name="end"/>) of the left half of C and those as
    /// far into the right.
    /// </summary>
    /// <exception cref="ArgumentException">The number of rows is odd, or the product ends in neither bias nor
    /// mask.</exception>
    public static void Multiply(HostGemm gemm, Product plain, float* packed, float* scratch, int first, int end)
    {
        if (plain.M % 2 != 0 || plain.Epilogue < Epilogue.Bias)
            throw new ArgumentException($"product in halves: {plain.M} rows that end in {plain.Epilogue}; the rows "
                + "must be even in number and end in a bias or mask");
        int half = plain.N / 2, halfPanels = half / Panels.Width, panels = end - first;
        nint panel = plain.ABlock, right = halfPanels * panel, odd = Panels.Width, matrix = (nint)half * half;
        nint operandRight = halfPanels * plain.OperandPanel, operandOdd = plain.OperandRow;
        float* s = scratch, x = s + 2 * right, y = x + odd, z = x + right;
        nint sum = right / 2;
        SumLeft(plain.A, panel, plain.M, plain.N, s);
        plain.C += first * panel;
        plain.Operand += first * plain.OperandPanel;
        packed += (nint)first * half * Panels.Width;
        Product whole = plain with
        {
            ARow = 2 * plain.ARow,
            BPanel = (nint)half * Panels.Width,
            CRow = 2 * plain.CRow,
            OperandRow = 2 * plain.OperandRow,
            M = plain.M / 2,
            N = panels * Panels.Width,
            K = half,
        };
        Product sums = whole with { ARow = Panels.Width, ABlock = panel / 2 };

        Run(gemm, whole, plain.A, packed + B11 * matrix, x, null);
        Finish(gemm, whole, plain.A + right, packed + B21 * matrix, plain.C, x, plain.Operand);
        Run(gemm, sums, s + sum, packed + (Sums + 1) * matrix, x, x);
        Run(gemm, sums, s + 2 * sum, packed + (Sums + 2) * matrix, y, x);
        Run(gemm, sums with { CRow = Panels.Width, CPanel = panel / 2 }, s, packed + Sums * matrix, z, null);
        AddAndFinish(plain, panels, panel, x, z, plain.C + right + odd, plain.Operand + operandRight + operandOdd);
        Finish(gemm, sums, s + 3 * sum, packed + B22 * matrix, plain.C + right, x, plain.Operand + operandRight);
        Finish(gemm, whole, plain.A + right + odd, packed + (Sums + 3) * matrix, plain.C + odd, y,
            plain.Operand + operandOdd);
    }

    /// <summary>c = start + a·b.</summary>
    private static void Run(HostGemm gemm, Product product, float* a, float* b, float* c, float* start)
    {
        product.A = a;
        product.B = b;
        product.C = c;
        product.Start = start;
        product.Epilogue = Epilogue.Store;
        product.Cold = false;
        gemm.Multiply(ref product);
    }

    /// <summary>c = start + a·b as the whole product ends.</summary>
    private static void Finish(HostGemm gemm, Product product, float* a, float* b, float* c,
        float* start, float* operand)
    {
        product.A = a;
        product.B = b;
        product.C = c;
        product.Start = start;
        product.Operand = operand;
        gemm.Multiply(ref product);
    }

    private static void SumLeft(float* x11, float* x12, float* x21, float* x22, nint row, int rows,
        float* sums, nint distance)
    {
        if (Vector512.IsHardwareAccelerated) SumLeft<Lanes512>(x11, x12, x21, x22, row, rows, sums, distance);
        else if (Vector256.IsHardwareAccelerated) SumLeft<Lanes256>(x11, x12, x21, x22, row, rows, sums, distance);
        else SumLeft<Lanes128>(x11, x12, x21, x22, row, rows, sums, distance);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SumLeft<V>(float* x11, float* x12, float* x21, float* x22, nint row, int rows,
        float* sums, nint distance)
        where V : struct, ILanes<V>
    {
        for (int r = 0; r < rows; r++, sums += Panels.Width)
        {
            nint at = r * row;
            for (int lane = 0; lane < Panels.Width; lane += V.Count)
            {
                V a = V.Load(x11 + at + lane), c = V.Load(x21 + at + lane);
                V s1 = c + V.Load(x22 + at + lane), s2 = s1 - a;
                s1.Store(sums + lane);
                s2.Store(sums + distance + lane);
                (a - c).Store(sums + 2 * distance + lane);
                (V.Load(x12 + at + lane) - s2).Store(sums + 3 * distance + lane);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Pack<V, TEnd>(
        float* source, nint row, nint panel, nint right, float* scale, int width, int first, int end, int firstPanel,
            int panels, float* packed)
        where V : struct, ILanes<V>
        where TEnd : struct, IEnd
    {
        int half = width / 2;
        nint length = (nint)half * Panels.Width, matrix = (nint)half * half;
        for (int block = first; block < end; block += PackRows)
        {
            int blockEnd = Math.Min(block + PackRows, end);
            for (int p = 0; p < panels; p++)
            {
                float* x = source + block * row + p * panel,
                    to = packed + (firstPanel + p) * length + block * Panels.Width;
                float* s = scale is null ? null : scale + p * Panels.Width;
                for (int r = block; r < blockEnd; r++, x += row, to += Panels.Width)
                {
                    for (int lane = 0; lane < Panels.Width; lane += V.Count)
                    {
                        float* left = x + lane, below = left + half * row;
                        FetchNext(left, below, right, row);
                        V a = V.Load(left), b = V.Load(left + right), c = V.Load(below), d = V.Load(below + right);
                        if (s is not null)
                        {
                            V leftScale = V.Load(s + lane), rightScale = V.Load(s + half + lane);
                            a *= leftScale;
                            c *= leftScale;
                            b *= rightScale;
                            d *= rightScale;
                        }
                        V t1 = b - a, t2 = d - t1;
                        float* target = to + lane;
                        TEnd.Store(a, null, target + B11 * matrix);
                        TEnd.Store(c, null, target + B21 * matrix);
                        TEnd.Store(d, null, target + B22 * matrix);
                        target += Sums * matrix;
                        TEnd.Store(t1, null, target);
                        TEnd.Store(t2, null, target + matrix);
                        TEnd.Store(d - b, null, target + 2 * matrix);
                        TEnd.Store(c - t2, null, target + 3 * matrix);
                    }
                }
            }
        }
    }

    /// <summary>
    /// Fetches what is packed after these rows: they lie too far apart for a processor to see where they go.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FetchNext(float* above, float* below, nint right, nint row)
    {
        nint next = PackRows * row;
        Ahead.Line(above + next);
        Ahead.Line(above + next + right);
        Ahead.Line(below + next);
        Ahead.Line(below + next + right);
    }

    /// <summary>c = y + z as the product ends, and x += z; x and y are the even and the odd rows of one tile.</summary>
    private static void AddAndFinish(in Product plain, int panels, nint panel, float* x, float* z,
        float* c, float* operand)
    {
        int rows = plain.M / 2;
        for (int p = 0; p < panels; p++, x += panel, z += panel / 2, c += panel, operand += plain.OperandPanel)
        {
            nint row = 2 * plain.OperandRow;
            if (Vector512.IsHardwareAccelerated) AddAndFinish<Lanes512>(plain.Epilogue, rows, x, z, c, operand, row);
            else if (Vector256.IsHardwareAccelerated) AddAndFinish<Lanes256>(plain.Epilogue, rows, x, z, c,
                operand, row);
            else AddAndFinish<Lanes128>(plain.Epilogue, rows, x, z, c, operand, row);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddAndFinish<V>(Epilogue epilogue, int rows, float* x, float* z, float* c,
        float* operand, nint operandRow)
        where V : struct, ILanes<V>
    {
        for (int r = 0; r < rows; r++, x += 2 * Panels.Width, z += Panels.Width, c += 2 * Panels.Width,
            operand += operandRow)
        {
            for (int lane = 0; lane < Panels.Width; lane += V.Count)
            {
                V add = V.Load(z + lane);
                (V.Load(x + lane) + add).Store(x + lane);
                HostGemm.Finish(epilogue, operand + lane, V.Load(x + Panels.Width + lane) + add).Store(c + lane);
            }
        }
    }
}
