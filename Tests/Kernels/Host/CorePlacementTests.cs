using System.Numerics;
using GlowGpu.Kernels.Host;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Host;

/// <summary>Workers that were put on one core part, and the caller's thread is left alone.</summary>
[TestFixture]
public sealed class CorePlacementTests
{
    private const int Words = 16;

    [Test]
    public void AWorkerLeavesTheCallersCore()
    {
        ulong[] allowed = new ulong[Words], after = new ulong[Words];
        Linux.GetAllowedCores(allowed);
        if (allowed.Sum(static word => (int)ulong.PopCount(word)) < 2)
            Assert.Ignore("where threads run can be asked for on Linux only, and two cores are needed to part them");
        Exception? failure = null;

        // On a thread of its own, whose cores may be limited.
        Thread caller = new(() =>
        {
            try
            {
                using Workers team = new(2);
                ulong[] one = new ulong[Words];
                int word = Array.FindIndex(allowed, static bits => bits != 0),
                    bit = BitOperations.TrailingZeroCount(allowed[word]), core = 64 * word + bit;
                one[word] = 1UL << bit;
                Linux.SetAllowedCores(one);
                int[] seen = new int[2];
                team.Run(2, new Work { Seen = seen, Limit = one });
                Assert.That(seen, Is.All.EqualTo(core), "both on one core");
                team.Run(2, new Work { Seen = seen });
                Assert.That(seen[0], Is.EqualTo(core), "the caller's");
                Assert.That(seen[1], Is.Not.EqualTo(core), "the worker's");
                Linux.GetAllowedCores(after);
                Assert.That(after, Is.EqualTo(one), "the caller's cores");
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        caller.Start();
        caller.Join();
        Assert.That(failure, Is.Null);
    }

    private struct Work : IWork
    {
        public int[] Seen;

        /// <summary>Cores to keep to from now on; null for no change.</summary>
        public ulong[]? Limit;

        public readonly void Run(int part, int worker)
        {
            if (Limit is not null) Linux.SetAllowedCores(Limit);
            Seen[worker] = Linux.Core;
        }
    }
}
