using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Tests.Checks;
using NUnit.Framework;

namespace GlowGpu.Tests.Engine;

[TestFixture]
public sealed class ParameterSetTests
{
    [Test]
    public void TensorsStartAtMultiplesOfSixteenAndGapsAreZero()
    {
        using ParameterSet set = new(Devices.Host.Backend, [("a", [3, 3]), ("b", [16]), ("c", [1])]);
        Assert.That(set.All.Select(static p => (p.Name, p.Offset, p.Count)),
            Is.EqualTo(new[] { ("a", 0L, 9), ("b", 16L, 16), ("c", 32L, 1) }));
        Assert.That(set.Length, Is.EqualTo(48));
        Assert.That(set.Count, Is.EqualTo(26));
        Assert.That(set.Values.ToArray(), Is.All.Zero);
        Assert.That(set.Gradients.ToArray(), Is.All.Zero);
    }

    [Test]
    public void OneParameterIsAWindowOfAll()
    {
        using ParameterSet set = new(Devices.Host.Backend, [("a", [3, 3]), ("b", [4])]);
        set.Value("b").Write([1, 2, 3, 4]);
        set.Gradient("b").Write([5, 6, 7, 8]);
        Assert.That(set.Values.ToArray()[16..20], Is.EqualTo(new[] { 1f, 2, 3, 4 }));
        Assert.That(set.Gradients.ToArray()[16..20], Is.EqualTo(new[] { 5f, 6, 7, 8 }));
        Assert.That((set.Value("a").Rows, set.Value("a").Cols), Is.EqualTo((1, 9)));
    }

    [Test]
    public void UnknownNamesAreRefused()
    {
        using ParameterSet set = new(Devices.Host.Backend, [("a", [3])]);
        Assert.That(set.Find("b"), Is.Null);
        Assert.That(set.Find("a")!.Shape, Is.EqualTo(new[] { 3 }));
        Assert.That(() => set.Value("b"), Throws.ArgumentException.With.Message.EqualTo("parameters: there is no 'b'"));
    }

    [Test]
    public void TouchRaisesTheVersion()
    {
        using ParameterSet set = new(Devices.Host.Backend, [("a", [3])]);
        long before = set.Version;
        set.Touch();
        Assert.That(set.Version, Is.GreaterThan(before));
    }

    [Test]
    public void OptimizerStepsTouchParametersAndLeaveGapsZero()
    {
        IBackend backend = Devices.Host.Backend;
        using ParameterSet set = new(backend, [("a", [3, 3]), ("b", [4])]);
        set.Gradient("a").Write(new Draw(1).Normal(9));
        set.Gradient("b").Write(new Draw(2).Normal(4));
        foreach (Func<Optimizer> make in new Func<Optimizer>[]
                 {
                     () => new Adam(backend, set, 0.9, 0.999, 1e-8, 0.9), () => new Adamax(backend, set, 0.9, 0.999,
                         1e-8, null),
                 })
        {
            using Optimizer optimizer = make();
            long before = set.Version;
            optimizer.Step(1e-2, 1);
            Assert.That(set.Version, Is.GreaterThan(before));
            Assert.That(optimizer.Updates, Is.EqualTo(1));
            float[] all = set.Values.ToArray();
            Assert.That(all[9..16].Concat(all[20..]), Is.All.Zero);
            Assert.That(all[..9].Concat(all[16..20]), Is.All.Not.Zero);
        }
    }

    [Test]
    public void AverageStandsForItsParametersWithoutTheZeroItStartedFrom()
    {
        IBackend backend = Devices.Host.Backend;
        using ParameterSet set = new(backend, [("a", [5])]);
        using Adam optimizer = new(backend, set, 0.9, 0.999, 1e-8, averageDecay: 0.75);
        double[] average = new double[5];
        double zero = 1;
        for (int t = 1; t <= 3; t++)
        {
            double decay = Math.Min(0.75, (1.0 + t) / (10 + t));
            zero *= decay;
            set.Gradient("a").Write(new Draw(t).Normal(5));
            optimizer.Step(0.1, 1);
            float[] p = set.Value("a").ToArray();
            for (int i = 0; i < 5; i++) average[i] = decay * average[i] + (1 - decay) * p[i];
        }
        float[] own = set.Value("a").ToArray();
        using (optimizer.Average!.Use())
            Tolerance.Close("average", set.Value("a").ToArray(), [.. average.Select(a => a / (1 - zero))],
                8 * Tolerance.Ulp);
        Tolerance.SameBits("parameters", set.Value("a").ToArray(), own);
    }
}
