namespace GlowGpu.Tests.Reference;

/// <summary>Space to depth: <c>[N,H,W,C] → [N,H/2,W/2,4C]</c>, output channel 4c + 2·dy + dx.</summary>
public static class SqueezeReference
{
    /// <summary>Squeezes.</summary>
    public static Nhwc Forward(Nhwc x)
    {
        Nhwc y = new(x.N, x.H / 2, x.W / 2, 4 * x.C);
        for (int n = 0; n < x.N; n++)
            for (int row = 0; row < x.H; row++)
                for (int col = 0; col < x.W; col++)
                    for (int c = 0; c < x.C; c++)
                        y[n, row / 2, col / 2, 4 * c + 2 * (row % 2) + col % 2] = x[n, row, col, c];
        return y;
    }

    /// <summary>Undoes it.</summary>
    public static Nhwc Inverse(Nhwc y)
    {
        Nhwc x = new(y.N, 2 * y.H, 2 * y.W, y.C / 4);
        for (int n = 0; n < x.N; n++)
            for (int row = 0; row < x.H; row++)
                for (int col = 0; col < x.W; col++)
                    for (int c = 0; c < x.C; c++)
                        x[n, row, col, c] = y[n, row / 2, col / 2, 4 * c + 2 * (row % 2) + col % 2];
        return x;
    }
}
