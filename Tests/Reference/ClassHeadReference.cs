namespace GlowGpu.Tests.Reference;

/// <summary>The class term: a zero linear layer over the mean of the top z, and its cross-entropy.</summary>
public static class ClassHeadReference
{
    /// <summary>Mean over H and W <c>[N,C]</c>.</summary>
    public static double[] Mean(Nhwc z)
    {
        double[] mean = new double[z.N * z.C];
        for (int i = 0; i < z.Data.Length; i++) mean[i / (z.H * z.W * z.C) * z.C + i % z.C] += z.Data[i] / (z.H * z.W);
        return mean;
    }

    /// <summary>Logits <c>[N,classes]</c>.</summary>
    public static double[] Logits(Nhwc z, double[] weight, double[] bias, double[] logs) =>
        ZeroConvReference.Linear(Mean(z), z.N, weight, bias, logs);

    /// <summary>−log2 softmax(logits)[label] per image, bits.</summary>
    public static double[] Loss(double[] logits, double[] labels)
    {
        int n = labels.Length, classes = logits.Length / n;
        double[] loss = new double[n];
        for (int i = 0; i < n; i++)
        {
            double[] row = logits[(i * classes)..((i + 1) * classes)];
            double largest = row.Max();
            double logSum = largest + Math.Log(row.Sum(v => Math.Exp(v - largest)));
            loss[i] = (logSum - row[(int)labels[i]]) / Math.Log(2);
        }
        return loss;
    }

    /// <summary>
    /// Gradients of z and the three parameters, g being the derivative of the loss by every image's cross-entropy.
    /// </summary>
    public static (Nhwc Dz, double[] Dw, double[] Dbias, double[] Dlogs) Backward(
        Nhwc z, double[] weight, double[] bias, double[] logs, double[] labels, double g)
    {
        double[] logits = Logits(z, weight, bias, logs), dlogits = new double[logits.Length];
        int classes = bias.Length;
        for (int i = 0; i < z.N; i++)
        {
            double largest = logits[(i * classes)..((i + 1) * classes)].Max(), sum = 0;
            for (int k = 0; k < classes; k++) sum += Math.Exp(logits[i * classes + k] - largest);
            for (int k = 0; k < classes; k++)
                dlogits[i * classes + k] = g / Math.Log(2) * (Math.Exp(logits[i * classes + k] - largest) / sum
                    - (k == (int)labels[i] ? 1 : 0));
        }
        (double[] dmean, double[] dw, double[] dbias, double[] dlogs) = ZeroConvReference.LinearBackward(Mean(z), z.N,
            weight, bias, logs, dlogits);
        Nhwc dz = new(z.N, z.H, z.W, z.C);
        for (int i = 0; i < dz.Data.Length; i++) dz.Data[i] = dmean[i / (z.H * z.W * z.C) * z.C + i % z.C]
            / (z.H * z.W);
        return (dz, dw, dbias, dlogs);
    }
}
