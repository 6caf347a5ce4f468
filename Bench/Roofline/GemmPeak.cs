using GlowGpu.Bench.Report;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Bench.Roofline;

/// <summary>
/// The host's own micro-kernel where nothing but it can be slow: every worker multiplies [24,64]·[64,48] in its L1 (6
/// + 12 +
/// 4.5 KiB) over and over.
/// </summary>
public static unsafe class GemmPeak
{
    private const int M = 24, N = 48, K = 64, Repeats = 4000;

    /// <summary>GFLOP/s of a team, the best of so many runs.</summary>
    public static double Measure(Workers workers, int runs)
    {
        long each = Panels.Length(M, K) + Panels.Length(K, N) + Panels.Length(M, N);
        using HostBuffer memory = new(each * workers.Count);
        for (int w = 0; w < workers.Count; w++) new Span<float>(memory.Pointer + w * each, M * K + K * N).Fill(0.5f);
        HostGemm gemm = new(SimdLevels.Best);
        double ms = Timing.Measure(() => workers.Run(workers.Count,
            new Work { Gemm = gemm, Memory = memory.Pointer, Each = each }), runs, 0).Min;
        float sum = memory.Pointer[M * K + K * N];
        if (sum != K * 0.25f) throw new InvalidOperationException($"micro-kernel peak: {sum} instead of {K * 0.25f}");
        return 2.0 * M * N * K * Repeats * workers.Count / ms / 1e6;
    }

    private struct Work : IWork
    {
        public HostGemm Gemm;
        public float* Memory;
        public long Each;

        public readonly void Run(int part, int worker)
        {
            float* a = Memory + part * Each, b = a + M * K, c = b + K * N;
            Product product = Product.OfPanels(a, M * Panels.Width, M, K, b, N);
            product.ToPanels(c, M * Panels.Width);
            for (int i = 0; i < Repeats; i++) Gemm.Multiply(ref product);
        }
    }
}
