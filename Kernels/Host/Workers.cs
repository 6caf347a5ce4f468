using System.Runtime.CompilerServices;

namespace GlowGpu.Kernels.Host;

/// <summary>A piece of data-parallel work, split into numbered parts that may run at the same time.</summary>
public interface IWork
{
    /// <summary>Runs one part; <paramref name="worker"/> (0 … Count − 1) picks per-worker scratch.</summary>
    void Run(int part, int worker);
}

/// <summary>
/// A persistent team of threads, the caller being worker 0. Work is a struct passed by address, so that starting it
/// allocates nothing; parts are dealt out statically in contiguous runs, so that a worker meets the same data in every
/// operation. What a part computes must not depend on which worker runs it: then results do not depend on the number of
/// threads. One <see cref="Run"/> at a time.
/// </summary>
public sealed unsafe class Workers : IDisposable
{
    // About 50 µs of polling bridges the gap between two operations of a step; a longer pause parks the threads.
    private const int Spins = 2000;

    // How long it is taken for granted where the cores lie, milliseconds, and of how many workers it is found out.
    private const int LookEvery = 100, MostLookedAt = 8;

    private readonly Thread[] threads;
    private readonly SemaphoreSlim[] parked;
    private readonly CorePlacement placement;
    private readonly bool? fixedApart;
    private bool apart;
    private long nextLook;
    private delegate*<Workers, int, void> entry;
    private void* work;
    private int parts;
    private int generation;
    private int pending;
    private volatile bool stopping;
    private Exception? failure;

    /// <summary>A team of <paramref name="count"/> workers, the caller included.</summary>
    public Workers(int count) : this(count, null)
    {
    }

    /// <summary>A team of which <see cref="AreApart"/> is given rather than measured.</summary>
    internal Workers(int count, bool? apart)
    {
        fixedApart = apart;
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        Count = count;
        threads = new Thread[count - 1];
        parked = new SemaphoreSlim[count - 1];
        placement = new CorePlacement(count);
        for (int i = 0; i < threads.Length; i++)
        {
            int worker = i + 1;
            parked[i] = new SemaphoreSlim(0);
            threads[i] = new Thread(() => Loop(worker)) { IsBackground = true, Name = $"glow-worker-{worker}" };
            threads[i].Start();
        }
    }

    /// <summary>Number of workers.</summary>
    public int Count { get; }

    /// <summary>
    /// Whether most workers' cores share no cache with the first one's (<see cref="CoreDistance"/>), so that what one
    /// has written had better reach the others through memory. Looked at ten times a second, not during a
    /// <see cref="Run"/>. No result may depend on it.
    /// </summary>
    internal bool AreApart
    {
        get
        {
            if (fixedApart is { } given) return given;
            long now = Environment.TickCount64;
            if (now < nextLook || Count < 2 || Count > Environment.ProcessorCount) return apart;
            nextLook = now + LookEvery;
            int far = 0, near = 0, others = Math.Min(Count - 1, MostLookedAt);
            for (int i = 0; i < others; i++)
            {
                double distance = CoreDistance.Nanoseconds(this, 1 + i * (Count - 1) / others);
                if (distance >= CoreDistance.Apart) far++;
                else if (distance < CoreDistance.Apart) near++;
            }
            if (far + near > 0) apart = far > near;
            return apart;
        }
    }

    /// <summary>Runs parts 0 … <paramref name="partCount"/> − 1 and returns when all are done.</summary>
    public void Run<TWork>(int partCount, TWork job) where TWork : struct, IWork
    {
        if (partCount <= 0) return;
        if (Count == 1 || partCount == 1)
        {
            for (int part = 0; part < partCount; part++) job.Run(part, 0);
            return;
        }
        work = Unsafe.AsPointer(ref job);
        entry = &Deal<TWork>;
        parts = partCount;
        failure = null;
        pending = threads.Length;
        placement.Settle(worker: 0);
        Interlocked.Increment(ref generation);
        foreach (SemaphoreSlim s in parked) if (s.CurrentCount == 0) s.Release();
        try
        {
            Deal<TWork>(this, 0);
        }
        finally
        {
            SpinWait spin = default;
            while (Volatile.Read(ref pending) > 0)
            {
                // Never sleeps: the wait is bounded by the others' share of the work.
                if (spin.NextSpinWillYield) Thread.Yield(); else spin.SpinOnce();
            }
            work = null;
        }
        if (failure is not null) throw new AggregateException(failure);
    }

    /// <summary>
    /// The run [First, End) of <paramref name="count"/> things that falls to one of so many equal parts.
    /// </summary>
    public static (int First, int End) Share(int count, int part, int parts) =>
        ((int)((long)count * part / parts), (int)((long)count * (part + 1) / parts));

    /// <inheritdoc/>
    public void Dispose()
    {
        if (stopping) return;
        stopping = true;
        Interlocked.Increment(ref generation);
        foreach (SemaphoreSlim s in parked) s.Release();
        foreach (Thread t in threads) t.Join();
        foreach (SemaphoreSlim s in parked) s.Dispose();
    }

    private static void Deal<TWork>(Workers team, int worker) where TWork : struct, IWork
    {
        ref TWork job = ref Unsafe.AsRef<TWork>(team.work);
        (int first, int end) = Share(team.parts, worker, team.Count);
        for (int part = first; part < end; part++) job.Run(part, worker);
    }

    private void Loop(int worker)
    {
        int seen = 0;
        SemaphoreSlim semaphore = parked[worker - 1];
        while (true)
        {
            int spins = 0;
            while (Volatile.Read(ref generation) == seen)
            {
                if (++spins < Spins) Thread.SpinWait(8);
                else semaphore.Wait();
            }
            seen = Volatile.Read(ref generation);
            if (stopping) return;
            placement.Settle(worker);
            try
            {
                entry(this, worker);
            }
            catch (Exception e)
            {
                failure = e;
            }
            Interlocked.Decrement(ref pending);
        }
    }
}
