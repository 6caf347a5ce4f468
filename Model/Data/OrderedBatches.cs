using System.Runtime.ExceptionServices;

namespace GlowGpu.Model.Data;

/// <summary>
/// Every image of a set once, in order, the last batch as small as it comes. The next batch is read while one is in
/// use.
/// </summary>
public static class OrderedBatches
{
    /// <summary>
    /// Number of the first image and the batch, with <paramref name="labels"/> or without. A batch is valid until the
    /// next one is asked for.
    /// </summary>
    public static IEnumerable<(int First, Batch Batch)> Read(IImageSource data, int size, bool labels)
    {
        int length = checked(size * data.Height * data.Width * data.Channels);
        (float[] Bytes, float[]? Labels)[] memory = [Memory(), Memory()];
        Task<Batch>? next = Start(0);
        for (int first = 0, turn = 0; first < data.Count; first += size, turn++)
        {
            Batch batch = next!.GetAwaiter().GetResult();
            next = Start(turn + 1);
            yield return (first, batch);
        }

        (float[], float[]?) Memory() => (new float[length], labels ? new float[size] : null);

        Task<Batch>? Start(int turn)
        {
            int first = turn * size;
            int count = Math.Min(size, data.Count - first);
            (float[] bytes, float[]? classes) = memory[turn % 2];
            return count <= 0 ? null : Task.Run(() => Fill(data, first, new Batch(count, bytes, classes)));
        }
    }

    private static Batch Fill(IImageSource data, int first, Batch batch)
    {
        int d = data.Height * data.Width * data.Channels;
        try
        {
            Parallel.For(0, batch.Count, () => new byte[d], (i, _, pixels) =>
            {
                data.Read(first + i, pixels);
                for (int j = 0; j < d; j++) batch.Bytes[i * d + j] = pixels[j];
                if (batch.Labels is not null) batch.Labels[i] = data.Label(first + i);
                return pixels;
            }, static _ => { });
        }
        catch (AggregateException e)
        {
            // One sentence about one image, not a bundle.
            ExceptionDispatchInfo.Throw(e.Flatten().InnerExceptions[0]);
        }
        return batch;
    }
}
