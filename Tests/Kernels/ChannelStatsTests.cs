using GlowGpu.Kernels;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Reference;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels;

[TestFixture]
public sealed class ChannelStatsTests
{
    private const double Relative = 16 * Tolerance.Ulp;

    private static IEnumerable<PixelShape> Shapes => [.. PixelShape.Common, new(4, 16, 16, 33), new(1, 7, 11, 128)];

    private static IEnumerable<TestCaseData> Cases => Devices.With(Shapes);

    [TestCaseSource(nameof(Cases))]
    public void GivesBiasAndLogsOfTheBatch(TestDevice device, PixelShape shape)
    {
        foreach (Layout layout in Enum.GetValues<Layout>())
        {
            float[] x = Values(shape);
            Results got = Run(device.Backend, shape, x, layout);
            (double[] bias, double[] logs) = ActNormReference.Initialize(Images(shape, x));
            Tolerance.Close("bias", got["bias"], bias, Relative);
            Tolerance.Close("logs", got["logs"], logs, Relative);
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void DevicesAgree(TestDevice device, PixelShape shape) =>
        Agreement.Check(device, backend => Run(backend, shape, Values(shape), Layout.Dense), Relative);

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void LargeMeanDoesNotEatTheVariance(TestDevice device)
    {
        // The one-pass formula E[x²] − E[x]² loses everything here.
        PixelShape shape = new(1, 4, 8, 2);
        float[] x = new Draw(1).Normal(64, spread: 0.5, mean: 4096);
        Results got = Run(device.Backend, shape, x, Layout.Dense);
        (double[] bias, double[] logs) = ActNormReference.Initialize(Images(shape, x));
        Tolerance.Close("bias", got["bias"], bias, Relative);
        // bias is rounded to float, and (x + bias) with it: half an ulp of 4096 against a spread of a half.
        Tolerance.Close("logs", got["logs"], logs, 1e-4);
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void ConstantChannelStaysFinite(TestDevice device)
    {
        PixelShape shape = new(1, 2, 3, 2);
        float[] x = new float[12];
        Array.Fill(x, 0.25f);
        Results got = Run(device.Backend, shape, x, Layout.Dense);
        Tolerance.Close("bias", got["bias"], [-0.25, -0.25], Relative);
        Tolerance.Close("logs", got["logs"], [Math.Log(1e6) / 3, Math.Log(1e6) / 3], Relative);
    }

    private static float[] Values(PixelShape shape) => new Draw(shape.P).Normal(shape.P * shape.C,
        spread: 2, mean: 0.7);

    private static Nhwc Images(PixelShape s, float[] x) => new(x.Wide(), s.N, s.H, s.W, s.C);

    private static Results Run(IBackend backend, PixelShape shape, float[] values, Layout layout)
    {
        using Guarded memory = new(backend);
        View x = memory.Input("x", values, shape.P, shape.C, layout);
        View bias = memory.Output("bias", 1, shape.C), logs = memory.Output("logs", 1, shape.C);
        backend.ChannelStats.InitializeActNorm(x, bias, logs);
        memory.Check();
        return new Results { ["bias"] = memory.Read(bias), ["logs"] = memory.Read(logs) };
    }
}
