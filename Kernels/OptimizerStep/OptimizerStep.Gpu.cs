using ILGPU;
using ILGPU.Runtime;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// <see cref="IOptimizerStep"/> on a GPU: one pass that moves every byte once, four parameters a thread in accesses
/// of 128 bits where all views begin at a multiple of 16 bytes (those of <c>ParameterSet</c> do), else one. The bias
/// corrections are computed in double on the host.
/// </summary>
internal sealed class GpuOptimizerStep(GpuContext gpu) : IOptimizerStep
{
    private readonly Kernel<Arguments> adam = gpu.Declare<Arguments>(Step<AdamRule>);
    private readonly Kernel<Arguments> adamax = gpu.Declare<Arguments>(Step<AdamaxRule>);
    private readonly Kernel<JudgeArguments> judge = gpu.Declare<JudgeArguments>(Judge);

    /// <summary>Four parameters next to each other: 16 bytes.</summary>
    internal struct Quad
    {
        public float A, B, C, D;

        public const int Count = 4;
    }

    /// <summary>One parameter on its way.</summary>
    internal struct Values
    {
        public float P, G, M, V, Average;
    }

    internal struct Arguments
    {
        public Matrix P, G, M, V, Average, Scale, Dials;
        public int Count, Quads, HasAverage, HasScale, HasDials;
        public float Beta1, Beta2, Epsilon, GradientScale, AverageDecay;

        /// <summary>1 − β1 and 1 − β2, rounded once.</summary>
        public float Rest1, Rest2;

        /// <summary>rate/(1 − β1^t) and 1/(1 − β2^t).</summary>
        public float StepSize, SecondCorrection;
    }

    internal struct JudgeArguments
    {
        public Matrix Values, Squares, Scale;
        public int Count;
        public float ClipNorm;
    }

    /// <summary>How a parameter moves.</summary>
    internal interface IRule
    {
        static abstract Values Move(Arguments arguments, Values values);
    }

    internal struct AdamRule : IRule
    {
        public static Values Move(Arguments arguments, Values values)
        {
            float g = values.G * arguments.GradientScale;
            values.M = arguments.Beta1 * values.M + arguments.Rest1 * g;
            values.V = arguments.Beta2 * values.V + arguments.Rest2 * g * g;
            values.P -= arguments.StepSize * values.M / (MathF.Sqrt(values.V * arguments.SecondCorrection)
                + arguments.Epsilon);
            return values;
        }
    }

    internal struct AdamaxRule : IRule
    {
        public static Values Move(Arguments arguments, Values values)
        {
            float g = values.G * arguments.GradientScale;
            values.M = arguments.Beta1 * values.M + arguments.Rest1 * g;
            float decayed = arguments.Beta2 * values.V;
            float size = IntrinsicMath.Abs(g) + arguments.Epsilon;
            // A NaN gradient must reach u: compared this way round, it does.
            values.V = decayed > size ? decayed : size;
            values.P -= arguments.StepSize * values.M / values.V;
            return values;
        }
    }

    /// <inheritdoc/>
    public void Adam(View parameters, View gradients, View m, View v, View average, OptimizerSettings settings,
        OptimizerControl control = default) =>
        Run(adam, parameters, gradients, m, v, average, settings, control);

    /// <inheritdoc/>
    public void Adamax(View parameters, View gradients, View m, View u, View average, OptimizerSettings settings,
        OptimizerControl control = default) =>
        Run(adamax, parameters, gradients, m, u, average, settings, control);

    /// <inheritdoc/>
    public void SumOfSquares(View x, View result)
    {
        Shapes.CheckSumOfSquares(x, result);
        gpu.ThrowIfTooLong(x.Count);
        Matrix column = gpu.Matrix(x).Window(0, 1);
        gpu.Columns.TimesProducts(column, column, (int)x.Count, 1, 1f, gpu.Matrix(result));
    }

    /// <inheritdoc/>
    public void Judge(View values, View squares, double clipNorm, View scale)
    {
        Shapes.CheckJudge(values, squares, clipNorm, scale);
        judge.Launch(new Index3D(1, 1, 1), new Index3D(gpu.GroupSize, 1, 1), new()
        {
            Values = gpu.Matrix(values),
            Squares = gpu.Matrix(squares),
            Scale = gpu.Matrix(scale),
            Count = (int)values.Count,
            ClipNorm = (float)clipNorm,
        });
    }

    private void Run(Kernel<Arguments> kernel, View parameters, View gradients, View m, View v, View average,
        OptimizerSettings settings, OptimizerControl control)
    {
        Shapes.CheckOptimizer(parameters, gradients, m, v, average, settings, control);
        int count = (int)parameters.Count;
        bool aligned = IsAligned(parameters) && IsAligned(gradients) && IsAligned(m) && IsAligned(v)
            && IsAligned(average);
        int quads = aligned ? count / Quad.Count : 0;
        kernel.ForEach(Math.Max(quads, count - quads * Quad.Count), new()
        {
            P = gpu.Matrix(parameters),
            G = gpu.Matrix(gradients),
            M = gpu.Matrix(m),
            V = gpu.Matrix(v),
            Average = gpu.Matrix(average),
            Scale = gpu.Matrix(control.Scale),
            Dials = gpu.Matrix(control.Dials),
            Count = count,
            Quads = quads,
            HasAverage = average.IsNone ? 0 : 1,
            HasScale = control.Scale.IsNone ? 0 : 1,
            HasDials = control.Dials.IsNone ? 0 : 1,
            Beta1 = settings.Beta1,
            Beta2 = settings.Beta2,
            Epsilon = settings.Epsilon,
            GradientScale = settings.GradientScale,
            AverageDecay = settings.AverageDecay,
            Rest1 = (float)(1 - (double)settings.Beta1),
            Rest2 = (float)(1 - (double)settings.Beta2),
            StepSize = settings.StepSize,
            SecondCorrection = settings.SecondCorrection,
        });
    }

    private static bool IsAligned(View view) => view.IsNone || view.Offset % Quad.Count == 0;

    private static void Step<TRule>(Arguments arguments) where TRule : struct, IRule
    {
        if (arguments.HasScale != 0) arguments.GradientScale = arguments.Scale[0];
        if (GpuMath.IsNaN(arguments.GradientScale)) return;
        if (arguments.HasDials != 0)
        {
            arguments.StepSize = arguments.Dials[0];
            arguments.SecondCorrection = arguments.Dials[1];
            arguments.AverageDecay = arguments.Dials[2];
        }
        if (arguments.Quads > 0)
        {
            ArrayView<Quad> ps = Quads(arguments.P), gs = Quads(arguments.G), ms = Quads(arguments.M),
                vs = Quads(arguments.V);
            for (int i = GridStride.First; i < arguments.Quads; i += GridStride.Step)
            {
                Quad p = ps[i], g = gs[i], m = ms[i], v = vs[i], average = p;
                if (arguments.HasAverage != 0) average = Quads(arguments.Average)[i];
                Values a = Move<TRule>(arguments, p.A, g.A, m.A, v.A, average.A),
                    b = Move<TRule>(arguments, p.B, g.B, m.B, v.B, average.B);
                Values c = Move<TRule>(arguments, p.C, g.C, m.C, v.C, average.C),
                    d = Move<TRule>(arguments, p.D, g.D, m.D, v.D, average.D);
                ps[i] = new Quad { A = a.P, B = b.P, C = c.P, D = d.P };
                ms[i] = new Quad { A = a.M, B = b.M, C = c.M, D = d.M };
                vs[i] = new Quad { A = a.V, B = b.V, C = c.V, D = d.V };
                if (arguments.HasAverage != 0)
                    Quads(arguments.Average)[i] = new Quad
                    {
                        A = a.Average,
                        B = b.Average,
                        C = c.Average,
                        D = d.Average
                    };
            }
        }
        for (int i = arguments.Quads * Quad.Count + GridStride.First; i < arguments.Count; i += GridStride.Step)
        {
            float average = arguments.HasAverage != 0 ? arguments.Average[i] : 0f;
            Values moved = Move<TRule>(arguments, arguments.P[i], arguments.G[i], arguments.M[i],
                arguments.V[i], average);
            arguments.P[i] = moved.P;
            arguments.M[i] = moved.M;
            arguments.V[i] = moved.V;
            if (arguments.HasAverage != 0) arguments.Average[i] = moved.Average;
        }
    }

    private static Values Move<TRule>(Arguments arguments, float p, float g, float m, float v, float average)
        where TRule : struct, IRule
    {
        Values moved = TRule.Move(arguments, new Values { P = p, G = g, M = m, V = v });
        moved.Average = arguments.AverageDecay * average + (1f - arguments.AverageDecay) * moved.P;
        return moved;
    }

    private static ArrayView<Quad> Quads(Matrix matrix) => matrix.Data.Cast<Quad>().AsAligned(16);

    private static void Judge(JudgeArguments arguments)
    {
        float bad = 0f;
        for (int i = Group.IdxX; i < arguments.Count; i += Group.DimX)
            bad += GpuMath.IsFinite(arguments.Values[i]) ? 0f : 1f;
        bad = GpuReduce.SumGroup(bad);
        if (Group.IdxX != 0) return;
        float norm = MathF.Sqrt(arguments.Squares[0]);
        float scale = arguments.ClipNorm > 0f && norm > arguments.ClipNorm ? arguments.ClipNorm / norm : 1f;
        arguments.Scale[0] = bad == 0f && GpuMath.IsFinite(norm) ? scale : float.NaN;
    }
}
