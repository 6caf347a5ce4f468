namespace GlowGpu.Kernels.Gpu;

/// <summary>The nine taps of a 3×3 convolution, row by row; tap t reads the pixel (t/3 − 1, t%3 − 1) away.</summary>
internal static class Taps
{
    public const int Count = 9;

    /// <summary>
    /// Whether the pixel that tap reads from row <paramref name="pixel"/> (or, direction −1, is read from) lies in
    /// its image.
    /// </summary>
    public static bool Inside(int pixel, int tap, int direction, int h, int w)
    {
        int x = pixel % w + direction * (tap % 3 - 1);
        int y = pixel / w % h + direction * (tap / 3 - 1);
        return x >= 0 && x < w && y >= 0 && y < h;
    }

    /// <summary>Distance in rows from a pixel to the one its tap reads.</summary>
    public static int Offset(int tap, int w) => (tap / 3 - 1) * w + tap % 3 - 1;
}

/// <summary>A pixel's place in its image, found once for all its taps.</summary>
internal readonly struct PixelPlace
{
    private readonly int x, y;

    public PixelPlace(int pixel, Divisor w, Divisor h)
    {
        int row = w.Divide(pixel);
        x = pixel - row * w.Value;
        y = row - h.Divide(row) * h.Value;
    }

    /// <summary>
    /// Whether the pixel that tap reads from here (or, direction −1, is read from) lies in the image.
    /// </summary>
    public readonly bool Inside(int tap, int direction, Divisor w, Divisor h)
    {
        int column = x + direction * (tap % 3 - 1), row = y + direction * (tap / 3 - 1);
        return column >= 0 && column < w.Value && row >= 0 && row < h.Value;
    }
}
