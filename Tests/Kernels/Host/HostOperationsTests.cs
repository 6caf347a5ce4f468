using GlowGpu.Kernels;
using GlowGpu.Kernels.Host;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Host;

/// <summary>
/// What the host promises beyond the formulas, for every operation of its own: bits that do not depend on the number of
/// threads, and no managed allocation once sizes have been met. Shapes are large enough for several parts of work.
/// </summary>
[TestFixture]
public sealed partial class HostOperationsTests
{
    private static readonly Dictionary<string, Example> Examples =
        Couples().Concat(Gaussians()).Concat(Priors()).Concat(Others()).Concat(Networks())
        .ToDictionary(static e => e.Name, static e => e.Example);

    private static IEnumerable<string> Names => Examples.Keys;

    /// <summary>Makes an operation on seeded data: how to run it, and the views it writes.</summary>
    private delegate (Action Run, View[] Outputs) Example(Workers workers, HostViews views);

    [TestCaseSource(nameof(Names))]
    public void Threads_change_no_bit(string name)
    {
        float[][] one = Run(name, 1);
        Assert.That(one.SelectMany(static x => x).All(float.IsFinite), "the example itself is sound");
        foreach (int threads in new[] { 2, 3 })
        {
            float[][] many = Run(name, threads);
            for (int i = 0; i < one.Length; i++)
                Assert.That(many[i].AsSpan().SequenceEqual(one[i]), $"{threads} threads, buffer {i}");
        }
    }

    [TestCaseSource(nameof(Names))]
    public void Nothing_is_allocated_once_sizes_are_known(string name)
    {
        using HostViews views = new(5);
        using Workers workers = new(2);
        Action run = Examples[name](workers, views).Run;
        run();
        run();
        long before = GC.GetAllocatedBytesForCurrentThread();
        run();
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    private static float[][] Run(string name, int threads, bool? apart = null)
    {
        using HostViews views = new(5);
        using Workers workers = new(threads, apart);
        (Action run, View[] outputs) = Examples[name](workers, views);
        run();
        return [.. outputs.Select(HostViews.Everything)];
    }

    private static (string Name, Example Example) Case(string name, Example example) => (name, example);

    private static IEnumerable<(string Name, Example Example)> Couples()
    {
        // One image of several segments, many small images to a part, one channel, rows longer than a tile.
        foreach ((string label, Pixels pixels, int c) in new[]
        {
            ("large images", new Pixels(3, 40, 36), 7), ("small images", new Pixels(70, 4, 3), 6),
            ("one channel", new Pixels(2, 90, 51), 1), ("long rows", new Pixels(2, 3, 5), 700),
        })
        {
            foreach (CouplingKind kind in Enum.GetValues<CouplingKind>())
            {
                int width = kind == CouplingKind.Affine ? 2 * c : c;
                yield return Case($"couple forward, {kind}, {label}", (workers, v) =>
                {
                    HostCouple couple = new(workers);
                    View z = v.Strided(pixels.Count, c, 2 * c + 1), h = v.Normal(pixels.Count, width),
                        logdet = v.Normal(1, pixels.N);
                    return (() => couple.Forward(kind, pixels, z, h, logdet), [z, logdet]);
                });
                yield return Case($"couple inverse, {kind}, {label}", (workers, v) =>
                {
                    HostCouple couple = new(workers);
                    View z = v.Strided(pixels.Count, c, 2 * c + 1), h = v.Normal(pixels.Count, width),
                        logdet = v.Normal(1, pixels.N);
                    return (() => couple.Inverse(kind, pixels, z, h, logdet), [z, logdet]);
                });
                yield return Case($"couple backward, {kind}, {label}", (workers, v) =>
                {
                    HostCouple couple = new(workers);
                    View z = v.Strided(pixels.Count, c, 2 * c), dz = v.Strided(pixels.Count, c, 2 * c + 1);
                    View h = v.Normal(pixels.Count, width), dh = v.Normal(pixels.Count, width);
                    return (() => couple.Backward(kind, pixels, z, h, dz, dh, 0.3f), [dz, dh]);
                });
            }
        }
    }

    private static IEnumerable<(string Name, Example Example)> Gaussians()
    {
        Pixels pixels = new(3, 40, 36);
        foreach (StatsLayout layout in Enum.GetValues<StatsLayout>())
        {
            yield return Case($"gaussian forward, {layout}", (workers, v) =>
            {
                HostGaussianScore score = new(workers);
                View z = v.Strided(pixels.Count, 7, 15), stats = v.Normal(pixels.Count, 14), logp = v.Normal(1, 3),
                    eps = v.Normal(pixels.Count, 7);
                return (() => score.Forward(pixels, layout, z, stats, logp, eps), [logp, eps]);
            });
            yield return Case($"gaussian inverse, {layout}", (workers, v) =>
            {
                HostGaussianScore score = new(workers);
                View z = v.Strided(pixels.Count, 7, 15), stats = v.Normal(pixels.Count, 14),
                    eps = v.Normal(pixels.Count, 7);
                return (() => score.Inverse(pixels, layout, eps, stats, z), [z]);
            });
            yield return Case($"gaussian backward, {layout}", (workers, v) =>
            {
                HostGaussianScore score = new(workers);
                View z = v.Strided(pixels.Count, 7, 15), dz = v.Strided(pixels.Count, 7, 15);
                View stats = v.Normal(pixels.Count, 14), dstats = v.Normal(pixels.Count, 14);
                return (() => score.Backward(pixels, layout, z, stats, -0.2f, dz, dstats), [dz, dstats]);
            });
        }
    }

    private static IEnumerable<(string Name, Example Example)> Priors()
    {
        const int Statistics = 46, Classes = 5, Channels = 23;
        Pixels pixels = new(9, 8, 6);
        static PriorParameters Prior(HostViews v) => new(
            new ZeroConvParameters(v.Normal(1, 9 * (Statistics + 1) * Statistics, 0.1), v.Normal(1, Statistics),
                v.Normal(1, Statistics, 0.1)),
            v.Normal(Classes, Statistics), v.Normal(1, Statistics), v.Normal(1, Statistics, 0.1));
        static ClassHeadParameters Head(HostViews v) => new(v.Normal(Channels, Classes), v.Normal(1, Classes),
            v.Normal(1, Classes, 0.1));

        yield return Case("prior forward", (workers, v) =>
        {
            HostPrior prior = new(workers);
            PriorParameters parameters = Prior(v);
            View labels = v.Integers(pixels.N, Classes), stats = v.Normal(pixels.Count, Statistics);
            return (() => prior.Forward(true, pixels, parameters, labels, stats), [stats]);
        });
        yield return Case("prior backward", (workers, v) =>
        {
            HostPrior prior = new(workers);
            PriorParameters parameters = Prior(v), g = Prior(v);
            View labels = v.Integers(pixels.N, Classes), dstats = v.Normal(pixels.Count, Statistics);
            return (() => prior.Backward(true, pixels, parameters, labels, dstats, g),
                [g.Conv.W, g.Conv.Bias, g.Conv.Logs, g.ClassW, g.ClassBias, g.ClassLogs]);
        });
        yield return Case("class head forward", (workers, v) =>
        {
            HostClassHead head = new(workers);
            ClassHeadParameters parameters = Head(v);
            View labels = v.Integers(pixels.N, Classes), z = v.Normal(pixels.Count, Channels),
                mean = v.Normal(pixels.N, Channels);
            View logits = v.Normal(pixels.N, Classes), loss = v.Normal(1, pixels.N);
            return (() => head.Forward(pixels, z, parameters, labels, mean, logits, loss), [mean, logits, loss]);
        });
        yield return Case("class head backward", (workers, v) =>
        {
            HostClassHead head = new(workers);
            ClassHeadParameters parameters = Head(v), g = Head(v);
            View labels = v.Integers(pixels.N, Classes), dz = v.Normal(pixels.Count, Channels),
                mean = v.Normal(pixels.N, Channels);
            View logits = v.Normal(pixels.N, Classes);
            return (() => head.Backward(pixels, parameters, labels, mean, logits, 0.1f, dz, g),
                [dz, g.W, g.Bias, g.Logs]);
        });
    }

    private static IEnumerable<(string Name, Example Example)> Others()
    {
        Pixels pixels = new(2, 60, 44);
        yield return Case("squeeze forward", (workers, v) =>
        {
            HostSqueeze squeeze = new(workers);
            View x = v.Strided(pixels.Count, 7, 9), y = v.Normal(pixels.Count / 4, 28);
            return (() => squeeze.Forward(pixels, x, y), [y]);
        });
        yield return Case("squeeze inverse", (workers, v) =>
        {
            HostSqueeze squeeze = new(workers);
            View x = v.Strided(pixels.Count, 7, 9), y = v.Normal(pixels.Count / 4, 28);
            return (() => squeeze.Inverse(pixels, y, x), [x]);
        });
        yield return Case("channel statistics", (workers, v) =>
        {
            HostChannelStats statistics = new(workers);
            View x = v.Strided(1000, 99, 130), bias = v.Normal(1, 99), logs = v.Normal(1, 99);
            return (() => statistics.InitializeActNorm(x, bias, logs), [bias, logs]);
        });
        yield return Case("dequantize", (workers, v) =>
        {
            HostDequantize dequantize = new(workers);
            View bytes = v.Integers(40001, 256), x = v.Normal(1, 40001);
            return (() => dequantize.Forward(bytes, 5, false, 99, 1 << 20, x), [x]);
        });
        foreach (bool adamax in new[] { false, true })
        {
            yield return Case(adamax ? "adamax" : "adam", (workers, v) =>
            {
                HostOptimizerStep step = new(workers);
                const int Length = 70003;
                View p = v.Normal(1, Length), g = v.Normal(1, Length), m = v.Zeros(1, Length), u = v.Zeros(1, Length),
                    a = v.Zeros(1, Length);
                OptimizerSettings settings = new(0.01f, 0.9f, 0.99f, 1e-8f, 1, 1, 0.9f);
                return (() =>
                {
                    if (adamax) step.Adamax(p, g, m, u, a, settings);
                    else step.Adam(p, g, m, u, a, settings);
                }, [p, m, u, a]);
            });
        }
        yield return Case("sum of squares", (workers, v) =>
        {
            HostOptimizerStep step = new(workers);
            View x = v.Normal(1, 70003), sum = v.Zeros(1, 1);
            return (() => step.SumOfSquares(x, sum), [sum]);
        });
        yield return Case("channel map", (workers, v) =>
        {
            HostChannelMap map = new(workers);
            ChannelMapStep[] steps = [.. Enum.GetValues<ChannelMixing>().SelectMany(
                mixing => new[] { 3, 12, 40 }.Select(c => ChannelMapHostTests.Step(v, mixing, c)))];
            View logDet = v.Zeros(1, 1), status = v.Zeros(1, ChannelMapStatus.Length);
            return (() =>
            {
                map.Prepare(steps, logDet, status);
                map.Backward(steps, 0.5f);
            }, [logDet, .. steps.SelectMany(static s => new[]
            {
                s.Maps.W, s.Maps.B, s.Maps.V, s.Maps.C, s.Gradients.Bias, s.Gradients.Logs,
                s.Gradients.Weight, s.Gradients.Lower, s.Gradients.Upper, s.Gradients.LogS,
            }).Where(static view => !view.IsNone)]);
        });
    }
}
