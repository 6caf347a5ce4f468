using GlowGpu.Kernels.Host;

namespace GlowGpu.Kernels;

/// <summary>
/// <see cref="IDequantize"/> on the host: a Philox block every four elements, in parallel over chunks of blocks.
/// </summary>
public sealed unsafe class HostDequantize(Workers workers) : IDequantize
{
    // A multiple of four: no Philox block is split between parts.
    private const int PartElements = 8192;

    /// <inheritdoc/>
    public void Forward(View bytes, int bits, bool center, ulong key, ulong counter, View x, View noise = default)
    {
        Shapes.CheckDequantize(bytes, bits, x, noise);
        if (!noise.IsNone) (key, counter) = DequantizeNoise.Get(new ReadOnlySpan<float>(HostBuffer.Address(noise),
            DequantizeNoise.Length));
        Chunks chunks = new(bytes.Count, PartElements);
        workers.Run(chunks.Count, new Work
        {
            Chunks = chunks,
            Bytes = HostBuffer.Address(bytes),
            X = HostBuffer.Address(x),
            Bits = bits,
            Center = center,
            Key = key,
            Counter = counter,
        });
    }

    private struct Work : IWork
    {
        public Chunks Chunks;
        public float* Bytes, X;
        public int Bits;
        public bool Center;
        public ulong Key, Counter;

        public readonly void Run(int part, int worker)
        {
            (long first, long end) = Chunks.Of(part);
            float toBin = 1f / (1 << (8 - Bits)), binWidth = 1f / (1 << Bits);
            for (long i = first; i < end; i += 4)
            {
                (float u0, float u1, float u2, float u3) = Draw(i / 4);
                long left = end - i;
                X[i] = Value(Bytes[i], u0, toBin, binWidth);
                if (left > 1) X[i + 1] = Value(Bytes[i + 1], u1, toBin, binWidth);
                if (left > 2) X[i + 2] = Value(Bytes[i + 2], u2, toBin, binWidth);
                if (left > 3) X[i + 3] = Value(Bytes[i + 3], u3, toBin, binWidth);
            }
        }

        private readonly (float, float, float, float) Draw(long block)
        {
            if (Center) return (0.5f, 0.5f, 0.5f, 0.5f);
            (uint w0, uint w1, uint w2, uint w3) = Philox.Block(Key, Counter + (ulong)block);
            return (Philox.ToUnit(w0), Philox.ToUnit(w1), Philox.ToUnit(w2), Philox.ToUnit(w3));
        }

        private static float Value(float value, float u, float toBin, float binWidth) =>
            MathF.Floor(value * toBin) * binWidth - 0.5f + u * binWidth;
    }
}
