using System.Buffers;
using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Model.Layers;

namespace GlowGpu.Model;

public abstract partial class FlowModel
{
    private readonly DecodingPass decoding;

    /// <summary>x <c>[N,H,W,C]</c> in [−½, ½) units, not clipped. labels <c>[N]</c> or null.</summary>
    /// <exception cref="ArithmeticException">A channel mixing matrix cannot be inverted; the message names its
    /// step.</exception>
    public float[] Decode(Latents latents, float[]? labels)
    {
        float[] x = new float[checked(latents.Count * Config.Dimensions)];
        Decode(latents, labels, x);
        return x;
    }

    /// <summary>
    /// The same, into <paramref name="x"/>. A level's latents may be followed by others, which are not read.
    /// </summary>
    /// <exception cref="ArgumentException">x is not of the images' length.</exception>
    /// <exception cref="ArithmeticException">A channel mixing matrix cannot be inverted; the message names its
    /// step.</exception>
    public void Decode(Latents latents, float[]? labels, Span<float> x)
    {
        if (x.Length != (long)latents.Count * Config.Dimensions)
            throw new ArgumentException(
                $"decode: {latents.Count} images of {Config.Dimensions} values do not fill {x.Length}", nameof(x));
        decoding.Run(latents.Count, Write, labels).Read(x);
        decoding.End();

        void Write(View[] eps)
        {
            for (int l = 0; l < eps.Length; l++) eps[l].Write(latents.Eps[l].AsSpan(0, checked((int)eps[l].Count)));
        }
    }

    /// <summary>
    /// Decodes latents that are put into the model's memory straight away, into bytes. Where that is memory of the
    /// host, neither are copied.
    /// </summary>
    internal void Decode(int count, Action<View[]> fill, float[]? labels, Span<byte> images)
    {
        View x = decoding.Run(count, fill, labels);
        if (x.Elements is { IsEmpty: false } elements) ToBytes(elements, Config.NBits, images);
        else
        {
            float[] values = ArrayPool<float>.Shared.Rent(images.Length);
            x.Read(values.AsSpan(0, images.Length));
            ToBytes(values.AsSpan(0, images.Length), Config.NBits, images);
            ArrayPool<float>.Shared.Return(values);
        }
        decoding.End();
    }

    /// <summary>
    /// The way from latents to images; the same work for every batch of a size, so it can be replayed.
    /// </summary>
    private sealed class DecodingPass : IDisposable
    {
        private readonly FlowModel model;
        private readonly Replay<Key> replay;
        private readonly Action work;
        private View[] eps = [];
        private View latents, labels, pixels;
        private int count;

        /// <summary>What is fixed in a recorded pass; the latents, temperature included, are not.</summary>
        private readonly record struct Key(int Count, View Latents, View Labels);

        public DecodingPass(FlowModel model)
        {
            this.model = model;
            replay = new Replay<Key>(model.Device);
            work = Queue;
        }

        /// <summary>
        /// Decodes the latents that <paramref name="fill"/> puts into the memory it is given, level by level. Returns
        /// where the images are until
        /// <see cref="End"/>; the only wait is for them, and once per change of the parameters for their state.
        /// </summary>
        public View Run(int images, Action<View[]> fill, float[]? labels)
        {
            count = images;
            model.Begin(count);
            this.labels = model.RentLabels(labels, count);
            latents = model.RentLatents(count);
            eps = model.LatentsOf(latents, count);
            fill(eps);
            model.flow.Prepare(model.Parameters.Version);
            replay.Run(new Key(count, latents, this.labels), work);
            return pixels;
        }

        /// <summary>Gives the memory back.</summary>
        /// <exception cref="ArithmeticException">A channel mixing matrix cannot be inverted; the message names its
        /// step.</exception>
        public void End()
        {
            Arena arena = model.Device.Arena;
            arena.Return(latents);
            arena.Return(labels);
            arena.EndStep();
            model.Check();
        }

        public void Dispose() => replay.Dispose();

        private void Queue()
        {
            Tensor x = model.flow.Inverse(count, labels, eps, new FlowPass(model.Device, null, View.None, 0));
            // Given back before it is read: nothing else is queued in between.
            pixels = x.Data;
            x.ReleaseData();
        }
    }
}
