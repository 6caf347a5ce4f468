namespace GlowGpu.Tests.Reference;

/// <summary>Convolutions with weights <c>[kh,kw,in,out]</c>, stride 1, as many pixels out as in.</summary>
public static class ConvolutionReference
{
    /// <summary>
    /// 3×3: pixels outside the image are 0; with edge bias there is one more input channel, the last, that is 1
    /// outside the image and 0 inside.
    /// </summary>
    public static Nhwc Convolve3x3(Nhwc x, double[] weight, int outputs, bool edgeBias)
    {
        int inputs = x.C + (edgeBias ? 1 : 0);
        if (weight.Length != 9 * inputs * outputs)
            throw new ArgumentException($"convolution: {weight.Length} weights are not [3,3,{inputs},{outputs}]");
        // The image in a frame one pixel wide, with the channel that marks the frame.
        Nhwc framed = new(x.N, x.H + 2, x.W + 2, inputs);
        for (int n = 0; n < x.N; n++)
            for (int y = -1; y <= x.H; y++)
                for (int column = -1; column <= x.W; column++)
                {
                    bool inside = y >= 0 && y < x.H && column >= 0 && column < x.W;
                    for (int c = 0; inside && c < x.C; c++) framed[n, y + 1, column + 1, c] = x[n, y, column, c];
                    if (!inside && edgeBias) framed[n, y + 1, column + 1, x.C] = 1;
                }
        Nhwc result = new(x.N, x.H, x.W, outputs);
        for (int n = 0; n < x.N; n++)
            for (int y = 0; y < x.H; y++)
                for (int column = 0; column < x.W; column++)
                    for (int dy = 0; dy < 3; dy++)
                        for (int dx = 0; dx < 3; dx++)
                            for (int i = 0; i < inputs; i++)
                            {
                                double v = framed[n, y + dy, column + dx, i];
                                if (v == 0) continue;
                                int row = ((dy * 3 + dx) * inputs + i) * outputs;
                                for (int j = 0; j < outputs; j++) result[n, y, column, j] += v * weight[row + j];
                            }
        return result;
    }

    /// <summary>1×1, weights <c>[in,out]</c>: a matrix applied to every pixel's channels as a row vector.</summary>
    public static Nhwc Convolve1x1(Nhwc x, double[] weight, int outputs)
    {
        if (weight.Length != x.C * outputs)
            throw new ArgumentException($"convolution: {weight.Length} weights are not [1,1,{x.C},{outputs}]");
        Nhwc result = new(x.N, x.H, x.W, outputs);
        for (int p = 0; p < x.Pixels; p++)
            for (int i = 0; i < x.C; i++)
            {
                double v = x.Data[p * x.C + i];
                if (v == 0) continue;
                for (int j = 0; j < outputs; j++) result.Data[p * outputs + j] += v * weight[i * outputs + j];
            }
        return result;
    }

    /// <summary>Gradients of x and of the weights of <see cref="Convolve3x3"/>.</summary>
    public static (Nhwc Dx, double[] Dw) Backward3x3(Nhwc x, double[] weight, Nhwc dy, bool edgeBias)
    {
        int inputs = x.C + (edgeBias ? 1 : 0);
        Nhwc dx = new(x.N, x.H, x.W, x.C);
        double[] dw = new double[weight.Length];
        for (int n = 0; n < x.N; n++)
            for (int y = 0; y < x.H; y++)
                for (int column = 0; column < x.W; column++)
                    for (int tap = 0; tap < 9; tap++)
                    {
                        int sourceY = y + tap / 3 - 1, sourceX = column + tap % 3 - 1;
                        bool inside = sourceY >= 0 && sourceY < x.H && sourceX >= 0 && sourceX < x.W;
                        for (int j = 0; j < dy.C; j++)
                        {
                            double g = dy[n, y, column, j];
                            for (int i = 0; inside && i < x.C; i++)
                            {
                                int at = (tap * inputs + i) * dy.C + j;
                                dw[at] += g * x[n, sourceY, sourceX, i];
                                dx[n, sourceY, sourceX, i] += g * weight[at];
                            }
                            if (!inside && edgeBias) dw[(tap * inputs + x.C) * dy.C + j] += g;
                        }
                    }
        return (dx, dw);
    }

    /// <summary>Gradients of x and of the weights of <see cref="Convolve1x1"/>.</summary>
    public static (Nhwc Dx, double[] Dw) Backward1x1(Nhwc x, double[] weight, Nhwc dy)
    {
        Nhwc dx = new(x.N, x.H, x.W, x.C);
        double[] dw = new double[weight.Length];
        for (int p = 0; p < x.Pixels; p++)
            for (int i = 0; i < x.C; i++)
                for (int j = 0; j < dy.C; j++)
                {
                    dx.Data[p * x.C + i] += dy.Data[p * dy.C + j] * weight[i * dy.C + j];
                    dw[i * dy.C + j] += dy.Data[p * dy.C + j] * x.Data[p * x.C + i];
                }
        return (dx, dw);
    }
}
