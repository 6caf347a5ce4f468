using System.Globalization;
using GlowGpu.Kernels.Host;
using GlowGpu.Tests.Checks;
using GlowGpu.Tests.Reference;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels;

[TestFixture]
public sealed class CouplingNetTests
{
    private static IReadOnlyList<NetworkShape> Shapes => NetworkShape.Common;

    private static IEnumerable<TestCaseData> Cases => Devices.With(Shapes);

    private static IEnumerable<TestCaseData> SmallCases => Devices.With(Shapes.Where(static s => s.P * s.Width <= 600));

    [TestCaseSource(nameof(Cases))]
    public void ForwardMatchesReference(TestDevice device, NetworkShape shape)
    {
        CouplingNetData data = new(shape);
        Results got = CouplingNetRun.Run(device.Backend, data);
        double[] expected = CouplingNetReference.Forward(data.Images, data.Wide(), shape.EdgeBias).Data;
        Tolerance.Close("h", got["h"], expected, device.Network(shape.Relative), shape.N, shape.H, shape.W, shape.Out);
    }

    [TestCaseSource(nameof(Cases))]
    public void BackwardMatchesReference(TestDevice device, NetworkShape shape)
    {
        CouplingNetData data = new(shape);
        Results got = CouplingNetRun.Run(device.Backend, data);
        Nhwc dh = data.Images with { Data = data.Dh.Wide(), C = shape.Out };
        (Nhwc dz1, CouplingNetWeights gradients) = CouplingNetReference.Backward(data.Images, data.Wide(),
            shape.EdgeBias, dh);
        double relative = device.Network(shape.Relative);
        double[] added = [.. data.Dz1.Wide().Zip(dz1.Data, static (before, d) => before + d)];
        Tolerance.Close("dz1", got["dz1"], added, relative, shape.N, shape.H, shape.W, shape.In);
        foreach ((string name, double[] expected) in CouplingNetData.Named(gradients))
            Tolerance.Close($"gradient of {name}", got[name], expected, relative);
    }

    [TestCaseSource(nameof(SmallCases))]
    public void GradientsBelongToTheForward(TestDevice device, NetworkShape shape) =>
        CheckGradients(device, new CouplingNetData(shape), Smoothness.Kinked);

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void GradientsHaveSecondOrderWhereNoUnitSwitches(TestDevice device)
    {
        // Half of the hidden units are held on and half off, far from their kinks.
        NetworkShape shape = new(2, 2, 3, 3, 6, 6, true, Layout.FirstHalf);
        CouplingNetData data = new(shape);
        for (int j = 0; j < shape.Width; j++) data["bias1"][j] = data["bias2"][j] = j % 2 == 0 ? 40 : -40;
        CheckGradients(device, data, Smoothness.Smooth);
    }

    [TestCaseSource(nameof(Cases))]
    public void DevicesAgree(TestDevice device, NetworkShape shape) => Agreement.Check(device,
        backend => CouplingNetRun.Run(backend, new CouplingNetData(shape)), shape.Relative, isNetwork: true);

    [TestCaseSource(nameof(Cases))]
    public void InitializeLeavesHiddenLayersWithZeroMeanAndUnitVariance(TestDevice device, NetworkShape shape)
    {
        CouplingNetData data = new(shape);
        Results got = CouplingNetRun.Initialize(device.Backend, data);
        CouplingNetWeights weights = data.Wide() with
        {
            Bias1 = got["bias1"].Wide(),
            Logs1 = got["logs1"].Wide(),
            Bias2 = got["bias2"].Wide(),
            Logs2 = got["logs2"].Wide(),
        };
        (Nhwc first, Nhwc second) = CouplingNetReference.Hidden(data.Images, weights, shape.EdgeBias);
        double relative = device.Network(1e-4);
        foreach ((string layer, Nhwc hidden,
            float[] logs) in new[] { ("first", first, got["logs1"]), ("second", second, got["logs2"]) })
            for (int c = 0; c < shape.Width; c++)
            {
                double[] channel = [.. Enumerable.Range(0, shape.P).Select(p => hidden.Data[p * shape.Width + c])];
                // One pixel has no variance: exp(3·logs) is then 1e6, which the ε in its formula allows at most.
                double scale = Math.Exp(3 * (double)logs[c]);
                if (scale > 1e3) continue;
                double mean = channel.Average();
                Tolerance.Close($"mean of {layer} layer, channel {c}", mean, 0, relative, 1);
                Tolerance.Close($"variance of {layer} layer, channel {c}",
                    channel.Average(v => (v - mean) * (v - mean)), 1, 1e-2 + relative);
            }
    }

    [TestCaseSource(nameof(Cases))]
    public void InitializeMatchesReference(TestDevice device, NetworkShape shape)
    {
        CouplingNetData data = new(shape);
        Results got = CouplingNetRun.Initialize(device.Backend, data);
        double[] zero = new double[shape.Width];
        (Nhwc first, _) = CouplingNetReference.Hidden(data.Images, data.Wide() with { Bias1 = zero, Logs1 = zero },
            shape.EdgeBias);
        (double[] bias1, double[] logs1) = ActNormReference.Initialize(first);
        Tolerance.Close("bias1", got["bias1"], bias1, device.Network(shape.Relative));
        if (shape.P == 1) return;
        Tolerance.Close("logs1", got["logs1"], logs1, device.Network(8 * shape.Relative));
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void FreshNetworkReturnsExactZeros(TestDevice device)
    {
        CouplingNetData data = new(new NetworkShape(1, 3, 4, 3, 8, 6, true, Layout.FirstHalf));
        foreach (string zero in new[] { "w3", "bias3", "logs3" }) Array.Clear(data[zero]);
        Assert.That(CouplingNetRun.Run(device.Backend, data)["h"], Is.All.Zero);
    }

    [TestCaseSource(typeof(Devices), nameof(Devices.Alone))]
    public void ImagesOfABatchDoNotMix(TestDevice device)
    {
        // The first image alone gives what it gives in a batch: convolutions must not reach across images.
        NetworkShape two = new(2, 3, 4, 3, 8, 6, true, Layout.FirstHalf);
        CouplingNetData batch = new(two);
        CouplingNetData single = batch.Image();
        float[] h = CouplingNetRun.Run(device.Backend, batch)["h"];
        Tolerance.Close("h", CouplingNetRun.Run(device.Backend, single)["h"],
            h[..(single.Shape.P * single.Shape.Out)].Wide(), device.Network(two.Relative));
    }

    // On the host so many pixels are cut into groups, each with gradients of its own, two, two of unequal size or
    // eight, while one image is a single group.
    [Test]
    public void GradientsOfABatchAreTheSumOfThoseOfItsImages(
        [Values("7 16 16 6 256 12", "5 16 16 6 96 12", "8 16 16 6 32 12")] string sizes,
            [Values(1, 2, 3)] int threads, [Values] bool apart)
    {
        int[] n = [.. sizes.Split(' ').Select(static word => int.Parse(word, CultureInfo.InvariantCulture))];
        NetworkShape shape = new(n[0], n[1], n[2], n[3], n[4], n[5], true, Layout.FirstHalf);
        CouplingNetData data = new(shape);
        using HostBackend backend = new(threads, SimdLevels.Best, apart);
        Results batch = CouplingNetRun.Run(backend, data);
        Results[] single = [.. Enumerable.Range(0, shape.N).Select(image => CouplingNetRun.Run(backend,
            data.Image(image)))];
        foreach (string name in batch.Keys.Where(static name => name is not ("h" or "dz1")))
        {
            double[] sum = [.. Enumerable.Range(0, batch[name].Length)
                .Select(i => single.Sum(one => (double)one[name][i]))];
            Tolerance.Close($"gradient of {name}", batch[name], sum, shape.Relative);
        }
    }

    // Few pixels under a wide network, where the host's workers divide weights: more workers than panels of half a
    // product, a last panel that is not full, widths with and without products in halves, images that blocks do not
    // fill.
    [Test]
    public void HostWorkersThatDivideWeightsChangeNoBit(
        [Values("1 7 9 12 256 24", "2 8 8 6 258 12", "1 4 4 24 512 48", "1 1 1 3 300 6")] string sizes,
            [Values(2, 3, 5, 40)] int threads)
    {
        int[] n = [.. sizes.Split(' ').Select(static word => int.Parse(word, CultureInfo.InvariantCulture))];
        NetworkShape shape = new(n[0], n[1], n[2], n[3], n[4], n[5], true, Layout.FirstHalf);
        CouplingNetData data = new(shape);
        using HostBackend team = new(threads), apart = new(threads, SimdLevels.Best, apart: true), alone = new(1);
        float[] h = CouplingNetRun.Run(team, data)["h"];
        Tolerance.SameBits("h, apart", CouplingNetRun.Run(apart, data)["h"], h, shape.P, shape.Out);
        Tolerance.SameBits("h", h, CouplingNetRun.Run(alone, data)["h"], shape.P, shape.Out);
        Tolerance.Close("h", h, CouplingNetReference.Forward(data.Images, data.Wide(), shape.EdgeBias).Data,
            shape.Relative, shape.N, shape.H, shape.W, shape.Out);
    }

    private static void CheckGradients(TestDevice device, CouplingNetData data, Smoothness smoothness)
    {
        NetworkShape shape = data.Shape;
        Results got = CouplingNetRun.Run(device.Backend, data);
        double relative = device.Network(shape.Relative);
        double Loss(Nhwc z1, CouplingNetWeights weights) =>
            CouplingNetReference.Forward(z1, weights, shape.EdgeBias).Data.Zip(data.Dh, static (v, g) => v * g).Sum();
        float[] dz1 = [.. got["dz1"].Zip(data.Dz1, static (after, before) => after - before)];
        // Adding to what was there costs an ulp of it.
        GradientCheck.Check("z1", v => Loss(data.Images with { Data = v }, data.Wide()), data.Z1.Wide(), dz1,
            4 * relative, smoothness);
        foreach ((string name, double[] value) in CouplingNetData.Named(data.Wide()))
            GradientCheck.Check(name, v => Loss(data.Images, CouplingNetData.With(data.Wide(), name, v)), value,
                got[name], relative, smoothness);
    }
}
