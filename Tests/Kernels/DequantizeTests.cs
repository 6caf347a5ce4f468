using GlowGpu.Kernels;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Reference;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels;

[TestFixture]
public sealed class DequantizeTests
{
    private const ulong Key = 0x0123_4567_89AB_CDEF;

    /// <summary>So many values of so many bits.</summary>
    public sealed record Case(int Rows, int Cols, int Bits, bool Center, ulong Counter) : ITestShape
    {
        public bool Tiny => Rows * Cols <= 1000;

        public override string ToString() =>
            $"[{Rows},{Cols}] {Bits} bits {(Center ? "center" : "uniform")} from {Counter}";
    }

    private static IEnumerable<Case> Shapes =>
    [
        .. from bits in Enumerable.Range(1, 8) from center in new[] { false, true } select new Case(16, 3, bits,
        center, 7),
        // Counts that are no multiple of a block or a vector, and a counter whose low word overflows.
        new(1, 1, 8, false, 0), new(1, 2, 8, false, 0), new(1, 3, 5, false, 0), new(5, 1, 8, false, 1),
            new(13, 3, 8, false, 3),
        new(7, 19, 8, false, uint.MaxValue - 2), new(1024, 3, 8, false, 1UL << 40), new(331, 3, 5, true, 0),
    ];

    private static IEnumerable<TestCaseData> Cases => Devices.With(Shapes);

    [TestCaseSource(nameof(Cases))]
    public void GivesTheSameBitsEverywhere(TestDevice device, Case shape)
    {
        float[] bytes = new Draw(shape.Bits).Integers(shape.Rows * shape.Cols, 256);
        (bytes[0], bytes[^1]) = (0, 255);
        double[] u = new double[bytes.Length];
        for (int i = 0; i < u.Length; i++)
        {
            uint[] block = PhiloxTests.Block(Key, shape.Counter + (ulong)(i / 4));
            u[i] = shape.Center ? 0.5 : (block[i % 4] >> 8) * Math.Pow(2, -24);
        }
        // All steps but the last addition are exact in float32, and so in double; that one rounds once.
        float[] expected = DequantizeReference.Forward(bytes.Wide(), shape.Bits, u).Narrow();
        using Guarded memory = new(device.Backend);
        View input = memory.Input("bytes", bytes, shape.Rows, shape.Cols),
            x = memory.Output("x", shape.Rows, shape.Cols);
        device.Backend.Dequantize.Forward(input, shape.Bits, shape.Center, Key, shape.Counter, x);
        memory.Check();
        Tolerance.SameBits("x", memory.Read(x), expected, shape.Rows, shape.Cols);

        // Key and counter from memory, in the place of others.
        float[] bits = new float[DequantizeNoise.Length];
        DequantizeNoise.Set(bits, Key, shape.Counter);
        View noise = memory.Input("noise", bits);
        device.Backend.Dequantize.Forward(input, shape.Bits, shape.Center, 1, 2, x, noise);
        memory.Check();
        Tolerance.SameBits("x by noise in memory", memory.Read(x), expected, shape.Rows, shape.Cols);
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void EveryByteComesBack(TestDevice device)
    {
        float[] bytes = [.. Enumerable.Range(0, 256).Select(static v => (float)v)];
        using Guarded memory = new(device.Backend);
        View input = memory.Input("bytes", bytes), x = memory.Output("x", 1, 256);
        for (int bits = 1; bits <= 8; bits++)
        {
            device.Backend.Dequantize.Forward(input, bits, false, Key, 5, x);
            byte[] back = DequantizeReference.ToBytes(memory.Read(x).Wide(), bits);
            for (int v = 0; v < 256; v++) Assert.That(back[v], Is.EqualTo(v >> (8 - bits) << (8 - bits)),
                $"{bits} bits, byte {v}");
        }
    }
}
