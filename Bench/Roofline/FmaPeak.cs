using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using GlowGpu.Bench.Report;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Bench.Roofline;

/// <summary>
/// Multiply-adds on registers alone: the rate that nothing on this processor can exceed. Twelve independent chains
/// hide the latency of the units at either vector width.
/// </summary>
public static class FmaPeak
{
    private const int Chains = 12;
    private const int Iterations = 1_000_000;

    /// <summary>GFLOP/s of a team, the best of so many runs and of the vector widths this processor has.</summary>
    public static double Measure(Workers workers, int runs)
    {
        double best = 0;
        foreach (int lanes in (int[])[Vector512<float>.Count, Vector256<float>.Count, Vector128<float>.Count])
        {
            bool native = lanes switch
            {
                16 => Vector512.IsHardwareAccelerated,
                8 => Vector256.IsHardwareAccelerated,
                _ => true
            };
            if (!native) continue;
            float[] results = new float[workers.Count];
            double ms = Timing.Measure(() => workers.Run(workers.Count, new Work(lanes, results)), runs, 0).Min;
            // x ← x·½ + ½ from 3 ends at 1 in every lane.
            if (Array.Exists(results, r => r != Chains * lanes))
                throw new InvalidOperationException($"multiply-add peak: {results[0]} instead of {Chains * lanes}");
            best = Math.Max(best, 2.0 * Chains * lanes * Iterations * workers.Count / ms / 1e6);
        }
        return best;
    }

    private readonly struct Work(int lanes, float[] results) : IWork
    {
        public void Run(int part, int worker) => results[part] = lanes switch
        {
            16 => Chains512(Iterations),
            8 => Chains256(Iterations),
            _ => Chains128(Iterations),
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Chains512(int n)
    {
        Vector512<float> h = Vector512.Create(0.5f), a = Vector512.Create(3f), b = a, c = a, d = a, e = a, f = a,
            g = a, i = a, j = a, k = a, l = a, m = a;
        for (; n > 0; n--)
        {
            a = Vector512.FusedMultiplyAdd(a, h, h);
            b = Vector512.FusedMultiplyAdd(b, h, h);
            c = Vector512.FusedMultiplyAdd(c, h, h);
            d = Vector512.FusedMultiplyAdd(d, h, h);
            e = Vector512.FusedMultiplyAdd(e, h, h);
            f = Vector512.FusedMultiplyAdd(f, h, h);
            g = Vector512.FusedMultiplyAdd(g, h, h);
            i = Vector512.FusedMultiplyAdd(i, h, h);
            j = Vector512.FusedMultiplyAdd(j, h, h);
            k = Vector512.FusedMultiplyAdd(k, h, h);
            l = Vector512.FusedMultiplyAdd(l, h, h);
            m = Vector512.FusedMultiplyAdd(m, h, h);
        }
        return Vector512.Sum(a + b + c + d + e + f + g + i + j + k + l + m);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Chains256(int n)
    {
        Vector256<float> h = Vector256.Create(0.5f), a = Vector256.Create(3f), b = a, c = a, d = a, e = a, f = a,
            g = a, i = a, j = a, k = a, l = a, m = a;
        for (; n > 0; n--)
        {
            a = Vector256.FusedMultiplyAdd(a, h, h);
            b = Vector256.FusedMultiplyAdd(b, h, h);
            c = Vector256.FusedMultiplyAdd(c, h, h);
            d = Vector256.FusedMultiplyAdd(d, h, h);
            e = Vector256.FusedMultiplyAdd(e, h, h);
            f = Vector256.FusedMultiplyAdd(f, h, h);
            g = Vector256.FusedMultiplyAdd(g, h, h);
            i = Vector256.FusedMultiplyAdd(i, h, h);
            j = Vector256.FusedMultiplyAdd(j, h, h);
            k = Vector256.FusedMultiplyAdd(k, h, h);
            l = Vector256.FusedMultiplyAdd(l, h, h);
            m = Vector256.FusedMultiplyAdd(m, h, h);
        }
        return Vector256.Sum(a + b + c + d + e + f + g + i + j + k + l + m);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Chains128(int n)
    {
        Vector128<float> h = Vector128.Create(0.5f), a = Vector128.Create(3f), b = a, c = a, d = a, e = a, f = a,
            g = a, i = a, j = a, k = a, l = a, m = a;
        for (; n > 0; n--)
        {
            a = Vector128.FusedMultiplyAdd(a, h, h);
            b = Vector128.FusedMultiplyAdd(b, h, h);
            c = Vector128.FusedMultiplyAdd(c, h, h);
            d = Vector128.FusedMultiplyAdd(d, h, h);
            e = Vector128.FusedMultiplyAdd(e, h, h);
            f = Vector128.FusedMultiplyAdd(f, h, h);
            g = Vector128.FusedMultiplyAdd(g, h, h);
            i = Vector128.FusedMultiplyAdd(i, h, h);
            j = Vector128.FusedMultiplyAdd(j, h, h);
            k = Vector128.FusedMultiplyAdd(k, h, h);
            l = Vector128.FusedMultiplyAdd(l, h, h);
            m = Vector128.FusedMultiplyAdd(m, h, h);
        }
        return Vector128.Sum(a + b + c + d + e + f + g + i + j + k + l + m);
    }
}
