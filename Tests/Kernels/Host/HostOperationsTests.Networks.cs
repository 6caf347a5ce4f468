using GlowGpu.Kernels;
using GlowGpu.Kernels.Host;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Host;

// The operations on matrix products.
public sealed partial class HostOperationsTests
{
    private const string Network = "coupling net, ";

    private static IEnumerable<string> NetworkNames => Examples.Keys.Where(static name => name.StartsWith(Network,
        StringComparison.Ordinal));

    // Weights written past the caches and fetched ahead, groups that are a worker's own: only the time may differ.
    [TestCaseSource(nameof(NetworkNames))]
    public void Cores_that_lie_apart_change_no_bit(string name)
    {
        float[][] one = Run(name, 1);
        foreach (int threads in new[] { 1, 2, 3 })
            foreach (bool apart in new[] { false, true })
            {
                float[][] many = Run(name, threads, apart);
                for (int i = 0; i < one.Length; i++)
                    Assert.That(many[i].AsSpan().SequenceEqual(one[i]),
                        $"{threads} threads, apart {apart}, buffer {i}");
            }
    }

    [Test]
    public void Cores_that_lie_apart_take_as_much_memory()
    {
        CouplingNetShape shape = new(6, 256, 12, true);
        Pixels pixels = new(8, 16, 16);
        Scratch(false);
        long together = Scratch(false), apart = Scratch(true);
        Assert.That(together, Is.GreaterThan(1 << 20), "what is compared is the scratch memory of a backward pass");
        Assert.That(apart, Is.EqualTo(together).Within(1).Percent);

        // Managed bytes of a first backward pass.
        long Scratch(bool apart)
        {
            using HostBackend backend = new(2, SimdLevels.Best, apart);
            using HostViews v = new(1);
            ICouplingNet net = backend.CouplingNet;
            CouplingNetParameters parameters = Parameters(v, shape), gradients = Parameters(v, shape);
            View z1 = v.Normal(pixels.Count, shape.In), h = v.Zeros(pixels.Count, shape.Out),
                dh = v.Normal(pixels.Count, shape.Out), dz1 = v.Zeros(pixels.Count, shape.In);
            View packed = v.Zeros(1, (int)net.PackedLength(shape, pixels)),
                saved = v.Zeros(1, (int)net.SavedLength(shape, pixels));
            net.Pack(shape, pixels, parameters, packed);
            net.Forward(shape, pixels, z1, packed, h, saved);
            long before = GC.GetAllocatedBytesForCurrentThread();
            net.Backward(shape, pixels, z1, h, saved, packed, parameters, dh, dz1, gradients);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    private static IEnumerable<(string Name, Example Example)> Networks()
    {
        // Several chunks of several tiles; fewer pixels than tiles times threads; a tail in every dimension; weights
        // that threads divide, over two tiles, one, and three, with and without halves; gradients in two groups, of
        // equal and of unequal size.
        foreach ((string label, Pixels pixels, CouplingNetShape shape) in new[]
        {
            ("wide", new Pixels(3, 16, 16), new CouplingNetShape(6, 512, 12, true)),
            ("narrow", new Pixels(7, 16, 20), new CouplingNetShape(3, 40, 6, false)),
            ("few pixels", new Pixels(1, 5, 7), new CouplingNetShape(24, 100, 48, true)),
            ("odd", new Pixels(2, 9, 11), new CouplingNetShape(5, 33, 7, true)),
            ("divided weights", new Pixels(2, 15, 16), new CouplingNetShape(6, 512, 12, true)),
            ("divided weights, tiles of unequal height", new Pixels(1, 20, 19), new CouplingNetShape(3, 512, 6, true)),
            ("divided weights, small images", new Pixels(5, 4, 3), new CouplingNetShape(24, 256, 48, false)),
            ("divided weights, no halves", new Pixels(3, 6, 12), new CouplingNetShape(5, 272, 7, true)),
            ("two groups", new Pixels(7, 16, 16), new CouplingNetShape(6, 256, 12, true)),
            ("two unequal groups", new Pixels(5, 16, 16), new CouplingNetShape(6, 96, 12, true)),
        })
        {
            int count = pixels.Count;
            yield return Case(Network + label, (workers, v) =>
            {
                HostCouplingNet net = new(workers);
                CouplingNetParameters parameters = Parameters(v, shape), gradients = Parameters(v, shape);
                View z1 = v.Strided(count, shape.In, 2 * shape.In), h = v.Zeros(count, shape.Out),
                    unsaved = v.Zeros(count, shape.Out);
                View dh = v.Normal(count, shape.Out), dz1 = v.Strided(count, shape.In, 2 * shape.In + 1);
                View packed = v.Zeros(1, (int)net.PackedLength(shape, pixels)),
                    saved = v.Zeros(1, (int)net.SavedLength(shape, pixels));
                return (() =>
                {
                    net.Pack(shape, pixels, parameters, packed);
                    net.Forward(shape, pixels, z1, packed, unsaved, View.None);
                    net.Forward(shape, pixels, z1, packed, h, saved);
                    net.Backward(shape, pixels, z1, h, saved, packed, parameters, dh, dz1, gradients);
                }, [
                    h, unsaved, dz1, gradients.W1, gradients.Bias1, gradients.Logs1, gradients.W2, gradients.Bias2,
                        gradients.Logs2,
                    gradients.W3, gradients.Bias3, gradients.Logs3,
                ]);
            });
            yield return Case($"coupling net initialization, {label}", (workers, v) =>
            {
                HostCouplingNet net = new(workers);
                CouplingNetParameters p = Parameters(v, shape);
                View z1 = v.Strided(count, shape.In, 2 * shape.In);
                return (() => net.Initialize(shape, pixels, z1, p), [p.Bias1, p.Logs1, p.Bias2, p.Logs2]);
            });
            yield return Case($"zero convolution, {label}", (workers, v) =>
            {
                HostZeroConv conv = new(workers);
                ZeroConvShape s = new(shape.In, shape.Out, shape.EdgeBias);
                ZeroConvParameters parameters = Parameters(v, s), gradients = Parameters(v, s);
                View x = v.Strided(count, s.In, 2 * s.In), h = v.Zeros(count, s.Out),
                    packed = v.Zeros(1, (int)conv.PackedLength(s));
                View dh = v.Normal(count, s.Out), dx = v.Strided(count, s.In, 2 * s.In + 1);
                return (() =>
                {
                    conv.Pack(s, parameters, packed);
                    conv.Forward(s, pixels, x, packed, h);
                    conv.Backward(s, pixels, x, h, packed, parameters, dh, dx, gradients);
                }, [h, dx, gradients.W, gradients.Bias, gradients.Logs]);
            });
        }
        foreach ((int rows, int channels) in new[] { (1000, 12), (3000, 3), (130, 96), (33, 17), (5, 384) })
        {
            yield return Case($"channel affine, {rows} × {channels}", (workers, v) =>
            {
                HostChannelAffine affine = new(workers);
                View x = v.Normal(rows, channels), w = v.Normal(channels, channels), b = v.Normal(1, channels),
                    y = v.Zeros(rows, channels);
                View dy = v.Normal(rows, channels), dx = v.Zeros(rows, channels), dw = v.Zeros(channels, channels),
                    db = v.Zeros(1, channels);
                return (() =>
                {
                    affine.Apply(x, w, b, y);
                    affine.Backward(dy, x, w, dx, dw, db);
                }, [y, dx, dw, db]);
            });
        }
    }

    private static CouplingNetParameters Parameters(HostViews v, CouplingNetShape s) => new(
        v.Normal(1, 9 * s.In1 * s.Width, 0.2), v.Normal(1, s.Width, 0.3), v.Normal(1, s.Width, 0.1),
        v.Normal(1, s.Width * s.Width, 0.05), v.Normal(1, s.Width, 0.3), v.Normal(1, s.Width, 0.1),
        v.Normal(1, 9 * s.In3 * s.Out, 0.05), v.Normal(1, s.Out, 0.3), v.Normal(1, s.Out, 0.1));

    private static ZeroConvParameters Parameters(HostViews v, ZeroConvShape s) =>
        new(v.Normal(1, 9 * s.In1 * s.Out, 0.2), v.Normal(1, s.Out, 0.3), v.Normal(1, s.Out, 0.1));
}
