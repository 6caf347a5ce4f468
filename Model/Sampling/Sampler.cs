using System.Buffers;
using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model.Sampling;

/// <summary>Draws latents and decodes them.</summary>
public static class Sampler
{
    // Values of a chunk that is decoded at once: 64 images of 32 × 32 × 3. Larger chunks are no faster and need memory.
    private const int ChunkValues = 64 * 32 * 32 * 3;

    /// <summary>
    /// Latents of the model's prior times T: N(0, T²), or logistic ones; image i depends on seed and i only, not on
    /// the count.
    /// </summary>
    /// <exception cref="GlowException">The temperature is negative or not finite.</exception>
    public static Latents Draw(FlowConfig config, int count, double temperature, ulong seed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        CheckTemperature(temperature);
        float[][] eps = new float[config.Levels][];
        for (int l = 0; l < eps.Length; l++) eps[l] = new float[checked(count * Length(config, l))];
        Draws draws = new(config, temperature, seed) { Arrays = eps };
        for (int i = 0; i < count; i++) draws.Run(i);
        return new Latents(count, eps);
    }

    /// <summary>
    /// Images <c>[N,H,W,C]</c>; class null: unconditional, or classes in turn for a conditional model.
    /// </summary>
    /// <exception cref="GlowException">The temperature or the class is not one the model has.</exception>
    public static byte[] Sample(FlowModel model, int count, double temperature, ulong seed, int? label = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        CheckTemperature(temperature);
        FlowConfig config = model.Config;
        float[]? labels = Labels(config, count, label);
        byte[] images = new byte[checked(count * config.Dimensions)];
        int chunk = ChunkOf(config, count);
        Draws draws = new(config, temperature, seed);
        for (int first = 0; first < count; first += chunk)
        {
            int part = Math.Min(chunk, count - first);
            model.Decode(part, eps => draws.Fill(model.Device.Backend, first, part, eps),
                labels?.AsSpan(first, part).ToArray(),
                images.AsSpan(first * config.Dimensions, part * config.Dimensions));
        }
        return images;
    }

    /// <summary>
    /// Images <c>[N,H,W,C]</c> of any number of latents, a few at a time. <paramref name="labels"/> <c>[N]</c> or
    /// null.
    /// </summary>
    /// <exception cref="GlowException">The model is conditional and there are no labels.</exception>
    public static byte[] Decode(FlowModel model, Latents latents, float[]? labels, Action<int>? progress = null,
        CancellationToken stop = default)
    {
        FlowConfig config = model.Config;
        byte[] images = new byte[checked(latents.Count * config.Dimensions)];
        DecodeEach(model, latents, labels, (first, _, _, x) => FlowModel.ToBytes(x, config.NBits,
            images.AsSpan(first * config.Dimensions, x.Length)), progress, stop);
        return images;
    }

    /// <summary>
    /// As <see cref="Decode"/>, and into <paramref name="statistics"/> what the images are like. With
    /// <paramref name="encode"/> the continuous images, not their bytes, go through the model again: returns the
    /// log-likelihood of each in nats, as an evaluation gives it (−D·ln n_bins included), else null.
    /// </summary>
    /// <exception cref="GlowException">The model is conditional and there are no labels.</exception>
    public static (byte[] Images, double[]? LogLikelihoods) DecodeChecked(FlowModel model, Latents latents,
        float[]? labels, SampleStatistics statistics,
        bool encode, Action<int>? progress = null, CancellationToken stop = default)
    {
        FlowConfig config = model.Config;
        byte[] images = new byte[checked(latents.Count * config.Dimensions)];
        double[]? logLikelihoods = encode ? new double[latents.Count] : null;
        DecodeEach(model, latents, labels, (first, part, classes, x) =>
        {
            FlowModel.ToBytes(x, config.NBits, images.AsSpan(first * config.Dimensions, x.Length));
            statistics.AddImages(x);
            if (logLikelihoods is null) return;
            (Latents encoded, BatchResult result) = model.Encode(x, part.Count, classes);
            statistics.AddLatents(part, encoded);
            statistics.AddVariables(model.LevelMaxima(x, part.Count, classes));
            result.LogLikelihoods.CopyTo(logLikelihoods, first);
        }, progress, stop);
        return (images, logLikelihoods);
    }

    /// <summary>
    /// The class of each image as the model takes it: all the same, or in turn; null when unconditional.
    /// </summary>
    /// <exception cref="GlowException">The model has no such class, or no classes at all.</exception>
    public static float[]? Labels(FlowConfig config, int count, int? label)
    {
        if (label is int k && (k < 0 || k >= config.Classes))
            throw new GlowException(config.Classes == 0
                ? $"sample: class {k} was asked for, but the model is unconditional; leave the class out"
                : $"sample: there is no class {k}; the model knows 0 to {config.Classes - 1}");
        return config.Classes == 0 ? null
            : [.. Enumerable.Range(0, count).Select(i => (float)(label ?? i % config.Classes))];
    }

    // each: index of the first image, its latents, labels and values of a chunk.
    private static void DecodeEach(FlowModel model, Latents latents, float[]? labels,
        Action<int, Latents, float[]?, float[]> each, Action<int>? progress,
        CancellationToken stop)
    {
        FlowConfig config = model.Config;
        if (config.Classes > 0 && labels is null)
            throw new GlowException(
                $"decode: the model is conditional on {config.Classes} classes; a label for each image is needed");
        int chunk = ChunkOf(config, latents.Count);
        for (int first = 0; first < latents.Count; first += chunk)
        {
            stop.ThrowIfCancellationRequested();
            int count = Math.Min(chunk, latents.Count - first);
            Latents part = Part(config, latents, first, count);
            float[]? classes = config.Classes > 0 ? labels.AsSpan(first, count).ToArray() : null;
            each(first, part, classes, model.Decode(part, classes));
            progress?.Invoke(first + count);
        }
    }

    private static void CheckTemperature(double temperature)
    {
        if (!(temperature >= 0 && double.IsFinite(temperature)))
            throw new GlowException($"sample: the temperature is {temperature}; it must be 0 or more");
    }

    private static Latents Part(FlowConfig config, Latents latents, int first, int count)
    {
        if (count == latents.Count) return latents;
        float[][] eps = new float[config.Levels][];
        for (int l = 0; l < eps.Length; l++)
            eps[l] = latents.Eps[l].AsSpan(first * Length(config, l), count * Length(config, l)).ToArray();
        return new Latents(count, eps);
    }

    private static int ChunkOf(FlowConfig config, int count) => Math.Clamp(ChunkValues / config.Dimensions, 1, count);

    private static int Length(FlowConfig config, int level)
    {
        (int h, int w, int c) = config.LatentShape(level);
        return h * w * c;
    }

    /// <summary>Draws the latents of images, a part for each.</summary>
    private sealed class Draws(FlowConfig config, double temperature, ulong seed) : IHostWork
    {
        private readonly ulong key = CounterRandom.DeriveKey(seed, "sample");
        private View[] views = [];
        private int first;

        /// <summary>Where the values of each level go, image after image; null: into the views.</summary>
        public float[][]? Arrays { get; set; }

        /// <summary>Fills the memory of a device with the latents of so many images from one on.</summary>
        public void Fill(IBackend backend, int firstImage, int count, View[] eps)
        {
            (first, views) = (firstImage, eps);
            Arrays = eps[0].Elements.IsEmpty
                ? [.. eps.Select(static level => ArrayPool<float>.Shared.Rent((int)level.Count))] : null;
            backend.RunOnHost(count, this);
            for (int l = 0; Arrays is not null && l < eps.Length; l++)
            {
                eps[l].Write(Arrays[l].AsSpan(0, (int)eps[l].Count));
                ArrayPool<float>.Shared.Return(Arrays[l]);
            }
        }

        /// <summary>Draws one image's: its levels follow one another in its part of the stream.</summary>
        public void Run(int part)
        {
            // Channels are quadrupled before they are halved: all levels but the last have even numbers of values, so
            // that none begins within a pair.
            ulong image = (ulong)(first + part);
            for (int l = 0, begin = 0; l < config.Levels; l++)
            {
                int length = Length(config, l);
                Span<float> level = (Arrays is null ? views[l].Elements : Arrays[l]).Slice(part * length, length);
                if (config.LatentDensity == PriorKind.Logistic)
                    Logistic(image * CounterRandom.UniformBlocks(config.Dimensions)
                        + CounterRandom.UniformBlocks(begin), level);
                else
                    new CounterRandom(key, image * CounterRandom.NormalBlocks(config.Dimensions)
                        + CounterRandom.NormalBlocks(begin)).Normal(level, temperature);
                begin += length;
            }
        }

        // The quantile function ln(u/(1 − u)) of uniform values, moved off 0 by half of their spacing.
        private void Logistic(ulong block, Span<float> values)
        {
            new CounterRandom(key, block).Uniform(values);
            for (int i = 0; i < values.Length; i++)
            {
                double u = values[i] + 1.0 / (1 << 25);
                values[i] = (float)(temperature * Math.Log(u / (1 - u)));
            }
        }
    }
}
