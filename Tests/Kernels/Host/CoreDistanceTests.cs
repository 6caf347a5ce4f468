using GlowGpu.Kernels.Host;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Host;

/// <summary>The distance between cores, and what a team makes of it.</summary>
public sealed class CoreDistanceTests
{
    private const int Tries = 50;

    [Test]
    public void Between_two_workers_it_is_a_time()
    {
        if (Environment.ProcessorCount < 2) Assert.Ignore("two processors are needed for a distance between them");
        using Workers workers = new(2);
        double found = double.NaN;

        // Where other programs run a thread may not get to answer.
        for (int i = 0; i < Tries && double.IsNaN(found); i++) found = CoreDistance.Nanoseconds(workers);
        Assert.That(found, Is.Positive.And.LessThan(1e6));
    }

    [TestCase(1, 1)]
    [TestCase(2, 2)]
    public void There_is_none_to_a_worker_that_is_not_there(int threads, int other)
    {
        using Workers workers = new(threads);
        Assert.That(CoreDistance.Nanoseconds(workers, other), Is.NaN);
    }

    [Test]
    public void More_workers_than_processors_come_to_an_end()
    {
        using Workers workers = new(Environment.ProcessorCount + 2);
        for (int other = 1; other < workers.Count; other++)
        {
            double found = CoreDistance.Nanoseconds(workers, other);
            Assert.That(double.IsNaN(found) || found > 0);
        }
    }

    [Test]
    public void One_worker_is_not_apart()
    {
        using Workers workers = new(1);
        Assert.That(workers.AreApart, Is.False);
    }

    [TestCase(true)]
    [TestCase(false)]
    public void What_is_given_is_not_measured(bool apart)
    {
        using Workers workers = new(2, apart);
        Assert.That(workers.AreApart, Is.EqualTo(apart));
    }

    [Test]
    public void Looking_allocates_nothing()
    {
        using Workers workers = new(2);
        _ = workers.AreApart;
        long before = GC.GetAllocatedBytesForCurrentThread();
        long end = Environment.TickCount64 + 250;
        while (Environment.TickCount64 < end) _ = workers.AreApart;
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }
}
