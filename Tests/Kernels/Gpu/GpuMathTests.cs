using GlowGpu.Kernels;
using GlowGpu.Kernels.Gpu;
using ILGPU.Algorithms;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Gpu;

/// <summary>
/// The elementary functions of the kernels, run as the C# they are: errors in units of the last place over sweeps of
/// the whole range, and what they return at the ends.
/// </summary>
[TestFixture]
internal sealed class GpuMathTests
{
    private const double Limit = 3;

    [Test]
    public void ExpIsAccurate() => Sweep(GpuMath.Exp, Math.Exp, Linear(-87, 88.7));

    [Test]
    public void LogIsAccurate() => Sweep(GpuMath.Log, Math.Log, [.. Exponential(-126, 127), .. Linear(0.5, 2)]);

    [Test]
    public void Log1PIsAccurate() => Sweep(GpuMath.Log1P, static x => x < 1e-5 ? x - x * x / 2 : Math.Log(1 + x),
        Exponential(-30, 30));

    [Test]
    public void SigmoidIsAccurate() => Sweep(GpuMath.Sigmoid, static x => 1 / (1 + Math.Exp(-x)), Linear(-87, 87));

    [Test]
    public void SoftplusIsAccurate() => Sweep(GpuMath.Softplus, Softplus, Linear(-80, 80));

    [Test]
    public void LogSigmoidIsAccurate() => Sweep(GpuMath.LogSigmoid, static x => -Softplus(-x), Linear(-80, 80));

    [Test]
    public void TanhIsAccurate() => Sweep(GpuMath.Tanh, Math.Tanh, [.. Linear(-20, 20), .. Exponential(-30, 2)]);

    // ILGPU.Algorithms has these too, but on some devices its tanh is NaN for large arguments and its exp
    // approximate: ours agree with what it computes on the host.
    [Test]
    public void TheAlgorithmsLibraryAgreesOnTheHost()
    {
        Sweep(GpuMath.Exp, static x => XMath.Exp((float)x), Linear(-80, 80), Limit + 1);
        Sweep(GpuMath.Log, static x => XMath.Log((float)x), Linear(0.01, 100), Limit + 1);
        Sweep(GpuMath.Tanh, static x => XMath.Tanh((float)x), Linear(-8, 8), Limit + 1);
    }

    [Test]
    public void SubnormalsAreNotFlushed()
    {
        float tiny = float.Epsilon * 1000;
        Assert.Multiple(() =>
        {
            Assert.That(GpuMath.Log(tiny), Is.EqualTo(Math.Log(tiny)).Within(1e-5));
            Assert.That(GpuMath.Exp(-95f), Is.EqualTo(Math.Exp(-95)).Within(2 * float.Epsilon));
        });
    }

    [Test]
    public void EndsComeOutAsTheyShould()
    {
        const float Inf = float.PositiveInfinity, Nan = float.NaN;
        Assert.Multiple(() =>
        {
            Assert.That(Apply(GpuMath.Exp, -Inf, -200, 0, 200, Inf, Nan), Is.EqualTo(new[] { 0, 0, 1, Inf, Inf, Nan }));
            Assert.That(Apply(GpuMath.Log, -1, -0f, 0, 1, Inf, Nan),
                Is.EqualTo(new[] { Nan, -Inf, -Inf, 0, Inf, Nan }));
            Assert.That(Apply(GpuMath.Sigmoid, -Inf, -500, 0, 500, Inf, Nan),
                Is.EqualTo(new[] { 0, 0, 0.5f, 1, 1, Nan }));
            Assert.That(Apply(GpuMath.Softplus, -Inf, -500, 500, Inf, Nan), Is.EqualTo(new[] { 0, 0, 500, Inf, Nan }));
            Assert.That(Apply(GpuMath.LogSigmoid, -Inf, -500, 500, Inf, Nan),
                Is.EqualTo(new[] { -Inf, -500, 0, 0, Nan }));
            Assert.That(Apply(GpuMath.Tanh, -Inf, -500, 0, 500, Inf, Nan), Is.EqualTo(new[] { -1, -1, 0, 1, 1, Nan }));
        });
    }

    [Test]
    public void KernelsComputeWhatTheCodeSays()
    {
        // ILGPU compiles comparisons, conversions and bit casts its own way: NaN, zeros of both signs and infinities
        // count.
        float[] x = [float.NaN, -0f, 0f, float.PositiveInfinity, float.NegativeInfinity, float.Epsilon, 1e-3f, 0.6f,
            0.63f, 1f, 3f, 88f,
            89.5f, 1e30f, -1e-3f, -0.63f, -1f, -30f, -87f, -103f, -105f, -1e30f];
        using EmulatedGpu emulator = new();
        View input = emulator.Upload(1, x.Length, x);
        View output = emulator.Zeros(x.Length, GpuMathKernel.Functions);
        emulator.Gpu.Declare<GpuMathKernel.Arguments>(GpuMathKernel.Apply).ForEach(x.Length, new()
        {
            X = emulator.Gpu.Matrix(input).Data,
            Y = emulator.Gpu.Matrix(output).Data,
            Count = x.Length,
        });
        float[] expected = [.. x.SelectMany(static v => new[]
        {
            GpuMath.Exp(v), GpuMath.Log(v), GpuMath.Log1P(v), GpuMath.Sigmoid(v), GpuMath.Softplus(v),
                GpuMath.LogSigmoid(v),
            GpuMath.Tanh(v),
        })];
        Assert.That(output.ToArray(), Is.EqualTo(expected));
    }

    private static double Softplus(double x) => x > 0 ? x + Softplus(-x) : x < -17 ? Math.Exp(x)
        : Math.Log(1 + Math.Exp(x));

    private static float[] Apply(Func<float, float> function, params float[] arguments) =>
        [.. arguments.Select(function)];

    private static IEnumerable<double> Linear(double from, double to) =>
        Enumerable.Range(0, 20001).Select(i => from + (to - from) * i / 20000);

    private static IEnumerable<double> Exponential(double from, double to) => Linear(from,
        to).Select(static e => Math.Pow(2, e));

    private static void Sweep(Func<float, float> function, Func<double, double> exact, IEnumerable<double> arguments,
        double limit = Limit)
    {
        double worst = 0;
        float at = 0;
        foreach (double argument in arguments)
        {
            float x = (float)argument;
            double expected = exact(x);
            double ulp = Math.Max(MathF.BitIncrement((float)Math.Abs(expected)) - (float)Math.Abs(expected),
                float.Epsilon);
            double error = Math.Abs(function(x) - expected) / ulp;
            if (error <= worst) continue;
            (worst, at) = (error, x);
        }
        Assert.That(worst, Is.LessThan(limit), $"units in the last place, at {at:R}");
    }
}
