using GlowGpu.App.Console;
using GlowGpu.Model;
using GlowGpu.Model.Data;

namespace GlowGpu.App.Commands;

/// <summary>Images encoded and decoded again.</summary>
/// <param name="Originals">bytes as the model sees them, its bits kept, <c>[N,H,W,C]</c></param>
/// <param name="Reconstructions">bytes of the decoded images, likewise</param>
/// <param name="MaxErrors">per image, max|x − decode(encode(x))|, x in [−½, ½)</param>
/// <param name="ExactBytes">fraction of bytes that come back the same</param>
/// <param name="BitsPerDim">mean bits/dim of the images</param>
internal sealed record RoundTrip(
    byte[] Originals, byte[] Reconstructions, double[] MaxErrors, double ExactBytes, double BitsPerDim)
{
    /// <summary>Sends a set through the model and back, without noise (u = ½).</summary>
    public static RoundTrip Of(FlowModel model, IImageSource source, int batch, CancellationToken stop)
    {
        FlowConfig config = model.Config;
        int size = config.Dimensions, count = source.Count;
        if ((long)count * size > Array.MaxLength)
            throw new UsageException($"--count is {count}, which makes {Readable.Bytes((long)count * size)} of "
                + $"pixels; at most {Readable.Bytes(Array.MaxLength)} fit in one call");
        byte[] originals = new byte[(long)count * size], reconstructions = new byte[(long)count * size];
        double[] errors = new double[count];
        double nats = 0;
        foreach ((int start, Batch images) in OrderedBatches.Read(source, Math.Min(batch, count), config.Classes > 0))
        {
            stop.ThrowIfCancellationRequested();
            (Latents latents, BatchResult result) = model.Encode(images, Noise.Center);
            float[] decoded = model.Decode(latents, images.Labels);
            float[] x = Preprocess(images.Bytes, config);
            for (int i = 0; i < images.Count; i++)
            {
                double worst = 0;
                for (int j = i * size; j < (i + 1) * size; j++)
                    worst = Math.Max(worst, Math.Abs((double)decoded[j] - x[j]));
                errors[start + i] = worst;
            }
            FlowModel.ToBytes(x.AsSpan(0, images.Count * size), config.NBits).CopyTo(originals, start * size);
            FlowModel.ToBytes(decoded.AsSpan(0, images.Count * size), config.NBits).CopyTo(reconstructions,
                start * size);
            nats += result.LogLikelihoods.Sum();
        }
        long same = 0;
        for (long i = 0; i < originals.LongLength; i++) if (originals[i] == reconstructions[i]) same++;
        return new RoundTrip(originals, reconstructions, errors, (double)same / originals.LongLength,
            -nats / count / (size * Math.Log(2)));
    }

    /// <summary>
    /// Rows of originals, each above the row of its reconstructions; the last rows are filled up with black.
    /// </summary>
    public byte[] Pairs(int columns, int size)
    {
        int count = MaxErrors.Length, blocks = (count + columns - 1) / columns;
        byte[] grid = new byte[2L * blocks * columns * size];
        for (int i = 0; i < count; i++)
        {
            int cell = 2 * (i / columns) * columns + i % columns;
            Array.Copy(Originals, (long)i * size, grid, (long)cell * size, size);
            Array.Copy(Reconstructions, (long)i * size, grid, (long)(cell + columns) * size, size);
        }
        return grid;
    }

    // What the model's own dequantisation makes of a byte with u = ½; every step is exact in float32.
    private static float[] Preprocess(float[] bytes, FlowConfig config)
    {
        int width = 256 / config.Bins;
        return Array.ConvertAll(bytes, b => (MathF.Floor(b / width) + 0.5f) / config.Bins - 0.5f);
    }
}
