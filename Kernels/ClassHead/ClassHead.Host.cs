using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

/// <summary>
/// <see cref="IClassHead"/> on the host, all sums in double: forward and dz in parallel over images, the gradients
/// over rows of W (and one last part for bias and logs).
/// </summary>
public sealed unsafe class HostClassHead(Workers workers) : IClassHead
{
    private readonly KeptMemory<double> scales = new();
    private readonly KeptMemory<double> logitGradients = new();

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A shape does not fit, or a label is not a class.</exception>
    public void Forward(Pixels pixels, View z, ClassHeadParameters parameters, View labels, View mean,
        View logits, View loss)
    {
        Shapes.CheckClassHead(pixels, z, parameters, labels, mean, logits, loss);
        Head head = Open("class head", pixels, parameters, labels, mean, logits);
        workers.Run(pixels.N, new ForwardWork { Head = head, Z = new HostRows(z), Loss = HostBuffer.Address(loss) });
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A shape does not fit, or a label is not a class.</exception>
    public void Backward(Pixels pixels, ClassHeadParameters parameters, View labels, View mean,
        View logits, float gLoss,
        View dz, ClassHeadParameters gradients)
    {
        Shapes.CheckClassHeadBackward(pixels, parameters, labels, mean, logits, dz, gradients);
        Head head = Open("class head backward", pixels, parameters, labels, mean, logits);
        double* dlogits = logitGradients.Take((long)pixels.N * head.Classes);
        workers.Run(pixels.N, new ImageWork { Head = head, GLoss = gLoss, DLogits = dlogits, DZ = new HostRows(dz) });
        workers.Run(head.Channels + 1, new ParameterWork
        {
            Head = head,
            Images = pixels.N,
            DLogits = dlogits,
            DW = HostBuffer.Address(gradients.W),
            DBias = HostBuffer.Address(gradients.Bias),
            DLogs = HostBuffer.Address(gradients.Logs),
        });
    }

    private Head Open(string op, Pixels pixels, ClassHeadParameters parameters, View labels, View mean, View logits)
    {
        Shapes.CheckLabels(op, new ReadOnlySpan<float>(HostBuffer.Address(labels), pixels.N), logits.Cols);
        double* scale = scales.Take(logits.Cols);
        float* logs = HostBuffer.Address(parameters.Logs);
        for (int k = 0; k < logits.Cols; k++) scale[k] = Math.Exp(3.0 * logs[k]);
        return new Head
        {
            Channels = mean.Cols,
            Classes = logits.Cols,
            PixelsPerImage = pixels.H * pixels.W,
            W = HostBuffer.Address(parameters.W),
            Bias = HostBuffer.Address(parameters.Bias),
            Scale = scale,
            Labels = HostBuffer.Address(labels),
            Mean = HostBuffer.Address(mean),
            Logits = HostBuffer.Address(logits),
        };
    }

    /// <summary>What both directions read, by address; Scale is exp(3·logs).</summary>
    private struct Head
    {
        public int Channels, Classes, PixelsPerImage;
        public float* W, Bias, Labels, Mean, Logits;
        public double* Scale;

        /// <summary>ln Σ_k exp(logit_k) of image n.</summary>
        public readonly double LogSumExp(int n)
        {
            float* logits = Logits + (long)n * Classes;
            double largest = double.NegativeInfinity, sum = 0;
            for (int k = 0; k < Classes; k++) largest = Math.Max(largest, logits[k]);
            for (int k = 0; k < Classes; k++) sum += Math.Exp(logits[k] - largest);
            return largest + Math.Log(sum);
        }
    }

    private struct ForwardWork : IWork
    {
        // Accumulators of a block of columns live on the stack; columns past it are another walk over the rows.
        private const int Block = 64;

        public Head Head;
        public HostRows Z;
        public float* Loss;

        public readonly void Run(int n, int worker)
        {
            float* mean = Head.Mean + (long)n * Head.Channels, logits = Head.Logits + (long)n * Head.Classes;
            double* sums = stackalloc double[Block];
            for (int start = 0; start < Head.Channels; start += Block)
            {
                int count = Math.Min(Block, Head.Channels - start);
                new Span<double>(sums, Block).Clear();
                for (int i = 0; i < Head.PixelsPerImage; i++)
                    HostReduce.AddRow(Z.Row(n * Head.PixelsPerImage + i) + start, sums, count);
                for (int i = 0; i < count; i++) mean[start + i] = (float)(sums[i] / Head.PixelsPerImage);
            }
            for (int start = 0; start < Head.Classes; start += Block)
            {
                int count = Math.Min(Block, Head.Classes - start);
                for (int i = 0; i < count; i++) sums[i] = Head.Bias[start + i];
                for (int c = 0; c < Head.Channels; c++)
                    for (int i = 0; i < count; i++) sums[i] += (double)mean[c] * Head.W[(long)c * Head.Classes
                        + start + i];
                for (int i = 0; i < count; i++) logits[start + i] = (float)(sums[i] * Head.Scale[start + i]);
            }
            Loss[n] = (float)((Head.LogSumExp(n) - logits[(int)Head.Labels[n]]) / Math.Log(2));
        }
    }

    /// <summary>Per image: the gradient of its logits, and what that adds to its dz.</summary>
    private struct ImageWork : IWork
    {
        public Head Head;
        public float GLoss;
        public double* DLogits;
        public HostRows DZ;

        public readonly void Run(int n, int worker)
        {
            double* dlogits = DLogits + (long)n * Head.Classes;
            double logSum = Head.LogSumExp(n), perNat = GLoss / Math.Log(2);
            for (int k = 0; k < Head.Classes; k++)
            {
                double probability = Math.Exp(Head.Logits[(long)n * Head.Classes + k] - logSum);
                dlogits[k] = perNat * (k == (int)Head.Labels[n] ? probability - 1 : probability);
            }
            for (int c = 0; c < Head.Channels; c++)
            {
                double dmean = 0;
                for (int k = 0; k < Head.Classes; k++)
                    dmean += dlogits[k] * Head.Scale[k] * Head.W[(long)c * Head.Classes + k];
                float share = (float)(dmean / Head.PixelsPerImage);
                for (int i = 0; i < Head.PixelsPerImage; i++) DZ.Row(n * Head.PixelsPerImage + i)[c] += share;
            }
        }
    }

    /// <summary>Per channel, a row of dW; the part after the last channel is bias and logs.</summary>
    private struct ParameterWork : IWork
    {
        public Head Head;
        public int Images;
        public double* DLogits;
        public float* DW, DBias, DLogs;

        public readonly void Run(int channel, int worker)
        {
            for (int k = 0; k < Head.Classes; k++)
            {
                double sum = 0, weighted = 0;
                for (int n = 0; n < Images; n++)
                {
                    double dlogit = DLogits[(long)n * Head.Classes + k];
                    sum += dlogit;
                    weighted += dlogit * (channel < Head.Channels
                        ? Head.Mean[(long)n * Head.Channels + channel]
                        : Head.Logits[(long)n * Head.Classes + k]);
                }
                if (channel < Head.Channels)
                {
                    DW[(long)channel * Head.Classes + k] = (float)(weighted * Head.Scale[k]);
                    continue;
                }
                DBias[k] = (float)(sum * Head.Scale[k]);
                DLogs[k] = (float)(3 * weighted);
            }
        }
    }
}
