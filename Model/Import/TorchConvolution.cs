namespace GlowGpu.Model.Import;

/// <summary>What a 3×3 convolution sees outside the image, and so what its edge row holds.</summary>
internal enum Outside
{
    /// <summary>Zeros, in a model without edge bias: there is no edge row.</summary>
    NoRow,

    /// <summary>Zeros: the edge row is zero.</summary>
    Zeros,

    /// <summary>Ones in every input channel: the edge row is the sum over input channels.</summary>
    Ones,
}

/// <summary>
/// Convolution weights between PyTorch's <c>[out,in,kh,kw]</c> and this project's <c>[kh,kw,in(+1),out]</c>, whose
/// last input row is that of the edge channel. Both are cross-correlations with the same taps.
/// </summary>
internal static class TorchConvolution
{
    /// <summary>Taps of a 3×3 kernel.</summary>
    public const int Taps = 9;

    /// <summary>PyTorch → ours.</summary>
    /// <param name="weight"><c>[out,in,taps]</c></param>
    /// <param name="ins">input channels</param>
    /// <param name="order">output channel j of ours is their channel <c>order[j]</c></param>
    /// <param name="taps">1 or 9</param>
    /// <param name="outside">what becomes the edge row</param>
    public static float[] Import(ReadOnlySpan<double> weight, int ins, ReadOnlySpan<int> order,
        int taps, Outside outside)
    {
        int outs = order.Length, rows = ins + (outside == Outside.NoRow ? 0 : 1);
        float[] ours = new float[taps * rows * outs];
        for (int tap = 0; tap < taps; tap++)
        {
            for (int j = 0; j < outs; j++)
            {
                double sum = 0;
                for (int i = 0; i < ins; i++)
                {
                    double value = weight[(order[j] * ins + i) * taps + tap];
                    sum += value;
                    ours[(tap * rows + i) * outs + j] = (float)value;
                }
                if (outside == Outside.Ones) ours[(tap * rows + ins) * outs + j] = (float)sum;
            }
        }
        return ours;
    }

    /// <summary>Elements of a vector in another order, each times a factor.</summary>
    public static float[] Reorder(ReadOnlySpan<double> values, ReadOnlySpan<int> order, double factor = 1)
    {
        float[] result = new float[order.Length];
        for (int j = 0; j < result.Length; j++) result[j] = (float)(values[order[j]] * factor);
        return result;
    }

    /// <summary>0, 1, … n − 1.</summary>
    public static int[] InOrder(int n) => [.. Enumerable.Range(0, n)];

    /// <summary>
    /// Order of the outputs of a program that splits them into two halves, where ours interleaves two kinds: our
    /// channel 2j is channel j of half <paramref name="even"/> (0 or 1), our channel 2j + 1 channel j of the other.
    /// </summary>
    public static int[] FromHalves(int n, int even)
    {
        int[] order = new int[n];
        for (int j = 0; j < n / 2; j++)
        {
            order[2 * j] = even * (n / 2) + j;
            order[2 * j + 1] = (1 - even) * (n / 2) + j;
        }
        return order;
    }
}
