using GlowGpu.Bench.Roofline;
using GlowGpu.Kernels.Host;
using NUnit.Framework;

namespace GlowGpu.Tests.Bench;

/// <summary>The distance between cores.</summary>
public sealed class CoreDistanceTests
{
    [TestCase(1, false)]
    [TestCase(2, true)]
    [TestCase(3, true)]
    public void It_takes_two_workers_on_two_processors(int threads, bool measured)
    {
        using Workers workers = new(threads);
        double found = CoreDistance.Nanoseconds(workers);
        Assert.That(double.IsNaN(found), Is.EqualTo(!measured || Environment.ProcessorCount < 2));
        if (!double.IsNaN(found)) Assert.That(found, Is.Positive.And.LessThan(1e9));
    }
}
