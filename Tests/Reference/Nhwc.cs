namespace GlowGpu.Tests.Reference;

/// <summary>Images in double, <c>[N,H,W,C]</c>, with plain indexing: what the references compute on.</summary>
public sealed record Nhwc(double[] Data, int N, int H, int W, int C)
{
    /// <summary>Zeros of a shape.</summary>
    public Nhwc(int n, int h, int w, int c) : this(new double[n * h * w * c], n, h, w, c) { }

    /// <summary>P = N·H·W.</summary>
    public int Pixels => N * H * W;

    /// <summary>Value at an image, row, column and channel.</summary>
    public ref double this[int n, int y, int x, int c] => ref Data[((n * H + y) * W + x) * C + c];

    /// <summary>Channels [first, first + count).</summary>
    public Nhwc Channels(int first, int count)
    {
        Nhwc part = new(N, H, W, count);
        for (int p = 0; p < Pixels; p++)
            for (int c = 0; c < count; c++)
                part.Data[p * count + c] = Data[p * C + first + c];
        return part;
    }

    /// <summary>Every second channel from <paramref name="first"/> on.</summary>
    public Nhwc EverySecond(int first)
    {
        Nhwc part = new(N, H, W, C / 2);
        for (int p = 0; p < Pixels; p++)
            for (int c = 0; c < C / 2; c++)
                part.Data[p * (C / 2) + c] = Data[p * C + 2 * c + first];
        return part;
    }

    /// <summary>This, then the channels of <paramref name="other"/>.</summary>
    public Nhwc Concatenate(Nhwc other)
    {
        Nhwc all = new(N, H, W, C + other.C);
        for (int p = 0; p < Pixels; p++)
        {
            for (int c = 0; c < C; c++) all.Data[p * all.C + c] = Data[p * C + c];
            for (int c = 0; c < other.C; c++) all.Data[p * all.C + C + c] = other.Data[p * other.C + c];
        }
        return all;
    }

    /// <summary>A function of every value and its channel.</summary>
    public Nhwc Map(Func<double, int, double> f)
    {
        Nhwc mapped = new(N, H, W, C);
        for (int i = 0; i < Data.Length; i++) mapped.Data[i] = f(Data[i], i % C);
        return mapped;
    }

    /// <summary>Per image, the sum over its pixels and channels.</summary>
    public double[] SumPerImage()
    {
        double[] sums = new double[N];
        for (int i = 0; i < Data.Length; i++) sums[i / (H * W * C)] += Data[i];
        return sums;
    }
}
