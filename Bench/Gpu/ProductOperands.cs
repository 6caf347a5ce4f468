using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Kernels.Gpu;

namespace GlowGpu.Bench.Gpu;

/// <summary>Operands of a product on a device and on the host, and the check of its result.</summary>
internal sealed class ProductOperands : IDisposable
{
    private const int Samples = 256;

    // Drawing every operand anew would take longer than all products. The length is a prime, so that no two rows are
    // alike.
    private const int PoolLength = 1_000_003;
    private static readonly float[] Pool = DrawPool();

    private readonly DeviceMemory memory;
    private readonly ProductShape shape;
    private readonly bool bf16;
    private readonly float[] left, right;

    /// <summary>Normal values; b is scaled so that the result's deviation is 1.</summary>
    public ProductOperands(GpuBackend backend, ProductShape shape, bool bf16)
    {
        (this.shape, this.bf16) = (shape, bf16);
        memory = new DeviceMemory(backend);
        (left, right) = (Repeat(Pool, (long)shape.M * shape.K, 1),
            Repeat(Pool, (long)shape.K * shape.N, (float)(1 / Math.Sqrt(shape.K))));
        (A, B, C) = (memory.Upload(left, bf16), memory.Upload(right, bf16),
            memory.Elements((long)shape.M * shape.N, bf16));
    }

    /// <summary>Memory that is freed with the operands.</summary>
    public DeviceMemory Memory => memory;

    /// <summary>a as it is stored.</summary>
    public View A { get; }

    /// <summary>b as it is stored.</summary>
    public View B { get; }

    /// <summary>The result [M,N].</summary>
    public View C { get; }

    /// <summary>
    /// Relative error of entries spread over the result, against sums in double; every entry must be finite.
    /// </summary>
    public double Error()
    {
        float[] result = DeviceMemory.Download(C, checked(shape.M * shape.N), bf16);
        if (Array.Exists(result, static v => !float.IsFinite(v))) return double.NaN;
        float[] actual = new float[Samples], expected = new float[Samples];
        for (int i = 0; i < Samples; i++)
        {
            // Coprime steps walk over rows and columns of every residue.
            int row = (int)(i * 7919L % shape.M), col = (int)(i * 104729L % shape.N);
            actual[i] = result[(long)row * shape.N + col];
            expected[i] = (float)shape.Entry(left, right, row, col);
        }
        return RelativeError.Of(actual, expected);
    }

    /// <inheritdoc/>
    public void Dispose() => memory.Dispose();

    private static float[] DrawPool()
    {
        float[] pool = new float[PoolLength];
        new CounterRandom(1, "bench").Normal(pool);
        return pool;
    }

    private static float[] Repeat(float[] pool, long length, float scale)
    {
        float[] values = new float[length];
        for (long begin = 0; begin < length; begin += pool.Length)
        {
            int count = (int)Math.Min(pool.Length, length - begin);
            for (int i = 0; i < count; i++) values[begin + i] = scale * pool[i];
        }
        return values;
    }
}
