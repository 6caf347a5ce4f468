using ILGPU;

namespace GlowGpu.Kernels.Gpu;

/// <summary><see cref="IDequantize"/> on a GPU: one thread per Philox block, i.e. four elements.</summary>
internal sealed class GpuDequantize(GpuContext gpu) : IDequantize
{
    private readonly Kernel<Arguments> uniform = gpu.Declare<Arguments>(Uniform);
    private readonly Kernel<Arguments> center = gpu.Declare<Arguments>(Center);

    internal struct Arguments
    {
        public Matrix Bytes, X, Noise;
        public int Count, Blocks, HasNoise;

        /// <summary>Key and first block, each in two halves.</summary>
        public uint KeyLow, KeyHigh, CounterLow, CounterHigh;

        /// <summary>2^-(8 − bits) and 2^-bits.</summary>
        public float Shift, Bin;
    }

    /// <inheritdoc/>
    public void Forward(View bytes, int bits, bool center, ulong key, ulong counter, View x, View noise = default)
    {
        Shapes.CheckDequantize(bytes, bits, x, noise);
        Arguments arguments = new()
        {
            Bytes = gpu.Matrix(bytes),
            X = gpu.Matrix(x),
            Noise = gpu.Matrix(noise),
            HasNoise = noise.IsNone ? 0 : 1,
            Count = (int)x.Count,
            Blocks = GpuContext.CeilingDivide(x.Count, 4),
            KeyLow = (uint)key,
            KeyHigh = (uint)(key >> 32),
            CounterLow = (uint)counter,
            CounterHigh = (uint)(counter >> 32),
            Shift = 1f / (1 << (8 - bits)),
            Bin = 1f / (1 << bits),
        };
        if (center) this.center.ForEach(arguments.Count, arguments);
        else uniform.ForEach(arguments.Blocks, arguments);
    }

    private static void Uniform(Arguments arguments)
    {
        if (arguments.HasNoise != 0)
        {
            arguments.KeyLow = Interop.FloatAsInt(arguments.Noise[0]);
            arguments.KeyHigh = Interop.FloatAsInt(arguments.Noise[1]);
            arguments.CounterLow = Interop.FloatAsInt(arguments.Noise[2]);
            arguments.CounterHigh = Interop.FloatAsInt(arguments.Noise[3]);
        }
        ulong key = Word(arguments.KeyLow, arguments.KeyHigh), counter = Word(arguments.CounterLow, arguments.CounterHigh);
        for (int block = GridStride.First; block < arguments.Blocks; block += GridStride.Step)
        {
            (uint x0, uint x1, uint x2, uint x3) = Philox.Block(key, counter + (ulong)block);
            int i = 4 * block;
            Store(arguments, i, Philox.ToUnit(x0));
            if (i + 1 < arguments.Count) Store(arguments, i + 1, Philox.ToUnit(x1));
            if (i + 2 < arguments.Count) Store(arguments, i + 2, Philox.ToUnit(x2));
            if (i + 3 < arguments.Count) Store(arguments, i + 3, Philox.ToUnit(x3));
        }
    }

    private static ulong Word(uint low, uint high) => low | (ulong)high << 32;

    private static void Center(Arguments arguments)
    {
        for (int i = GridStride.First; i < arguments.Count; i += GridStride.Step) Store(arguments, i, 0.5f);
    }

    /// <summary>
    /// Every product is exact, being by a power of two; so the result has the same bits whether or not the device fuses
    /// multiplications with additions.
    /// </summary>
    private static void Store(Arguments arguments, int i, float u)
    {
        int level = (int)(arguments.Bytes[i] * arguments.Shift);
        arguments.X[i] = (level * arguments.Bin - 0.5f) + u * arguments.Bin;
    }
}
