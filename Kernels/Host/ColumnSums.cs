using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace GlowGpu.Kernels.Host;

/// <summary>
/// Sums over pixels for the gradients of biases and scales. Sixteen pixels at a time are summed in float32 while they
/// are in cache, one row of sums for each such block; later the rows are added up in double, in ascending order.
/// Tiles are cut at multiples of sixteen, so that a sum does not depend on their height, nor on who computed which.
/// </summary>
internal static unsafe class ColumnSums
{
    /// <summary>Pixels of a block.</summary>
    public const int Block = Tiles.Step;

    /// <summary>Blocks that hold so many pixels.</summary>
    public static int Blocks(int pixels) => (pixels + Block - 1) / Block;

    /// <summary>
    /// sums[block, c] = Σ x[p, c] over the block's pixels p, for the 16 columns of one panel; rows of sums lie
    /// <paramref name="sumsRow"/> apart.
    /// </summary>
    public static void Sum(float* x, int pixels, float* sums, nint sumsRow)
    {
        for (int first = 0; first < pixels; first += Block, sums += sumsRow)
        {
            int n = Math.Min(Block, pixels - first);
            Vector256<float> low = Vector256<float>.Zero, high = low;
            for (int i = 0; i < n; i++, x += Panels.Width)
            {
                low += Vector256.Load(x);
                high += Vector256.Load(x + 8);
            }
            low.Store(sums);
            high.Store(sums + 8);
        }
    }

    /// <summary>
    /// sums[block, c] = Σ x[p, c] and products[block, c] = Σ x[p, c]·y[p, c] for the 16 columns of two panels,
    /// likewise, in one pass over both.
    /// </summary>
    public static void SumAndDot(float* x, float* y, int pixels, float* sums, float* products, nint row)
    {
        if (Vector512.IsHardwareAccelerated) SumAndDot<Lanes512>(x, y, pixels, sums, products, row);
        else if (Vector256.IsHardwareAccelerated) SumAndDot<Lanes256>(x, y, pixels, sums, products, row);
        else SumAndDot<Lanes128>(x, y, pixels, sums, products, row);
    }

    /// <summary>sums[block, c] = Σ x[p, c] of a matrix in rows of so many columns.</summary>
    public static void SumRows(float* x, nint xRow, int pixels, int columns, float* sums, nint sumsRow)
    {
        for (int first = 0; first < pixels; first += Block, sums += sumsRow)
        {
            int n = Math.Min(Block, pixels - first), c = 0;
            for (; c + 4 <= columns; c += 4)
            {
                Vector128<float> sum = Vector128<float>.Zero;
                for (int i = 0; i < n; i++) sum += Vector128.Load(x + i * xRow + c);
                sum.Store(sums + c);
            }
            for (; c < columns; c++)
            {
                float sum = 0;
                for (int i = 0; i < n; i++) sum += x[i * xRow + c];
                sums[c] = sum;
            }
            x += n * xRow;
        }
    }

    /// <summary>products[block, c] = Σ x[p, c]·y[p, c] of two matrices in rows of so many columns.</summary>
    public static void DotRows(
        float* x, nint xRow, float* y, nint yRow, int pixels, int columns, float* products, nint productsRow)
    {
        for (int first = 0; first < pixels; first += Block, products += productsRow)
        {
            int n = Math.Min(Block, pixels - first);
            int c = 0;
            for (; c + 4 <= columns; c += 4)
            {
                Vector128<float> sum = Vector128<float>.Zero;
                for (int i = 0; i < n; i++) sum += Vector128.Load(x + i * xRow + c) * Vector128.Load(y + i * yRow + c);
                sum.Store(products + c);
            }
            for (; c < columns; c++)
            {
                float sum = 0;
                for (int i = 0; i < n; i++) sum += x[i * xRow + c] * y[i * yRow + c];
                products[c] = sum;
            }
            x += n * xRow;
            y += n * yRow;
        }
    }

    /// <summary>totals[c] += Σ over blocks of sums[block, c] for c in [first, end).</summary>
    public static void Add(float* sums, nint sumsRow, int blocks, int first, int end, double* totals)
    {
        for (int block = 0; block < blocks; block++, sums += sumsRow)
            HostReduce.AddRow(sums + first, totals + first, end - first);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SumAndDot<V>(float* x, float* y, int pixels, float* sums, float* products, nint row) where V
        : struct, ILanes<V>
    {
        // Each sum waits for the addition before it, so four blocks go side by side.
        const int Together = 4, Length = Block * Panels.Width;
        for (; pixels >= Together * Block; pixels -= Together * Block)
        {
            for (int lane = 0; lane < Panels.Width; lane += V.Count)
            {
                V s0 = default, s1 = default, s2 = default, s3 = default, p0 = default, p1 = default, p2 = default,
                    p3 = default;
                float* a = x + lane, b = y + lane;
                for (int i = 0; i < Block; i++, a += Panels.Width, b += Panels.Width)
                {
                    V a0 = V.Load(a), a1 = V.Load(a + Length), a2 = V.Load(a + 2 * Length), a3 = V.Load(a + 3 * Length);
                    s0 += a0;
                    s1 += a1;
                    s2 += a2;
                    s3 += a3;
                    p0 += a0 * V.Load(b);
                    p1 += a1 * V.Load(b + Length);
                    p2 += a2 * V.Load(b + 2 * Length);
                    p3 += a3 * V.Load(b + 3 * Length);
                }
                float* s = sums + lane, p = products + lane;
                s0.Store(s);
                s1.Store(s + row);
                s2.Store(s + 2 * row);
                s3.Store(s + 3 * row);
                p0.Store(p);
                p1.Store(p + row);
                p2.Store(p + 2 * row);
                p3.Store(p + 3 * row);
            }
            x += Together * Length;
            y += Together * Length;
            sums += Together * row;
            products += Together * row;
        }
        for (; pixels > 0; pixels -= Block)
        {
            int n = Math.Min(Block, pixels) * Panels.Width;
            for (int lane = 0; lane < Panels.Width; lane += V.Count)
            {
                V s = default, p = default;
                for (int at = lane; at < n; at += Panels.Width)
                {
                    V a = V.Load(x + at);
                    s += a;
                    p += a * V.Load(y + at);
                }
                s.Store(sums + lane);
                p.Store(products + lane);
            }
            x += Length;
            y += Length;
            sums += row;
            products += row;
        }
    }
}
