using System.Runtime.Intrinsics;

namespace GlowGpu.Kernels.Host;

/// <summary>
/// Sums over pixels for the gradients of biases and scales. Sixteen pixels at a time are summed in float32 while they are in
/// cache, one row of sums for each such block; later the rows are added up in double, in ascending order. Tiles are
/// cut at multiples of sixteen, so that a sum does not depend on their height, nor on who computed which.
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

    /// <summary>products[block, c] = Σ x[p, c]·y[p, c], likewise.</summary>
    public static void Dot(float* x, float* y, int pixels, float* products, nint productsRow)
    {
        for (int first = 0; first < pixels; first += Block, products += productsRow)
        {
            int n = Math.Min(Block, pixels - first);
            Vector256<float> low = Vector256<float>.Zero, high = low;
            for (int i = 0; i < n; i++, x += Panels.Width, y += Panels.Width)
            {
                low += Vector256.Load(x) * Vector256.Load(y);
                high += Vector256.Load(x + 8) * Vector256.Load(y + 8);
            }
            low.Store(products);
            high.Store(products + 8);
        }
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
}
