using System.Runtime.CompilerServices;
using GlowGpu.Kernels.Host;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Host;

/// <summary>
/// The vector functions against <see cref="Math"/> in double, over a comb of all float32 bit patterns, at all three
/// widths.
/// The error is in units of the last place of the true result, subnormals included.
/// </summary>
[TestFixture]
public sealed unsafe class ElementwiseTests
{
    // A prime stride meets every exponent and visits the mantissas unevenly enough.
    private const uint Stride = 20011;

    [Test]
    public void Exp_is_within_1_1_ulp() => AssertUlps<Exp>(Math.Exp, 1.1);

    [Test]
    public void Log_is_within_1_2_ulp() => AssertUlps<Log>(Math.Log, 1.2);

    [Test]
    public void Log1p_is_within_1_5_ulp() => AssertUlps<Log1p>(ReferenceLog1p, 1.5);

    [Test]
    public void Sigmoid_is_within_2_5_ulp() => AssertUlps<Sigmoid>(ReferenceSigmoid, 2.5);

    [Test]
    public void Softplus_is_within_2_5_ulp() => AssertUlps<Softplus>(static x => ReferenceSoftplus(x), 2.5);

    [Test]
    public void LogSigmoid_is_within_2_5_ulp() => AssertUlps<LogSigmoid>(static x => -ReferenceSoftplus(-x), 2.5);

    [Test]
    public void Edges_follow_the_limits()
    {
        const float Inf = float.PositiveInfinity, Max = float.MaxValue, Tiny = float.Epsilon;
        AssertExact<Exp>((-Inf, 0), (Inf, Inf), (Max, Inf), (-Max, 0), (0, 1), (-0f, 1), (88.73f, Inf),
            (-104, 0), (Tiny, 1));
        AssertExact<Log>((0, -Inf), (-0f, -Inf), (Inf, Inf), (1, 0), (-1, float.NaN), (-Inf, float.NaN),
            (-Tiny, float.NaN));
        AssertExact<Log1p>((-1, -Inf), (Inf, Inf), (0, 0), (-1.5f, float.NaN), (-Inf, float.NaN), (Tiny, Tiny),
            (1e-20f, 1e-20f));
        AssertExact<Sigmoid>((-Inf, 0), (Inf, 1), (0, 0.5f), (Max, 1), (-Max, 0), (100, 1));
        AssertExact<Softplus>((-Inf, 0), (Inf, Inf), (Max, Max), (-Max, 0), (100, 100));
        AssertExact<LogSigmoid>((-Inf, -Inf), (Inf, 0), (Max, 0), (-Max, -Max), (-100, -100));
        foreach (float nan in new[] { float.NaN, BitConverter.UInt32BitsToSingle(0xFFC12345) })
        {
            AssertExact<Exp>((nan, float.NaN));
            AssertExact<Log>((nan, float.NaN));
            AssertExact<Log1p>((nan, float.NaN));
            AssertExact<Sigmoid>((nan, float.NaN));
            AssertExact<Softplus>((nan, float.NaN));
            AssertExact<LogSigmoid>((nan, float.NaN));
        }
    }

    [Test]
    public void Every_length_gives_the_same_bits_and_touches_nothing_else([Range(0, 67)] int length)
    {
        const int Guard = 32;
        const float Mark = -12345;
        float[] x = new float[length];
        for (int i = 0; i < length; i++) x[i] = (i - 31) * 0.37f;
        float[] y = new float[length + 2 * Guard];
        Array.Fill(y, Mark);
        Elementwise.Map<Sigmoid>(x, y.AsSpan(Guard, length));
        for (int i = 0; i < y.Length; i++)
        {
            float[] alone = [Mark];
            if (i >= Guard && i < Guard + length) Elementwise.Map<Sigmoid>(x.AsSpan(i - Guard, 1), alone);
            Assert.That(y[i], Is.EqualTo(alone[0]), $"element {i - Guard} of {length}");
        }
    }

    [Test]
    public void Lengths_must_agree() => Assert.That(
        static () => Elementwise.Map<Exp>(new float[3], new float[4]),
        Throws.ArgumentException.With.Message.EqualTo("elementwise: x has 3 elements and y 4; they must be as long"));

    [Test]
    public void Interleaving_undoes_deinterleaving_at_every_width()
    {
        AssertInterleaves<Lanes128>();
        AssertInterleaves<Lanes256>();
        AssertInterleaves<Lanes512>();
    }

    private static void AssertInterleaves<V>() where V : struct, ILanes<V>
    {
        float* values = stackalloc float[2 * V.Count], result = stackalloc float[2 * V.Count];
        for (int i = 0; i < 2 * V.Count; i++) values[i] = i;
        (V even, V odd) = V.Deinterleave(V.Load(values), V.Load(values + V.Count));
        even.Store(result);
        odd.Store(result + V.Count);
        for (int i = 0; i < V.Count; i++)
        {
            Assert.That(result[i], Is.EqualTo(2 * i));
            Assert.That(result[V.Count + i], Is.EqualTo(2 * i + 1));
        }
        (V a, V b) = V.Interleave(even, odd);
        a.Store(result);
        b.Store(result + V.Count);
        for (int i = 0; i < 2 * V.Count; i++) Assert.That(result[i], Is.EqualTo(i));
    }

    private static void AssertExact<TOp>(params (float X, float Y)[] cases) where TOp : struct, IVectorOp
    {
        foreach ((float x, float expected) in cases)
        {
            Assert.That(At<TOp, Lanes128>(x), Is.EqualTo(expected), $"{typeof(TOp).Name}({x}), 128 bits");
            Assert.That(At<TOp, Lanes256>(x), Is.EqualTo(expected), $"{typeof(TOp).Name}({x}), 256 bits");
            Assert.That(At<TOp, Lanes512>(x), Is.EqualTo(expected), $"{typeof(TOp).Name}({x}), 512 bits");
        }
    }

    private static float At<TOp, V>(float x) where TOp : struct, IVectorOp where V : struct, ILanes<V>
    {
        float y;
        Elementwise.Map<TOp, V>(&x, &y, 1);
        return y;
    }

    private static void AssertUlps<TOp>(Func<double, double> reference, double tolerance) where TOp : struct, IVectorOp
    {
        int count = (int)(uint.MaxValue / Stride);
        float[] x = new float[count], y128 = new float[count], y256 = new float[count], y512 = new float[count];
        for (int i = 0; i < count; i++) x[i] = BitConverter.UInt32BitsToSingle((uint)i * Stride);
        fixed (float* from = x, to128 = y128, to256 = y256, to512 = y512)
        {
            Elementwise.Map<TOp, Lanes128>(from, to128, count);
            Elementwise.Map<TOp, Lanes256>(from, to256, count);
            Elementwise.Map<TOp, Lanes512>(from, to512, count);
        }
        double worst = 0;
        float at = 0;
        for (int i = 0; i < count; i++)
        {
            if (BitConverter.SingleToInt32Bits(y128[i]) != BitConverter.SingleToInt32Bits(y256[i])
                || BitConverter.SingleToInt32Bits(y256[i]) != BitConverter.SingleToInt32Bits(y512[i]))
            {
                if (!(float.IsNaN(y128[i]) && float.IsNaN(y256[i]) && float.IsNaN(y512[i])))
                    Assert.Fail(
                        $"{typeof(TOp).Name}({x[i]:R}): the widths differ: {y128[i]:R}, {y256[i]:R}, {y512[i]:R}");
            }
            double error = Ulps(y512[i], reference(x[i]));
            if (error > worst) (worst, at) = (error, x[i]);
        }
        TestContext.Out.WriteLine($"{typeof(TOp).Name}: {worst:0.000} ulp at {at:R}");
        Assert.That(worst, Is.LessThanOrEqualTo(tolerance), $"{typeof(TOp).Name}({at:R})");
    }

    /// <summary>
    /// |value − truth| in units of float32's last place at the truth; infinite when one is NaN or ∞ and the other is
    /// not.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static double Ulps(float value, double truth)
    {
        if (double.IsNaN(truth)) return float.IsNaN(value) ? 0 : double.PositiveInfinity;
        if (!float.IsFinite((float)truth)) return value == (float)truth ? 0 : double.PositiveInfinity;
        double unit = Math.Max(Math.ScaleB(1, -149), Math.ScaleB(1, Math.ILogB(truth) - 23));
        if (truth == 0) unit = Math.ScaleB(1, -149);
        double error = Math.Abs(value - truth) / unit;
        return double.IsNaN(error) ? double.PositiveInfinity : error;
    }

    // Math has no log1p: Kahan's correction of ln(1 + x), exact to double rounding.
    private static double ReferenceLog1p(double x)
    {
        double u = 1 + x;
        if (u == 1) return x;
        return double.IsInfinity(u) || u <= 0 ? Math.Log(u) : Math.Log(u) * x / (u - 1);
    }

    private static double ReferenceSigmoid(double x) => x < 0 ? Math.Exp(x) / (1 + Math.Exp(x))
        : 1 / (1 + Math.Exp(-x));

    private static double ReferenceSoftplus(double x) => Math.Max(x, 0) + ReferenceLog1p(Math.Exp(-Math.Abs(x)));
}
