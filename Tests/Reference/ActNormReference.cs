namespace GlowGpu.Tests.Reference;

/// <summary>Actnorm and its data-dependent initialisation.</summary>
public static class ActNormReference
{
    /// <summary>y = (x + b)·exp(3·logs).</summary>
    public static Nhwc Forward(Nhwc x, double[] bias, double[] logs) =>
        x.Map((v, c) => (v + bias[c]) * Math.Exp(3 * logs[c]));

    /// <summary>x = y·exp(−3·logs) − b.</summary>
    public static Nhwc Inverse(Nhwc y, double[] bias, double[] logs) =>
        y.Map((v, c) => v * Math.Exp(-3 * logs[c]) - bias[c]);

    /// <summary>H·W·Σ 3·logs.</summary>
    public static double LogDet(Nhwc x, double[] logs) => x.H * x.W * 3 * logs.Sum();

    /// <summary>b = −mean; logs = ln(1/(sqrt(mean((x + b)²)) + 1e-6))/3.</summary>
    public static (double[] Bias, double[] Logs) Initialize(Nhwc x)
    {
        double[] bias = new double[x.C], logs = new double[x.C];
        for (int c = 0; c < x.C; c++)
        {
            double mean = 0, square = 0;
            for (int p = 0; p < x.Pixels; p++) mean += x.Data[p * x.C + c] / x.Pixels;
            for (int p = 0; p < x.Pixels; p++) square += Math.Pow(x.Data[p * x.C + c] - mean, 2) / x.Pixels;
            bias[c] = -mean;
            logs[c] = Math.Log(1 / (Math.Sqrt(square) + 1e-6)) / 3;
        }
        return (bias, logs);
    }

    /// <summary>Gradients of x, b and logs of y = (x + b)·exp(3·logs), its log-determinant not included.</summary>
    public static (Nhwc Dx, double[] Dbias, double[] Dlogs) Backward(Nhwc y, double[] logs, Nhwc dy)
    {
        Nhwc dx = dy.Map((g, c) => g * Math.Exp(3 * logs[c]));
        double[] dbias = new double[y.C], dlogs = new double[y.C];
        for (int i = 0; i < y.Data.Length; i++)
        {
            dbias[i % y.C] += dx.Data[i];
            dlogs[i % y.C] += 3 * y.Data[i] * dy.Data[i];
        }
        return (dx, dbias, dlogs);
    }
}
