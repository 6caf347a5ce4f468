using System.Runtime.ExceptionServices;
using GlowGpu.Engine;

namespace GlowGpu.Model.Data;

/// <summary>
/// Batches in a seeded order, read, decoded and augmented ahead of the training loop on background threads. Batch
/// number b (from 0, over all epochs) is a pure function of source, seed and b, so that a resumed run sees the same
/// ones. The last, partial batch of an epoch is dropped.
/// </summary>
public sealed class BatchLoader : IDisposable
{
    // Two batches are with the caller; the workers are at one each, and one lies ready.
    private const int HeldByCaller = 2, Ready = 1;

    private readonly IImageSource source;
    private readonly int batch;
    private readonly bool shuffle;
    private readonly Augmentation augmentation;
    private readonly ulong orderKey, augmentKey;
    private readonly Slot[] slots;
    private readonly Thread[] workers;
    private readonly object gate = new();

    // Under the gate: number of the next batch to hand out, of the next to be worked on, and whether to stop.
    private long next, claimed;
    private bool stopped;

    /// <summary>Starts reading at batch <paramref name="firstBatch"/>.</summary>
    /// <param name="source">the images</param>
    /// <param name="batch">images a batch, at least 1</param>
    /// <param name="shuffle">false: in the order of the set</param>
    /// <param name="augment">see <see cref="Augmentation.Parse"/></param>
    /// <param name="seed">determines order and augmentation</param>
    /// <param name="firstBatch">number of the first batch that <see cref="Next"/> gives</param>
    /// <exception cref="GlowException"><paramref name="augment"/> is none of the known ones.</exception>
    public BatchLoader(IImageSource source, int batch, bool shuffle, string augment, ulong seed, long firstBatch)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batch, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(firstBatch);
        ArgumentOutOfRangeException.ThrowIfLessThan(source.Count, 1, nameof(source));
        this.source = source;
        this.batch = Math.Min(batch, source.Count);
        this.shuffle = shuffle;
        augmentation = Augmentation.Parse(augment);
        orderKey = CounterRandom.DeriveKey(seed, "data order");
        augmentKey = CounterRandom.DeriveKey(seed, "augmentation");
        BatchesPerEpoch = source.Count / this.batch;
        next = claimed = firstBatch;
        // One core must stay with the training loop.
        workers = new Thread[Environment.ProcessorCount > 2 ? 2 : 1];
        slots = new Slot[HeldByCaller + Ready + workers.Length];
        for (int i = 0; i < slots.Length; i++) slots[i] = new Slot(NewBatch());
        for (int i = 0; i < workers.Length; i++)
        {
            workers[i] = new Thread(Work) { IsBackground = true, Name = $"glow data {i}" };
            workers[i].Start();
        }
    }

    /// <summary>
    /// Batches per epoch: floor(images / batch), at least 1 (a set smaller than a batch gives batches of its size).
    /// </summary>
    public long BatchesPerEpoch { get; }

    /// <summary>
    /// The next batch. Its arrays are reused: they are valid until the call after the next. To be called from one
    /// thread at a time.
    /// </summary>
    /// <exception cref="GlowException">An image of it cannot be read. Every further call says so again.</exception>
    /// <exception cref="ObjectDisposedException">The loader was disposed of.</exception>
    public Batch Next()
    {
        lock (gate)
        {
            Slot slot = SlotOf(next);
            while (!stopped && slot.Holds != next) Monitor.Wait(gate);
            ObjectDisposedException.ThrowIf(stopped, this);
            slot.Failure?.Throw();
            next++;
            Monitor.PulseAll(gate);
            return slot.Batch;
        }
    }

    /// <summary>Stops the threads; returns once they have ended.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            stopped = true;
            Monitor.PulseAll(gate);
        }
        foreach (Thread worker in workers) worker.Join();
    }

    private Batch NewBatch() => new(batch, new float[(long)batch * source.Height * source.Width * source.Channels],
        source.Classes.Count > 0 ? new float[batch] : null);

    private Slot SlotOf(long number) => slots[number % slots.Length];

    private void Work()
    {
        // Each worker keeps an order of its own: two may be in different epochs.
        var order = new Order(new int[source.Count]);
        var image = new byte[source.Height * source.Width * source.Channels];
        while (true)
        {
            long number;
            lock (gate)
            {
                // The slot is free once the batch that it holds is no longer with the caller.
                while (!stopped && claimed - slots.Length >= next - HeldByCaller) Monitor.Wait(gate);
                if (stopped) return;
                number = claimed++;
            }
            Slot slot = SlotOf(number);
            ExceptionDispatchInfo? failure = null;
            try
            {
                Fill(slot.Batch, number, order, image);
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
            lock (gate)
            {
                slot.Failure = failure;
                slot.Holds = number;
                Monitor.PulseAll(gate);
            }
        }
    }

    private void Fill(Batch target, long number, Order order, byte[] image)
    {
        (long epoch, long inEpoch) = Math.DivRem(number, BatchesPerEpoch);
        if (order.Epoch != epoch)
        {
            // 2^40 blocks apart: no epoch can use up so many.
            if (shuffle) new CounterRandom(orderKey, (ulong)epoch << 40).Permutation(order.Indices);
            else if (order.Epoch < 0) for (int i = 0; i < order.Indices.Length; i++) order.Indices[i] = i;
            order.Epoch = epoch;
        }
        for (int i = 0; i < batch; i++)
        {
            int index = order.Indices[inEpoch * batch + i];
            source.Read(index, image);
            augmentation.Apply(image, target.Bytes.AsSpan(i * image.Length, image.Length), source.Height,
                source.Width, source.Channels,
                augmentKey, (ulong)(number * batch + i));
            if (target.Labels is { } labels) labels[i] = source.Label(index);
        }
    }

    private sealed class Order(int[] indices)
    {
        public int[] Indices { get; } = indices;

        public long Epoch { get; set; } = -1;
    }

    private sealed class Slot(Batch batch)
    {
        public Batch Batch { get; } = batch;

        /// <summary>Number of the batch that was last filled in; −1 none.</summary>
        public long Holds { get; set; } = -1;

        public ExceptionDispatchInfo? Failure { get; set; }
    }
}
