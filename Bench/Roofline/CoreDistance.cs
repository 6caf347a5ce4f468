using System.Diagnostics;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Bench.Roofline;

/// <summary>
/// How far apart the cores of two workers are: the time that a cache line takes from one to the other and back, about 100 ns where they share a cache
/// and several times as much where they do not. On a virtual machine this changes while a program runs, and with it the time of everything that one core
/// writes and another reads.
/// </summary>
public static unsafe class CoreDistance
{
    private const int Rounds = 2000, LineLongs = 16;

    /// <summary>Mean round trip between the first two workers, nanoseconds; NaN on one thread or processor.</summary>
    public static double Nanoseconds(Workers workers)
    {
        ArgumentNullException.ThrowIfNull(workers);
        if (workers.Count < 2 || Environment.ProcessorCount < 2) return double.NaN;
        // A line of its own wherever the memory begins.
        long* memory = stackalloc long[3 * LineLongs];
        long* line = memory + LineLongs;
        *line = 0;
        TimeSpan time = default;
        workers.Run(workers.Count, new RoundTrips { Line = line, Time = &time });
        return time.TotalNanoseconds / Rounds;
    }

    private struct RoundTrips : IWork
    {
        public long* Line;
        public TimeSpan* Time;

        public readonly void Run(int part, int worker)
        {
            if (part == 1) Answer();
            if (part != 0) return;
            // The first round waits for the other thread to wake.
            Ask(0);
            long begin = Stopwatch.GetTimestamp();
            for (int i = 1; i <= Rounds; i++) Ask(i);
            *Time = Stopwatch.GetElapsedTime(begin);
        }

        private readonly void Ask(int round)
        {
            Volatile.Write(ref *Line, 2L * round + 1);
            while (Volatile.Read(ref *Line) == 2L * round + 1) { }
        }

        private readonly void Answer()
        {
            for (int i = 0; i <= Rounds; i++)
            {
                while (Volatile.Read(ref *Line) != 2L * i + 1) { }
                Volatile.Write(ref *Line, 2L * i + 2);
            }
        }
    }
}
