namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// <see cref="IClassHead"/> on a GPU: one thread per mean, logit, loss or gradient; the sizes are those of one small
/// matrix per batch. A label that names no class makes the loss of its image NaN.
/// </summary>
internal sealed class GpuClassHead(GpuContext gpu) : IClassHead
{
    private const float Ln2 = 0.693147181f;

    private readonly Kernel<Arguments> means = gpu.Declare<Arguments>(Means);
    private readonly Kernel<Arguments> logits = gpu.Declare<Arguments>(Logits);
    private readonly Kernel<Arguments> losses = gpu.Declare<Arguments>(Losses);
    private readonly Kernel<Arguments> logitGradients = gpu.Declare<Arguments>(LogitGradients);
    private readonly Kernel<Arguments> weightGradients = gpu.Declare<Arguments>(WeightGradients);
    private readonly Kernel<Arguments> meanGradients = gpu.Declare<Arguments>(MeanGradients);
    private readonly Kernel<Arguments> addToPixels = gpu.Declare<Arguments>(AddToPixels);

    internal struct Arguments
    {
        /// <summary>z forward, dz backward.</summary>
        public Matrix Z;

        /// <summary>The mean of z forward; backward that of the weights' gradient.</summary>
        public Matrix Mean;
        public Matrix Logits, Labels, Loss, Weight, Bias, Logs, DLogits, DMean, DWeight;
        public int Images, Pixels, Channels, Classes, Count;
        public float G;
    }

    /// <inheritdoc/>
    public void Forward(
        Pixels pixels, View z, ClassHeadParameters parameters, View labels, View mean, View logits, View loss)
    {
        Shapes.CheckClassHead(pixels, z, parameters, labels, mean, logits, loss);
        Arguments arguments = Bind(pixels, z, parameters, labels, mean, logits);
        arguments.Loss = gpu.Matrix(loss);
        Run(means, (int)mean.Count, arguments);
        Run(this.logits, (int)logits.Count, arguments);
        Run(losses, pixels.N, arguments);
    }

    /// <inheritdoc/>
    public void Backward(Pixels pixels, ClassHeadParameters parameters, View labels, View mean,
        View logits, float gLoss,
        View dz, ClassHeadParameters gradients)
    {
        Shapes.CheckClassHeadBackward(pixels, parameters, labels, mean, logits, dz, gradients);
        int n = pixels.N, classes = logits.Cols;
        Arguments arguments = Bind(pixels, dz, parameters, labels, mean, logits);
        arguments.DLogits = gpu.Scratch.Take(ScratchSlot.FirstGradient, n, classes);
        arguments.DMean = gpu.Scratch.Take(ScratchSlot.SecondGradient, n, dz.Cols);
        arguments.DWeight = gpu.Matrix(gradients.W).Window(0, classes);
        arguments.G = gLoss;
        Run(logitGradients, n * classes, arguments);
        Run(weightGradients, (int)gradients.W.Count, arguments);
        gpu.Columns.Scaled(arguments.DLogits, n, classes, arguments.Logs, gpu.Matrix(gradients.Bias));
        gpu.Columns.TimesProducts(arguments.DLogits, arguments.Logits, n, classes, 3f, gpu.Matrix(gradients.Logs));
        Run(meanGradients, n * dz.Cols, arguments);
        Run(addToPixels, (int)dz.Count, arguments);
    }

    private Arguments Bind(Pixels pixels, View z, ClassHeadParameters parameters, View labels,
        View mean, View logits) => new()
        {
            Z = gpu.Matrix(z),
            Mean = gpu.Matrix(mean),
            Logits = gpu.Matrix(logits),
            Labels = gpu.Matrix(labels),
            Loss = gpu.Missing,
            Weight = gpu.Matrix(parameters.W).Window(0, logits.Cols),
            Bias = gpu.Matrix(parameters.Bias),
            Logs = gpu.Matrix(parameters.Logs),
            DLogits = gpu.Missing,
            DMean = gpu.Missing,
            DWeight = gpu.Missing,
            Images = pixels.N,
            Pixels = pixels.H * pixels.W,
            Channels = z.Cols,
            Classes = logits.Cols,
        };

    private static void Run(Kernel<Arguments> kernel, int count, Arguments arguments) =>
        kernel.ForEach(count, arguments with { Count = count });

    private static void Means(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int n = i / arguments.Channels, c = i % arguments.Channels;
            KahanSum sum = default;
            for (int p = 0; p < arguments.Pixels; p++) sum.Add(arguments.Z[n * arguments.Pixels + p, c]);
            arguments.Mean[n, c] = sum.Value / arguments.Pixels;
        }
    }

    private static void Logits(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int n = i / arguments.Classes, k = i % arguments.Classes;
            KahanSum sum = default;
            for (int c = 0; c < arguments.Channels; c++) sum.Add(arguments.Mean[n, c] * arguments.Weight[c, k]);
            arguments.Logits[n, k] = (sum.Value + arguments.Bias[k]) * GpuMath.Exp(3f * arguments.Logs[k]);
        }
    }

    private static void Losses(Arguments arguments)
    {
        for (int n = GridStride.First; n < arguments.Count; n += GridStride.Step)
        {
            float largest = Largest(arguments, n);
            int label = (int)arguments.Labels[n];
            float chosen = label >= 0 && label < arguments.Classes ? arguments.Logits[n, label] : float.NaN;
            arguments.Loss[n] = (GpuMath.Log(Normalizer(arguments, n, largest)) + largest - chosen) / Ln2;
        }
    }

    /// <summary>dlogits[n,k] = g·(softmax − one-hot)/ln 2.</summary>
    private static void LogitGradients(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int n = i / arguments.Classes, k = i % arguments.Classes;
            float largest = Largest(arguments, n);
            float softmax = GpuMath.Exp(arguments.Logits[n, k] - largest) / Normalizer(arguments, n, largest);
            float target = (int)arguments.Labels[n] == k ? 1f : 0f;
            arguments.DLogits[n, k] = arguments.G * (softmax - target) / Ln2;
        }
    }

    private static void WeightGradients(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int c = i / arguments.Classes, k = i % arguments.Classes;
            KahanSum sum = default;
            for (int n = 0; n < arguments.Images; n++) sum.Add(arguments.Mean[n, c] * arguments.DLogits[n, k]);
            arguments.DWeight[c, k] = sum.Value * GpuMath.Exp(3f * arguments.Logs[k]);
        }
    }

    /// <summary>dmean[n,c] = Σ_k dlogits[n,k]·exp(3·logs[k])·W[c,k].</summary>
    private static void MeanGradients(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int n = i / arguments.Channels, c = i % arguments.Channels;
            KahanSum sum = default;
            for (int k = 0; k < arguments.Classes; k++)
                sum.Add(arguments.DLogits[n, k] * GpuMath.Exp(3f * arguments.Logs[k]) * arguments.Weight[c, k]);
            arguments.DMean[n, c] = sum.Value;
        }
    }

    private static void AddToPixels(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int p = i / arguments.Channels, c = i % arguments.Channels;
            arguments.Z[p, c] += arguments.DMean[p / arguments.Pixels, c] / arguments.Pixels;
        }
    }

    private static float Largest(Arguments arguments, int n)
    {
        float largest = arguments.Logits[n, 0];
        for (int k = 1; k < arguments.Classes; k++)
            largest = arguments.Logits[n, k] > largest ? arguments.Logits[n, k] : largest;
        return largest;
    }

    /// <summary>Σ_k exp(logits[n,k] − largest).</summary>
    private static float Normalizer(Arguments arguments, int n, float largest)
    {
        KahanSum sum = default;
        for (int k = 0; k < arguments.Classes; k++) sum.Add(GpuMath.Exp(arguments.Logits[n, k] - largest));
        return sum.Value;
    }
}
