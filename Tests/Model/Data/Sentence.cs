using GlowGpu.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Data;

/// <summary>Checks the whole sentence of a failure, and that it cost no memory.</summary>
internal static class Sentence
{
    private const long MostBytes = 4 << 20;

    public static void Of(string sentence, Action action)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        GlowException? failure = Assert.Throws<GlowException>(action);
        Assert.That(failure!.Message, Is.EqualTo(sentence));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(MostBytes),
            "bytes allocated before the failure");
    }
}
