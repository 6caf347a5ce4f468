using GlowGpu.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.Engine;

[TestFixture]
public sealed class TapeTests
{
    [Test]
    public void NodesRunOnceFromTheLastToTheFirst()
    {
        List<string> log = [];
        Tape tape = new(MemoryMode.Stored);
        tape.Record(new Plain("a", log));
        tape.Record(new Reversible("b", log));
        tape.Record(new Plain("c", log));
        tape.Backward();
        Assert.That(log, Is.EqualTo(new[] { "c", "b", "a" }));
        tape.Backward();
        Assert.That(log, Has.Count.EqualTo(3), "a tape forgets its nodes");
    }

    [Test]
    public void ReversibleNodesWorkFromTheirOutput()
    {
        List<string> log = [];
        Tape tape = new(MemoryMode.Reversible);
        tape.Record(new Reversible("a", log));
        tape.Record(new Plain("b", log));
        tape.Record(new Reversible("c", log));
        tape.Backward();
        Assert.That(log, Is.EqualTo(new[] { "c from output", "b", "a from output" }));
        Assert.That(tape.Mode, Is.EqualTo(MemoryMode.Reversible));
    }

    private sealed class Plain(string name, List<string> log) : ITapeNode
    {
        public void Backward() => log.Add(name);
    }

    private sealed class Reversible(string name, List<string> log) : IReversibleNode
    {
        public void Backward() => log.Add(name);

        public void BackwardFromOutput() => log.Add(name + " from output");
    }
}
