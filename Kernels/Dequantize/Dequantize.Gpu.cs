using ILGPU;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// <see cref="IDequantize"/> on a GPU: one thread per Philox block, i.e. four elements. 8 bytes of memory traffic an
/// element, and the twenty multiplications of a block.
/// </summary>
internal sealed class GpuDequantize(GpuContext gpu) : IDequantize
{
    private readonly Kernel<Arguments> uniform = gpu.Declare<Arguments>(Uniform<Width4>);
    private readonly VectorKernel<Arguments> center = new(gpu, Center<Width1>, Center<Width2>, Center<Width4>);

    // For views that do not consist of whole blocks that begin at multiples of their size.
    private readonly Kernel<Arguments> uniformAnywhere = gpu.Declare<Arguments>(Uniform<Width1>);

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
        int width = Vectors.WidthOf([Vectors.Flat(bytes), Vectors.Flat(x)]);
        if (center) this.center.For(width).ForEach(arguments.Count / width, arguments);
        else (width == 4 ? uniform : uniformAnywhere).ForEach(arguments.Blocks, arguments);
    }

    [Promises("LD.E.128", "ST.E.128", For = typeof(Width4))]
    private static void Uniform<TWidth>(Arguments arguments) where TWidth : struct, IWidth
    {
        if (arguments.HasNoise != 0)
        {
            arguments.KeyLow = Interop.FloatAsInt(arguments.Noise[0]);
            arguments.KeyHigh = Interop.FloatAsInt(arguments.Noise[1]);
            arguments.CounterLow = Interop.FloatAsInt(arguments.Noise[2]);
            arguments.CounterHigh = Interop.FloatAsInt(arguments.Noise[3]);
        }
        ulong key = Word(arguments.KeyLow, arguments.KeyHigh),
            counter = Word(arguments.CounterLow, arguments.CounterHigh);
        for (int block = GridStride.First; block < arguments.Blocks; block += GridStride.Step)
        {
            (uint x0, uint x1, uint x2, uint x3) = Philox.Block(key, counter + (ulong)block);
            Lanes u = new()
            {
                A = Philox.ToUnit(x0),
                B = Philox.ToUnit(x1),
                C = Philox.ToUnit(x2),
                D = Philox.ToUnit(x3)
            };
            int i = 4 * block;
            if (TWidth.Size == 4)
            {
                Store<TWidth>(arguments, i, u);
            }
            else
            {
                Store<TWidth>(arguments, i, u);
                if (i + 1 < arguments.Count) Store<TWidth>(arguments, i + 1, new() { A = u.B });
                if (i + 2 < arguments.Count) Store<TWidth>(arguments, i + 2, new() { A = u.C });
                if (i + 3 < arguments.Count) Store<TWidth>(arguments, i + 3, new() { A = u.D });
            }
        }
    }

    private static ulong Word(uint low, uint high) => low | (ulong)high << 32;

    [Promises("LD.E.128", "ST.E.128", For = typeof(Width4))]
    private static void Center<TWidth>(Arguments arguments) where TWidth : struct, IWidth
    {
        Lanes half = new() { A = 0.5f, B = 0.5f, C = 0.5f, D = 0.5f };
        for (int i = GridStride.First * TWidth.Size; i < arguments.Count; i += GridStride.Step * TWidth.Size)
            Store<TWidth>(arguments, i, half);
    }

    private static void Store<TWidth>(Arguments arguments, int i, Lanes u) where TWidth : struct, IWidth
    {
        LevelOp op = new() { Shift = arguments.Shift, Bin = arguments.Bin };
        Lanes x = TWidth.Load(arguments.Bytes, i), unused = default;
        TWidth.Each(ref op, ref x, ref u, ref unused, ref unused);
        TWidth.Store(arguments.X, i, x);
    }

    /// <summary>
    /// x in the place of the byte. Every product is exact, being by a power of two; so the result has the same bits
    /// whether or not the device fuses multiplications with additions.
    /// </summary>
    private struct LevelOp : ILaneOp
    {
        public float Shift, Bin;

        public readonly void Apply(ref float x, ref float u, ref float unused, ref float unusedToo)
        {
            int level = (int)(x * Shift);
            x = (level * Bin - 0.5f) + u * Bin;
        }
    }
}
