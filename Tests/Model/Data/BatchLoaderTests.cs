using System.Collections.Concurrent;
using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Data;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Data;

public sealed class BatchLoaderTests
{
    /// <summary>Image i is the number i in base 256; label i mod 3. Can fail, be slow or be held up.</summary>
    private sealed class Numbers(int count, int height = 1, int width = 2, Action<int>? onRead = null)
        : ImageSource("numbers", count, height, width, 1, Enumerable.Range(0, count).Select(i => i % 3).ToArray(),
        ["a", "b", "c"])
    {
        public ConcurrentDictionary<int, bool> Threads { get; } = [];

        protected override void ReadImage(int index, Span<byte> pixels)
        {
            Threads[Environment.CurrentManagedThreadId] = true;
            onRead?.Invoke(index);
            (pixels[0], pixels[1]) = ((byte)(index >> 8), (byte)index);
        }
    }

    private static int[] Indices(Batch batch) => Enumerable.Range(0,
        batch.Count).Select(i => (int)batch.Bytes[2 * i] << 8 | (int)batch.Bytes[2 * i + 1]).ToArray();

    private static int[][] Take(IImageSource source, int batch, bool shuffle, ulong seed, long first, int count)
    {
        using var loader = new BatchLoader(source, batch, shuffle, "none", seed, first);
        return Enumerable.Range(0, count).Select(_ => Indices(loader.Next())).ToArray();
    }

    [Test]
    public void An_epoch_holds_every_image_at_most_once_and_drops_the_partial_batch()
    {
        using var loader = new BatchLoader(new Numbers(103), 10, true, "none", 5, 0);
        Assert.That(loader.BatchesPerEpoch, Is.EqualTo(10));
        int[][] epochs = Enumerable.Range(0,
            3).Select(_ => Enumerable.Range(0, 10).SelectMany(_ => Indices(loader.Next())).ToArray()).ToArray();
        foreach (int[] epoch in epochs) Assert.That(epoch, Has.Length.EqualTo(100).And.Unique.And.All.InRange(0, 102));
        Assert.That(epochs[1], Is.Not.EqualTo(epochs[0]), "each epoch has an order of its own");
        Assert.That(epochs.SelectMany(e => e).Distinct().Count(), Is.GreaterThan(100),
            "other images are dropped in other epochs");
    }

    [Test]
    public void Every_place_is_as_likely_for_every_image()
    {
        // 4,000 epochs of 5 images in batches of 5: each of the 25 pairs is expected 800 times, with a standard
        // deviation of 25.3.
        var counts = new int[5, 5];
        using var loader = new BatchLoader(new Numbers(5), 5, true, "none", 1, 0);
        for (int e = 0; e < 4000; e++)
        {
            int[] order = Indices(loader.Next());
            for (int i = 0; i < 5; i++) counts[i, order[i]]++;
        }
        Assert.That(counts.Cast<int>(), Has.All.InRange(800 - 130, 800 + 130));
    }

    [Test]
    public void The_same_seed_gives_the_same_batches_and_another_does_not()
    {
        int[][] one = Take(new Numbers(97), 8, true, 5, 0, 40);
        Assert.That(Take(new Numbers(97), 8, true, 5, 0, 40), Is.EqualTo(one));
        Assert.That(Take(new Numbers(97), 8, true, 6, 0, 40), Is.Not.EqualTo(one));
    }

    [TestCase(1)]
    [TestCase(11)]
    [TestCase(12)]
    [TestCase(30)]
    public void A_resumed_loader_continues_the_sequence(long first)
    {
        int[][] whole = Take(new Numbers(97), 8, true, 5, 0, 45);
        Assert.That(Take(new Numbers(97), 8, true, 5, first, 45 - (int)first), Is.EqualTo(whole[(int)first..]));
    }

    [Test]
    public void A_resumed_loader_augments_alike()
    {
        byte[] pixels = Pictures.Ramp(40 * 20 * 20);
        var source = new ImageArray("x", pixels, 20, 20, 1);
        using var whole = new BatchLoader(source, 6, true, "flip,shift", 9, 0);
        using var resumed = new BatchLoader(source, 6, true, "flip,shift", 9, 7);
        for (int b = 0; b < 7; b++) whole.Next();
        for (int b = 0; b < 10; b++) Assert.That(resumed.Next().Bytes, Is.EqualTo(whole.Next().Bytes));
    }

    [Test]
    public void Without_shuffling_images_come_in_order_with_their_labels()
    {
        using var loader = new BatchLoader(new Numbers(7), 3, false, "none", 5, 0);
        for (int epoch = 0; epoch < 3; epoch++)
        {
            Batch first = loader.Next();
            Assert.That(Indices(first), Is.EqualTo(new[] { 0, 1, 2 }));
            Assert.That(first.Labels, Is.EqualTo(new[] { 0f, 1, 2 }));
            Assert.That(Indices(loader.Next()), Is.EqualTo(new[] { 3, 4, 5 }));
        }
    }

    [Test]
    public void Labels_stay_with_their_images_when_shuffled_and_are_null_without_classes()
    {
        using var loader = new BatchLoader(new Numbers(50), 20, true, "none", 5, 0);
        Batch batch = loader.Next();
        Assert.That(batch.Labels, Is.EqualTo(Indices(batch).Select(i => (float)(i % 3))));
        using var bare = new BatchLoader(new ImageArray("x", new byte[8], 1, 2, 1), 2, true, "none", 5, 0);
        Assert.That(bare.Next().Labels, Is.Null);
    }

    [Test]
    public void A_set_smaller_than_a_batch_gives_batches_of_its_size()
    {
        using var loader = new BatchLoader(new Numbers(3), 8, true, "none", 5, 0);
        Assert.That(loader.BatchesPerEpoch, Is.EqualTo(1));
        for (int b = 0; b < 20; b++)
        {
            Batch batch = loader.Next();
            Assert.That((batch.Count, batch.Bytes.Length, batch.Labels!.Length), Is.EqualTo((3, 6, 3)));
            Assert.That(Indices(batch), Is.EquivalentTo(new[] { 0, 1, 2 }));
        }
    }

    [Test]
    public void Arrays_are_valid_until_the_call_after_the_next_and_then_reused()
    {
        using var loader = new BatchLoader(new Numbers(1000), 10, false, "none", 5, 0);
        var arrays = new HashSet<float[]>(ReferenceEqualityComparer.Instance as IEqualityComparer<float[]>);
        Batch previous = loader.Next();
        for (int b = 1; b < 90; b++)
        {
            Batch batch = loader.Next();
            // Give the threads every chance to overwrite what they may.
            if (b % 10 == 0) Thread.Sleep(2);
            Assert.That(Indices(previous)[0], Is.EqualTo((b - 1) * 10));
            Assert.That(Indices(batch)[0], Is.EqualTo(b * 10));
            arrays.Add(batch.Bytes);
            previous = batch;
        }
        Assert.That(arrays, Has.Count.LessThanOrEqualTo(5));
    }

    [Test, NonParallelizable]
    public void Nothing_is_allocated_once_it_runs()
    {
        using var loader = new BatchLoader(new Numbers(4096), 8, true, "flip,shift", 5, 0);
        for (int b = 0; b < 64; b++) loader.Next();
        long before = GC.GetTotalAllocatedBytes(precise: true);
        for (int b = 0; b < 400; b++) loader.Next();
        // 400 batches of 8 images: even one small object an image would be 76,800 bytes.
        Assert.That(GC.GetTotalAllocatedBytes(precise: true) - before, Is.LessThan(20_000));
    }

    [Test]
    public void Reading_runs_ahead_on_one_or_two_threads_but_not_without_bound()
    {
        int read = 0;
        var source = new Numbers(1000, onRead: _ => Interlocked.Increment(ref read));
        using var loader = new BatchLoader(source, 10, false, "none", 5, 0);
        loader.Next();
        Assert.That(() => Volatile.Read(ref read), Is.GreaterThanOrEqualTo(30).After(5000, 5), "reads ahead");
        Thread.Sleep(50);
        Assert.That(Volatile.Read(ref read), Is.LessThanOrEqualTo(50), "five batches at most");
        Assert.That(source.Threads.Keys, Has.Count.InRange(1, 2).And.No.Member(Environment.CurrentManagedThreadId));
    }

    [Test]
    public void A_failure_surfaces_with_its_batch_and_not_before()
    {
        var source = new Numbers(100, onRead: i =>
        {
            if (i == 25) throw new GlowException("x.png: not a readable PNG, JPEG or WebP image");
        });
        using var loader = new BatchLoader(source, 10, false, "none", 5, 0);
        Assert.That(Indices(loader.Next())[0], Is.EqualTo(0));
        Assert.That(Indices(loader.Next())[0], Is.EqualTo(10));
        for (int again = 0; again < 2; again++) Sentence.Of("x.png: not a readable PNG, JPEG or WebP image",
            () => loader.Next());
    }

    [Test]
    public void Disposing_ends_the_threads_in_whatever_state_they_are()
    {
        int reading = 0;
        var loader = new BatchLoader(new Numbers(1000, onRead: _ =>
        {
            Interlocked.Increment(ref reading);
            Thread.Sleep(1);
            Interlocked.Decrement(ref reading);
        }), 10, true, "none", 5, 0);
        loader.Next();
        loader.Dispose();
        Assert.That(Volatile.Read(ref reading), Is.Zero);
        Assert.Throws<ObjectDisposedException>(() => loader.Next());
        loader.Dispose();
    }

    [Test]
    public void Disposing_frees_a_caller_that_waits()
    {
        using ManualResetEventSlim hold = new();
        var loader = new BatchLoader(new Numbers(10, onRead: _ => hold.Wait()), 5, true, "none", 5, 0);
        Task<Exception?> waiting = Task.Run(() =>
        {
            try
            {
                loader.Next();
                return null;
            }
            catch (ObjectDisposedException e)
            {
                return (Exception?)e;
            }
        });
        Task disposing = Task.Run(loader.Dispose);
        Assert.That(waiting.Wait(5000), Is.True);
        Assert.That(waiting.Result, Is.TypeOf<ObjectDisposedException>());
        hold.Set();
        Assert.That(disposing.Wait(5000), Is.True);
    }

    [Test]
    public void Arguments_are_checked()
    {
        Sentence.Of("augment is 'spin'; it must be none, flip, shift or flip,shift",
            () => new BatchLoader(new Numbers(3), 1, true, "spin", 1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new BatchLoader(new Numbers(3), 0, true, "none", 1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new BatchLoader(new Numbers(3), 1, true, "none", 1, -1));
    }
}
