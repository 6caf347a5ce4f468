namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// <see cref="IOptimizerStep"/> on a GPU: one pass, one thread per parameter. The bias corrections are computed in double
/// on the host.
/// </summary>
internal sealed class GpuOptimizerStep(GpuContext gpu) : IOptimizerStep
{
    private readonly Kernel<Arguments> adam = gpu.Declare<Arguments>(Adam);
    private readonly Kernel<Arguments> adamax = gpu.Declare<Arguments>(Adamax);

    internal struct Arguments
    {
        public Matrix P, G, M, V, Average;
        public int Count, HasAverage;
        public float Beta1, Beta2, Epsilon, GradientScale, AverageDecay;

        /// <summary>1 − β1, 1 − β2 and 1 − d, rounded once.</summary>
        public float Rest1, Rest2, AverageRest;

        /// <summary>rate/(1 − β1^t) and 1/(1 − β2^t).</summary>
        public float StepSize, Correction2;
    }

    /// <inheritdoc/>
    public void Adam(View parameters, View gradients, View m, View v, View average, OptimizerSettings settings) =>
        Run(adam, parameters, gradients, m, v, average, settings);

    /// <inheritdoc/>
    public void Adamax(View parameters, View gradients, View m, View u, View average, OptimizerSettings settings) =>
        Run(adamax, parameters, gradients, m, u, average, settings);

    /// <inheritdoc/>
    public void SumOfSquares(View x, View result)
    {
        Shapes.CheckSumOfSquares(x, result);
        gpu.ThrowIfTooLong(x.Count);
        Matrix column = gpu.Matrix(x).Window(0, 1);
        gpu.Columns.TimesProducts(column, column, (int)x.Count, 1, 1f, gpu.Matrix(result));
    }

    private void Run(
        Kernel<Arguments> kernel, View parameters, View gradients, View m, View v, View average, OptimizerSettings settings)
    {
        Shapes.CheckOptimizer(parameters, gradients, m, v, average, settings);
        kernel.ForEach((int)parameters.Count, new()
        {
            P = gpu.Matrix(parameters),
            G = gpu.Matrix(gradients),
            M = gpu.Matrix(m),
            V = gpu.Matrix(v),
            Average = gpu.Matrix(average),
            Count = (int)parameters.Count,
            HasAverage = average.IsNone ? 0 : 1,
            Beta1 = settings.Beta1,
            Beta2 = settings.Beta2,
            Epsilon = settings.Epsilon,
            GradientScale = settings.GradientScale,
            AverageDecay = settings.AverageDecay,
            Rest1 = (float)(1 - (double)settings.Beta1),
            Rest2 = (float)(1 - (double)settings.Beta2),
            AverageRest = (float)(1 - (double)settings.AverageDecay),
            StepSize = (float)(settings.Rate / (1 - Math.Pow(settings.Beta1, settings.Step))),
            Correction2 = (float)(1 / (1 - Math.Pow(settings.Beta2, settings.Step))),
        });
    }

    private static void Adam(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            float g = arguments.G[i] * arguments.GradientScale;
            float m = arguments.Beta1 * arguments.M[i] + arguments.Rest1 * g;
            float v = arguments.Beta2 * arguments.V[i] + arguments.Rest2 * g * g;
            arguments.M[i] = m;
            arguments.V[i] = v;
            Move(arguments, i, arguments.StepSize * m / (MathF.Sqrt(v * arguments.Correction2) + arguments.Epsilon));
        }
    }

    private static void Adamax(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            float g = arguments.G[i] * arguments.GradientScale;
            float m = arguments.Beta1 * arguments.M[i] + arguments.Rest1 * g;
            float decayed = arguments.Beta2 * arguments.V[i];
            float size = ILGPU.IntrinsicMath.Abs(g) + arguments.Epsilon;
            // A NaN gradient must reach u: compared this way round, it does.
            float u = decayed > size ? decayed : size;
            arguments.M[i] = m;
            arguments.V[i] = u;
            Move(arguments, i, arguments.StepSize * m / u);
        }
    }

    private static void Move(Arguments arguments, int i, float distance)
    {
        float p = arguments.P[i] - distance;
        arguments.P[i] = p;
        if (arguments.HasAverage != 0)
            arguments.Average[i] = arguments.AverageDecay * arguments.Average[i] + arguments.AverageRest * p;
    }
}
