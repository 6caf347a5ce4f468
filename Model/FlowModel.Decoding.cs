using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Model.Layers;

namespace GlowGpu.Model;

public abstract partial class FlowModel
{
    private readonly DecodingPass decoding;

    /// <summary>The way from latents to images; the same work for every batch of a size, so it can be replayed.</summary>
    private sealed class DecodingPass : IDisposable
    {
        private readonly FlowModel model;
        private readonly Replay<Key> replay;
        private readonly Action work;
        private View[] eps = [];
        private View labels, pixels;
        private int count;

        /// <summary>What is fixed in a recorded pass; the latents, temperature included, are not.</summary>
        private readonly record struct Key(int Count, View Latents, View Labels);

        public DecodingPass(FlowModel model)
        {
            this.model = model;
            replay = new Replay<Key>(model.Device);
            work = Queue;
        }

        /// <summary>Decodes into <paramref name="x"/>; the only wait is for the pixels, and once per change of the parameters for their state.</summary>
        public void Run(Latents latents, float[]? labels, Span<float> x)
        {
            count = latents.Count;
            model.Begin(count);
            Arena arena = model.Device.Arena;
            this.labels = model.RentLabels(labels, count);
            View memory = model.RentLatents(count);
            eps = model.LatentsOf(memory, count);
            for (int l = 0; l < eps.Length; l++) eps[l].Write(latents.Eps[l].AsSpan(0, checked((int)eps[l].Count)));
            model.flow.Prepare(model.Parameters.Version);
            replay.Run(new Key(count, memory, this.labels), work);
            pixels.Read(x);
            arena.Return(memory);
            arena.Return(this.labels);
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
