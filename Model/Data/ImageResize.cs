namespace GlowGpu.Model.Data;

/// <summary>
/// Centre crop and resize with the Catmull–Rom kernel, stretched by the reduction factor so that it covers every source
/// pixel (the usual antialiased bicubic filter). Plain float32 arithmetic in a fixed order: the same bytes on every
/// machine.
/// </summary>
public static class ImageResize
{
    /// <summary>
    /// The largest centred square of <c>[H,W,3]</c> (of the two middle ones the upper or left), resized to
    /// <c>[size,size,3]</c>.
    /// </summary>
    public static byte[] CropAndResize(ReadOnlySpan<byte> pixels, int height, int width, int size)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        int side = Math.Min(height, width), top = (height - side) / 2, left = (width - side) / 2;
        var result = new byte[size * size * 3];
        if (side == size)
        {
            for (int y = 0; y < size; y++) pixels.Slice(((top + y) * width + left) * 3,
                size * 3).CopyTo(result.AsSpan(y * size * 3));
            return result;
        }
        (int[] first, float[] weights, int taps) = Kernel(side, size);
        var narrow = new float[side * size * 3];
        for (int y = 0, to = 0; y < side; y++)
        {
            ReadOnlySpan<byte> row = pixels.Slice(((top + y) * width + left) * 3, side * 3);
            for (int x = 0; x < size; x++, to += 3)
            {
                float r = 0, g = 0, b = 0;
                for (int k = 0, from = first[x] * 3; k < taps; k++, from += 3)
                {
                    float w = weights[x * taps + k];
                    r += w * row[from];
                    g += w * row[from + 1];
                    b += w * row[from + 2];
                }
                (narrow[to], narrow[to + 1], narrow[to + 2]) = (r, g, b);
            }
        }
        var sums = new float[size * 3];
        for (int y = 0; y < size; y++)
        {
            Array.Clear(sums);
            for (int k = 0; k < taps; k++)
            {
                float w = weights[y * taps + k];
                ReadOnlySpan<float> row = narrow.AsSpan((first[y] + k) * sums.Length, sums.Length);
                for (int i = 0; i < sums.Length; i++) sums[i] += w * row[i];
            }
            for (int i = 0; i < sums.Length; i++) result[y * sums.Length + i] = (byte)Math.Clamp(sums[i] + 0.5f, 0,
                255);
        }
        return result;
    }

    // For each target pixel the first source pixel and the weights, summing to 1, of that many from there on.
    private static (int[] First, float[] Weights, int Taps) Kernel(int from, int to)
    {
        double scale = (double)from / to, stretch = Math.Max(scale, 1), support = 2 * stretch;
        int taps = Math.Min((int)Math.Ceiling(support) * 2 + 1, from);
        var first = new int[to];
        var weights = new float[to * taps];
        for (int t = 0; t < to; t++)
        {
            double centre = (t + 0.5) * scale - 0.5;
            first[t] = Math.Clamp((int)Math.Ceiling(centre - support), 0, from - taps);
            double sum = 0;
            for (int k = 0; k < taps; k++) sum += CatmullRom((first[t] + k - centre) / stretch);
            for (int k = 0; k < taps;
                k++) weights[t * taps + k] = (float)(CatmullRom((first[t] + k - centre) / stretch) / sum);
        }
        return (first, weights, taps);
    }

    private static double CatmullRom(double x)
    {
        x = Math.Abs(x);
        return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
    }
}
