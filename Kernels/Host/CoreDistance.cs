using System.Diagnostics;

namespace GlowGpu.Kernels.Host;

/// <summary>
/// How far apart the cores of two workers are: the time that a cache line takes from one to the other and back, about
/// 100 ns where they share a cache and several times as much where they do not. On a virtual machine this changes
/// while a program runs, and with it the time of everything that one core writes and another reads.
/// </summary>
internal static unsafe class CoreDistance
{
    /// <summary>From so many nanoseconds on two cores share no cache.</summary>
    public const double Apart = 200;

    // The smallest mean of several short runs: one that a thread is taken off its core in says nothing.
    private const int Runs = 4, Rounds = 16, LineLongs = 16;

    // Reads before a thread that does not answer is given up: a few hundred microseconds, more than one that is woken
    // needs on an idle core.
    private const int Patience = 1 << 20;

    private const long GivenUp = -1;

    /// <summary>
    /// Round trip between the first worker and another, nanoseconds; NaN where a thread did not get to answer, or
    /// there is but one processor.
    /// </summary>
    public static double Nanoseconds(Workers workers, int other = 1)
    {
        ArgumentNullException.ThrowIfNull(workers);
        if (workers.Count <= other || Environment.ProcessorCount < 2) return double.NaN;
        // A line of its own wherever the memory begins.
        long* memory = stackalloc long[3 * LineLongs];
        long* line = memory + LineLongs;
        *line = 0;
        double found = double.NaN;
        workers.Run(workers.Count, new RoundTrips { Line = line, Found = &found, Other = other });
        return found;
    }

    private struct RoundTrips : IWork
    {
        public long* Line;
        public double* Found;
        public int Other;

        public readonly void Run(int part, int worker)
        {
            if (part == Other) Answer();
            if (part != 0) return;
            double best = double.PositiveInfinity;
            int round = 0;
            // The first round waits for the other thread to wake.
            bool answered = Ask(round++);
            for (int run = 0; run < Runs && answered; run++)
            {
                long begin = Stopwatch.GetTimestamp();
                for (int i = 0; i < Rounds && answered; i++) answered = Ask(round++);
                best = Math.Min(best, Stopwatch.GetElapsedTime(begin).TotalNanoseconds / Rounds);
            }
            if (answered) *Found = best;
            else Volatile.Write(ref *Line, GivenUp);
        }

        private readonly bool Ask(int round)
        {
            Volatile.Write(ref *Line, 2L * round + 1);
            return Await(2L * round + 2);
        }

        private readonly void Answer()
        {
            for (int round = 0; round <= Runs * Rounds; round++)
            {
                if (!Await(2L * round + 1)) return;
                Volatile.Write(ref *Line, 2L * round + 2);
            }
        }

        private readonly bool Await(long value)
        {
            for (int i = 0; i < Patience; i++)
            {
                long found = Volatile.Read(ref *Line);
                if (found == value) return true;
                if (found == GivenUp) return false;
            }
            return false;
        }
    }
}
