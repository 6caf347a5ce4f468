using System.Runtime.CompilerServices;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

/// <summary>
/// <see cref="IOptimizerStep"/> on the host: one pass, every value read and written once, so that memory bandwidth is
/// the limit. Bias corrections are computed in double once per step.
/// </summary>
public sealed unsafe class HostOptimizerStep(Workers workers) : IOptimizerStep
{
    private const int PartElements = 16384;

    private readonly KeptMemory<double> partialSums = new();

    /// <inheritdoc/>
    public void Adam(View parameters, View gradients, View m, View v, View average, OptimizerSettings settings,
        OptimizerControl control = default) =>
        Step<AdamRule>(parameters, gradients, m, v, average, settings, control);

    /// <inheritdoc/>
    public void Adamax(View parameters, View gradients, View m, View u, View average, OptimizerSettings settings,
        OptimizerControl control = default) =>
        Step<AdamaxRule>(parameters, gradients, m, u, average, settings, control);

    /// <inheritdoc/>
    public void SumOfSquares(View x, View result)
    {
        Shapes.CheckSumOfSquares(x, result);
        Chunks chunks = new(x.Count, PartElements);
        double* sums = partialSums.Take(chunks.Count);
        workers.Run(chunks.Count, new SquaresWork { Chunks = chunks, X = HostBuffer.Address(x), Sums = sums });
        double total = 0;
        for (int i = 0; i < chunks.Count; i++) total += sums[i];
        *HostBuffer.Address(result) = (float)total;
    }

    /// <inheritdoc/>
    public void Judge(View values, View squares, double clipNorm, View scale)
    {
        Shapes.CheckJudge(values, squares, clipNorm, scale);
        float* first = HostBuffer.Address(values);
        double norm = Math.Sqrt(*HostBuffer.Address(squares));
        bool finite = double.IsFinite(norm);
        for (long i = 0; finite && i < values.Count; i++) finite = float.IsFinite(first[i]);
        *HostBuffer.Address(scale) = !finite ? float.NaN : clipNorm > 0 && norm > clipNorm ? (float)(clipNorm / norm)
            : 1;
    }

    private void Step<TRule>(
        View parameters, View gradients, View m, View v, View average, OptimizerSettings settings,
            OptimizerControl control)
        where TRule : struct, IRule
    {
        Shapes.CheckOptimizer(parameters, gradients, m, v, average, settings, control);
        Factors factors = new(settings);
        if (!control.Scale.IsNone) factors.Scale = *HostBuffer.Address(control.Scale);
        if (float.IsNaN(factors.Scale)) return;
        if (!control.Dials.IsNone) factors.SetDials(HostBuffer.Address(control.Dials));
        Chunks chunks = new(parameters.Count, PartElements);
        workers.RunVectors(chunks.Count, new StepWork<TRule>
        {
            Chunks = chunks,
            P = HostBuffer.Address(parameters),
            G = HostBuffer.Address(gradients),
            M = HostBuffer.Address(m),
            V = HostBuffer.Address(v),
            Average = average.IsNone ? null : HostBuffer.Address(average),
            Factors = factors,
        });
    }

    /// <summary>What every element shares.</summary>
    private struct Factors(OptimizerSettings s)
    {
        public float Scale = s.GradientScale, Rate = s.StepSize, SecondCorrection = s.SecondCorrection;
        public float AverageRest = (float)(1.0 - s.AverageDecay);
        public readonly float Epsilon = s.Epsilon, Beta1 = s.Beta1, Beta2 = s.Beta2;
        public readonly float Rest1 = (float)(1.0 - s.Beta1), Rest2 = (float)(1.0 - s.Beta2);

        /// <summary>Takes over those of <see cref="OptimizerControl.Dials"/>.</summary>
        public void SetDials(float* dials)
        {
            (Rate, SecondCorrection) = (dials[0], dials[1]);
            AverageRest = (float)(1.0 - dials[2]);
        }
    }

    /// <summary>Updates the second moment and gives what the first moment is divided by.</summary>
    private interface IRule
    {
        static abstract V Second<V>(in Factors f, V g, ref V second) where V : struct, ILanes<V>;
    }

    private struct AdamRule : IRule
    {
        public static V Second<V>(in Factors f, V g, ref V second) where V : struct, ILanes<V>
        {
            second = V.Fma(V.All(f.Rest2) * g, g, V.All(f.Beta2) * second);
            return V.Sqrt(second * V.All(f.SecondCorrection)) + V.All(f.Epsilon);
        }
    }

    private struct AdamaxRule : IRule
    {
        public static V Second<V>(in Factors f, V g, ref V second) where V : struct, ILanes<V>
        {
            // The gradient is the operand whose NaN comes through: a bad step shows instead of vanishing in the
            // maximum.
            second = V.Max(V.All(f.Beta2) * second, V.Abs(g) + V.All(f.Epsilon));
            return second;
        }
    }

    private struct StepWork<TRule> : IVectorWork where TRule : struct, IRule
    {
        public Chunks Chunks;
        public float* P, G, M, V, Average;
        public Factors Factors;

        [SkipLocalsInit]
        public readonly void Run<TLanes>(int part, int worker) where TLanes : struct, ILanes<TLanes>
        {
            (long first, long end) = Chunks.Of(part);
            long i = first;
            for (; i + TLanes.Count <= end; i += TLanes.Count)
                Update<TLanes>(P + i, G + i, M + i, V + i, Average is null ? null : Average + i);
            if (i < end) UpdateTail<TLanes>(i, (int)(end - i));
        }

        private readonly void UpdateTail<TLanes>(long start, int count) where TLanes : struct, ILanes<TLanes>
        {
            float* tail = stackalloc float[5 * TLanes.Count];
            float* p = tail, g = p + TLanes.Count, m = g + TLanes.Count, v = m + TLanes.Count,
                average = v + TLanes.Count;
            new Span<float>(tail, 5 * TLanes.Count).Clear();
            for (int i = 0; i < count; i++)
            {
                p[i] = P[start + i];
                g[i] = G[start + i];
                m[i] = M[start + i];
                v[i] = V[start + i];
                if (Average is not null) average[i] = Average[start + i];
            }
            Update<TLanes>(p, g, m, v, average);
            for (int i = 0; i < count; i++)
            {
                P[start + i] = p[i];
                M[start + i] = m[i];
                V[start + i] = v[i];
                if (Average is not null) Average[start + i] = average[i];
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private readonly void Update<TLanes>(float* p, float* g, float* m, float* v, float* average)
            where TLanes : struct, ILanes<TLanes>
        {
            TLanes gradient = TLanes.Load(g) * TLanes.All(Factors.Scale);
            TLanes first = TLanes.Fma(TLanes.All(Factors.Rest1), gradient, TLanes.All(Factors.Beta1) * TLanes.Load(m));
            TLanes second = TLanes.Load(v);
            TLanes divisor = TRule.Second(in Factors, gradient, ref second);
            TLanes value = TLanes.Load(p) - TLanes.All(Factors.Rate) * first / divisor;
            first.Store(m);
            second.Store(v);
            value.Store(p);
            if (average is null) return;
            // As a step towards the parameter: a parameter that rests is its own average exactly.
            TLanes old = TLanes.Load(average);
            TLanes.Fma(TLanes.All(Factors.AverageRest), value - old, old).Store(average);
        }
    }

    private struct SquaresWork : IWork
    {
        public Chunks Chunks;
        public float* X;
        public double* Sums;

        public readonly void Run(int part, int worker)
        {
            (long first, long end) = Chunks.Of(part);
            Sums[part] = HostReduce.SumOfSquares(X + first, end - first);
        }
    }
}
