using System.Runtime.Intrinsics;

namespace GlowGpu.Kernels.Host;

/// <summary>
/// Sums over pixels for the gradients of biases and scales: eight pixels at a time in float32, those in double, in ascending
/// order, so that a sum does not depend on how its pixels are cut into tiles (whose heights are multiples of eight).
/// </summary>
internal static unsafe class ColumnSums
{
    /// <summary>
    /// Adds Σ_p g[p, c] to sums[c] and, when a is given, Σ_p g[p, c]·a[p, c] to products[c], for the 16 columns of a panel that goes
    /// on from tile to tile.
    /// </summary>
    public static void Add(
        float* g, nint gTile, float* a, nint aTile, int pixels, int tileRows, double* sums, double* products)
    {
        for (int first = 0; first < pixels; first += tileRows, g += gTile, a += aTile)
        {
            int rows = Math.Min(tileRows, pixels - first);
            for (int r = 0; r < rows; r += Tiles.Step)
            {
                int n = Math.Min(Tiles.Step, rows - r);
                for (int lane = 0; lane < Panels.Width; lane += 8)
                {
                    float* x = g + r * Panels.Width + lane;
                    Vector256<float> sum = Vector256<float>.Zero;
                    for (int i = 0; i < n; i++) sum += Vector256.Load(x + i * Panels.Width);
                    Accumulate(sum, sums + lane);
                    if (products is null) continue;
                    float* y = a + r * Panels.Width + lane;
                    sum = Vector256<float>.Zero;
                    for (int i = 0; i < n; i++)
                        sum += Vector256.Load(x + i * Panels.Width) * Vector256.Load(y + i * Panels.Width);
                    Accumulate(sum, products + lane);
                }
            }
        }
    }

    /// <summary>products[c] = Σ_p x[p, c]·y[p, c] of two matrices in rows.</summary>
    public static void Dot(float* x, nint xRow, float* y, nint yRow, int pixels, int columns, double* products)
    {
        new Span<double>(products, columns).Clear();
        for (int p = 0; p < pixels; p++, x += xRow, y += yRow)
            for (int c = 0; c < columns; c++) products[c] += (double)x[c] * y[c];
    }

    private static void Accumulate(Vector256<float> x, double* sums)
    {
        (Vector256<double> low, Vector256<double> high) = Vector256.Widen(x);
        (Vector256.Load(sums) + low).Store(sums);
        (Vector256.Load(sums + 4) + high).Store(sums + 4);
    }
}
