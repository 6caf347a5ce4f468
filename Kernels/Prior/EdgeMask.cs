namespace GlowGpu.Kernels;

/// <summary>
/// Which sides of a 3×3 window stick out of the image at a pixel, as four bits. Pixels of one mask see the same
/// edge-bias taps, so that over an all-zero input the convolution has at most 16 different values.
/// </summary>
internal static class EdgeMask
{
    /// <summary>Number of masks.</summary>
    public const int Count = 16;

    private const int Top = 1, Bottom = 2, Left = 4, Right = 8;

    /// <summary>The mask of pixel (y, x) of an H × W image.</summary>
    public static int At(int y, int x, int height, int width) =>
        (y == 0 ? Top : 0) | (y == height - 1 ? Bottom : 0) | (x == 0 ? Left : 0) | (x == width - 1 ? Right : 0);

    /// <summary>Whether tap 3·dy + dx, dy and dx 0 … 2, reads outside the image at pixels of that mask.</summary>
    public static bool IsOutside(int mask, int tap)
    {
        int dy = tap / 3, dx = tap % 3;
        return (dy == 0 && (mask & Top) != 0) || (dy == 2 && (mask & Bottom) != 0)
            || (dx == 0 && (mask & Left) != 0) || (dx == 2 && (mask & Right) != 0);
    }
}
