using GlowGpu.Kernels;
using GlowGpu.Kernels.Gpu;
using GlowGpu.Kernels.Gpu.TensorCore;
using GlowGpu.Tests.Ptx;

namespace GlowGpu.Tests.Kernels.Gpu.TensorCore;

/// <summary>
/// The products of one format on the PTX machine, on matrices of small whole numbers whose sums are exact.
/// </summary>
internal abstract class TensorGpu(Precision precision) : IDisposable
{
    private readonly Random random = new(20181031);

    /// <summary>One for each precision that uses tensor cores.</summary>
    public static TensorGpu Open(Precision precision) => precision == Precision.Bf16
        ? new Typed<BFloat16, BFloat16Outer>(precision)
        : new Typed<TensorFloat32, TensorFloat32Outer>(precision);

    public Precision Precision { get; } = precision;

    public GpuBackend Backend { get; } = PtxGpu.Open(precision);

    public GpuContext Gpu => Backend.Gpu;

    /// <summary>Elements in a word of memory.</summary>
    public int PerWord => Precision == Precision.Bf16 ? 2 : 1;

    public abstract void Multiply(int m, int n, int k, Operand a, Operand b, Matrix c);

    public abstract void MultiplyBiasRelu(int m, int n, int k, Operand a, Operand b, Matrix bias, Operand c);

    public abstract void MultiplyMask(int m, int n, int k, Operand a, Operand b, Operand mask, Operand c);

    public abstract (Matrix Slices, int Count) OuterSlices(int m, int n, int k, Operand a, Operand b);

    public abstract void Patches(Pixels pixels, int channels, Matrix z, Operand target);

    public abstract void HiddenGradients(int rows, int cols, Operand g, Operand a, Matrix logs,
        Matrix dBias, Matrix dLogs);

    /// <summary>A dense matrix of whole numbers in [−range, range].</summary>
    public float[] Draw(int rows, int cols, int range) =>
        [.. Enumerable.Range(0, rows * cols).Select(_ => (float)random.Next(-range, range + 1))];

    /// <summary>A view of these values; what lies behind it in the buffer is <see cref="Guard"/>.</summary>
    public View Upload(int rows, int cols, ReadOnlySpan<float> values)
    {
        IBuffer buffer = Backend.Allocate((long)rows * cols + GuardLength);
        float[] all = new float[rows * cols + GuardLength];
        values.CopyTo(all);
        Array.Fill(all, Guard, rows * cols, GuardLength);
        buffer.Write(0, all);
        return View.Dense(buffer, 0, rows, cols);
    }

    /// <summary>Whether nothing behind a view was written.</summary>
    public static bool IsGuarded(View view)
    {
        float[] guard = new float[GuardLength];
        view.Buffer.Read(view.Offset + view.Count, guard);
        return guard.All(static v => v == Guard);
    }

    /// <summary>A factor with these elements; the words behind its rows are <see cref="Guard"/>.</summary>
    public (Operand Operand, View View) Factor(int rows, int cols, ReadOnlySpan<float> values)
    {
        int padded = Operand.Padded(cols), words = padded / PerWord;
        float[] all = new float[rows * words];
        for (int r = 0; r < rows; r++)
            for (int w = 0; w < words; w++)
                all[r * words + w] = Word(values, r * cols, w, cols);
        View view = Upload(rows, words, all);
        return (new Operand(Gpu.Matrix(view), rows, words), view);
    }

    /// <summary>The elements of a factor, its padding included.</summary>
    public float[] Elements(View view)
    {
        float[] words = view.ToArray();
        if (PerWord == 1) return words;
        return [.. words.SelectMany(static w =>
        {
            uint bits = BitConverter.SingleToUInt32Bits(w);
            return new[] { BitConverter.UInt32BitsToSingle(bits << 16),
                BitConverter.UInt32BitsToSingle(bits & 0xffff0000) };
        })];
    }

    public void Dispose() => Backend.Dispose();

    private const float Guard = -12345.5f;
    private const int GuardLength = 512;

    private float Word(ReadOnlySpan<float> values, int row, int word, int cols)
    {
        float first = word * PerWord < cols ? values[row + word * PerWord] : 0;
        if (PerWord == 1) return first;
        float second = 2 * word + 1 < cols ? values[row + 2 * word + 1] : 0;
        return BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(first) >> 16
            | (BitConverter.SingleToUInt32Bits(second) & 0xffff0000));
    }

    private sealed class Typed<TFormat, TOuter> : TensorGpu
        where TFormat : struct, ITensorFormat
        where TOuter : struct, IOuterFormat
    {
        private readonly TensorGemm<TFormat, TOuter> gemm;
        private readonly OperandWriter<TFormat> writer;
        private readonly HiddenSums<TFormat> sums;

        public Typed(Precision precision) : base(precision)
        {
            gemm = new(Gpu);
            writer = new(Gpu);
            sums = new(Gpu);
        }

        public override void Multiply(int m, int n, int k, Operand a, Operand b, Matrix c) => gemm.Multiply(m, n, k,
            a, b, c);

        public override void MultiplyBiasRelu(int m, int n, int k, Operand a, Operand b, Matrix bias, Operand c) =>
            gemm.MultiplyBiasRelu(m, n, k, a, b, bias, c);

        public override void MultiplyMask(int m, int n, int k, Operand a, Operand b, Operand mask, Operand c) =>
            gemm.MultiplyMask(m, n, k, a, b, mask, c);

        public override (Matrix Slices, int Count) OuterSlices(int m, int n, int k, Operand a, Operand b) =>
            gemm.OuterSlices(m, n, k, a, b);

        public override void Patches(Pixels pixels, int channels, Matrix z, Operand target) => writer.Patches(pixels,
            channels, false, z, target);

        public override void HiddenGradients(int rows, int cols, Operand g, Operand a, Matrix logs,
            Matrix dBias, Matrix dLogs) =>
            sums.Gradients(rows, cols, g, a, logs, dBias, dLogs);
    }
}
