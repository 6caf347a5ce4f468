namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// <see cref="IPrior"/> on a GPU. Over an all-zero input the convolution is its bias and edge row, so no product is
/// formed; the gradients are column sums of dstats. A label that names no class makes the statistics of its image
/// NaN.
/// </summary>
internal sealed class GpuPrior(GpuContext gpu, TapConvolution convolution, Views views) : IPrior
{
    private readonly Kernel<Arguments> statistics = gpu.Declare<Arguments>(Statistics);
    private readonly Kernel<ImageArguments> imageSums = gpu.Declare<ImageArguments>(SumImages);
    private readonly Kernel<ImageArguments> classWeights = gpu.Declare<ImageArguments>(ClassWeights);

    internal struct Arguments
    {
        public Matrix Edge, Bias, Logs, ClassWeight, ClassBias, ClassLogs, Labels, Stats;
        public int Learned, EdgeBias, Conditional, Classes, Height, W, Cols, Count;
    }

    internal struct ImageArguments
    {
        public Matrix DStats, PerImage, Labels, Logs, DWeight;
        public int Images, Pixels, Cols, Count;
    }

    /// <inheritdoc/>
    public void Forward(bool edgeBias, Pixels pixels, PriorParameters parameters, View labels, View stats)
    {
        Shapes.CheckPrior(edgeBias, pixels, parameters, labels, stats);
        Statistics(edgeBias, pixels, stats.Cols, parameters, labels, gpu.Matrix(stats));
    }

    /// <inheritdoc/>
    public void Backward(
        bool edgeBias, Pixels pixels, PriorParameters parameters, View labels, View dstats, PriorParameters gradients)
    {
        Shapes.CheckPriorBackward(edgeBias, pixels, parameters, labels, dstats, gradients);
        Matrix ds = gpu.Matrix(dstats);
        if (!parameters.Conv.W.IsNone) ConvGradients(edgeBias, pixels, dstats.Cols, parameters, ds, gradients.Conv);
        if (!parameters.ClassW.IsNone) ClassGradients(pixels, dstats.Cols, parameters, labels, ds, gradients);
    }

    private void ConvGradients(
        bool edgeBias, Pixels pixels, int cols, PriorParameters parameters, Matrix dstats, ZeroConvParameters gradients)
    {
        Matrix logs = gpu.Matrix(parameters.Conv.Logs);
        views.Fill(gradients.W, 0f);
        if (edgeBias) convolution.EdgeGradient(new TapLayout(cols, cols), pixels, dstats, logs,
            gpu.Matrix(gradients.W));
        gpu.Columns.Scaled(dstats, pixels.Count, cols, logs, gpu.Matrix(gradients.Bias));
        Matrix own = gpu.Scratch.Take(ScratchSlot.Taps, pixels.Count, cols);
        Statistics(edgeBias, pixels, cols, parameters with { ClassW = View.None }, View.None, own);
        gpu.Columns.TimesProducts(dstats, own, pixels.Count, cols, 3f, gpu.Matrix(gradients.Logs));
    }

    private void ClassGradients(
        Pixels pixels, int cols, PriorParameters parameters, View labels, Matrix dstats, PriorParameters gradients)
    {
        Matrix logs = gpu.Matrix(parameters.ClassLogs);
        Matrix perImage = gpu.Scratch.Take(ScratchSlot.PerImage, pixels.N, cols);
        ImageArguments arguments = new()
        {
            DStats = dstats,
            PerImage = perImage,
            Labels = gpu.Matrix(labels),
            Logs = logs,
            DWeight = gpu.Matrix(gradients.ClassW).Window(0, cols),
            Images = pixels.N,
            Pixels = pixels.H * pixels.W,
            Cols = cols,
        };
        imageSums.ForEach(pixels.N * cols, arguments with { Count = pixels.N * cols });
        classWeights.ForEach((int)gradients.ClassW.Count, arguments with { Count = (int)gradients.ClassW.Count });
        gpu.Columns.Scaled(perImage, pixels.N, cols, logs, gpu.Matrix(gradients.ClassBias));

        // The class part is one row per image: images of a single pixel.
        Matrix own = gpu.Scratch.Take(ScratchSlot.Taps, pixels.N, cols);
        Statistics(false, new Pixels(pixels.N, 1, 1), cols, parameters with { Conv = default }, labels, own);
        gpu.Columns.TimesProducts(perImage, own, pixels.N, cols, 3f, gpu.Matrix(gradients.ClassLogs));
    }

    private void Statistics(bool edgeBias, Pixels pixels, int cols, PriorParameters parameters,
        View labels, Matrix stats)
    {
        bool learned = !parameters.Conv.W.IsNone, conditional = !parameters.ClassW.IsNone;
        bool edge = learned && edgeBias;
        statistics.ForEach(checked(pixels.Count * cols), new()
        {
            Edge = edge ? gpu.Matrix(parameters.Conv.W).Window((long)cols * cols, (cols + 1) * cols) : gpu.Missing,
            Bias = gpu.Matrix(parameters.Conv.Bias),
            Logs = gpu.Matrix(parameters.Conv.Logs),
            ClassWeight = gpu.Matrix(parameters.ClassW).Window(0, cols),
            ClassBias = gpu.Matrix(parameters.ClassBias),
            ClassLogs = gpu.Matrix(parameters.ClassLogs),
            Labels = gpu.Matrix(labels),
            Stats = stats,
            Learned = learned ? 1 : 0,
            EdgeBias = edge ? 1 : 0,
            Conditional = conditional ? 1 : 0,
            Classes = (int)(parameters.ClassW.Count / cols),
            Height = pixels.H,
            W = pixels.W,
            Cols = cols,
            Count = pixels.Count * cols,
        });
    }

    private static void Statistics(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int p = i / arguments.Cols, j = i % arguments.Cols;
            float value = 0f;
            if (arguments.Learned != 0) value = Convolution(arguments, p, j);
            if (arguments.Conditional != 0)
            {
                int label = (int)arguments.Labels[p / (arguments.Height * arguments.W)];
                float embedding = label >= 0 && label < arguments.Classes ? arguments.ClassWeight[label, j] : float.NaN;
                value += (embedding + arguments.ClassBias[j]) * GpuMath.Exp(3f * arguments.ClassLogs[j]);
            }
            arguments.Stats[p, j] = value;
        }
    }

    private static float Convolution(Arguments arguments, int p, int j)
    {
        float sum = arguments.Bias[j];
        if (arguments.EdgeBias != 0)
        {
            for (int tap = 0; tap < Taps.Count; tap++)
                if (!Taps.Inside(p, tap, 1, arguments.Height, arguments.W)) sum += arguments.Edge[tap, j];
        }
        return sum * GpuMath.Exp(3f * arguments.Logs[j]);
    }

    /// <summary>perImage[n,j] = Σ over the pixels of image n of dstats.</summary>
    private static void SumImages(ImageArguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int n = i / arguments.Cols, j = i % arguments.Cols;
            KahanSum sum = default;
            for (int p = 0; p < arguments.Pixels; p++) sum.Add(arguments.DStats[n * arguments.Pixels + p, j]);
            arguments.PerImage[n, j] = sum.Value;
        }
    }

    /// <summary>dW[k,j] = exp(3·logs[j])·Σ of perImage[n,j] over the images of class k.</summary>
    private static void ClassWeights(ImageArguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            int k = i / arguments.Cols, j = i % arguments.Cols;
            KahanSum sum = default;
            for (int n = 0; n < arguments.Images; n++)
                if ((int)arguments.Labels[n] == k) sum.Add(arguments.PerImage[n, j]);
            arguments.DWeight[k, j] = sum.Value * GpuMath.Exp(3f * arguments.Logs[j]);
        }
    }
}
