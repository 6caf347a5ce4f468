using GlowGpu.Bench.Report;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Bench.Roofline;

/// <summary>Copying memory, every worker its own part.</summary>
public static unsafe class CopyPeak
{
    /// <summary>
    /// GB/s (read and written bytes) of a team whose source and target together have <paramref name="bytes"/> bytes,
    /// the best of so many runs.
    /// </summary>
    public static double Measure(Workers workers, long bytes, int runs)
    {
        long part = bytes / 2 / sizeof(float) / workers.Count;
        using HostBuffer source = new(part * workers.Count);
        using HostBuffer target = new(part * workers.Count);
        new Span<float>(source.Pointer, checked((int)source.Length)).Fill(1);
        int repeats = (int)Math.Max(1, (256L << 20) / bytes);
        Work work = new() { Source = source.Pointer, Target = target.Pointer, Part = part, Repeats = repeats };
        double ms = Timing.Measure(() => workers.Run(workers.Count, work), runs, 0).Min;
        if (target.Pointer[target.Length - 1] != 1)
            throw new InvalidOperationException("copy peak: the target was not written");
        return 2.0 * sizeof(float) * part * workers.Count * repeats / ms / 1e6;
    }

    private struct Work : IWork
    {
        public float* Source, Target;
        public long Part;
        public int Repeats;

        public readonly void Run(int part, int worker)
        {
            long first = part * Part;
            for (int i = 0; i < Repeats; i++)
            {
                Buffer.MemoryCopy(Source + first, Target + first, Part * sizeof(float), Part * sizeof(float));
            }
        }
    }
}
