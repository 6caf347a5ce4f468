namespace GlowGpu.Model.Data;

/// <summary>
/// Batches in a seeded order, read, decoded and augmented ahead of the training loop on background threads. Batch
/// number b (from 0, over all epochs) is a pure function of source, seed and b, so that a resumed run sees the same
/// ones. The last, partial batch of an epoch is dropped.
/// </summary>
public sealed class BatchLoader : IDisposable
{
    /// <summary>Starts reading at batch <paramref name="firstBatch"/>.</summary>
    public BatchLoader(IImageSource source, int batch, bool shuffle, string augment, ulong seed, long firstBatch) => throw new NotImplementedException();

    /// <summary>Batches per epoch: floor(images / batch), at least 1 (a set smaller than a batch gives batches of its size).</summary>
    public long BatchesPerEpoch => throw new NotImplementedException();

    /// <summary>The next batch. Its arrays are reused: they are valid until the call after the next.</summary>
    public Batch Next() => throw new NotImplementedException();

    /// <inheritdoc/>
    public void Dispose() { }
}
