using NUnit.Framework;

namespace GlowGpu.Tests.Ptx;

/// <summary>Every fault that the machine watches for, and beside it the program that is right.</summary>
[TestFixture]
internal sealed class PtxStrictnessTests
{
    // %r0: the word of the same lane of the other of two warps. %p0: the first warp, which the machine runs first.
    private const string Neighbour = """
        setp.lt.u32 %p0, %tid, 32;
        xor.b32 %r0, %tid, 32;
        shl.b32 %r0, %r0, 2;
        add.u32 %r0, %r0, %shared;
        """;

    private const string Partner = """
        xor.b32 %r0, %tid, 1;
        shl.b32 %r0, %r0, 2;
        add.u32 %r0, %r0, %shared;
        """;

    private const string AsyncCopy = "cp.async.ca.shared.global [%s], [%i], 4;";

    [TestCase("ld.global.b32 %r0, [%in+4096];", "lies outside all memory of the launch; in ends 0 bytes before")]
    [TestCase("ld.global.b32 %r0, [%in+-4];", "starts 4 bytes later")]
    [TestCase("st.global.b32 [%out+4096], %tid;", "lies outside all memory of the launch; out ends 0 bytes before")]
    [TestCase("ld.b32 %r0, [%in+4096];", "lies outside all memory of the launch")]
    [TestCase("ld.global.b32 %r0, [%in+2];", "is not aligned to 4 bytes")]
    [TestCase("ld.global.v4.b32 {%r0,%r1,%r2,%r3}, [%in+8];", "is not aligned to 16 bytes")]
    [TestCase("st.global.v2.b32 [%out+4], {%r0,%r1};", "is not aligned to 8 bytes")]
    [TestCase("ld.shared.b32 %r0, [%shared+4096];", "lies outside the 4096 bytes of the group")]
    [TestCase("st.shared.b32 [%shared+-4], %tid;", "lies outside the 4096 bytes of the group")]
    [TestCase("st.shared.v4.b32 [%shared+4], {%r0,%r1,%r2,%r3};", "is not aligned to 16 bytes")]
    [TestCase("mov.b64 %d0, 0;\nld.shared.b32 %r0, [%d0];", "lies outside the 4096 bytes of the group")]
    [TestCase("ld.shared.b32 %r0, [%s];", "was never written")]
    [TestCase("ld.global.b32 %r0, [%d0];", "is not aligned",
        Description = "an address from a register that was never written")]
    [TestCase("mov.b32 %r0, 0;\ndiv.s32 %r1, %tid, %r0;", "division by zero")]
    [TestCase("cp.async.cg.shared.global [%shared], [%in+8], 16;", "is not aligned to 16 bytes")]
    [TestCase("cp.async.cg.shared.global [%shared+8], [%in], 16;", "is not aligned to 16 bytes")]
    [TestCase("cp.async.ca.shared.global [%s], [%in+4096], 4;", "lies outside all memory of the launch")]
    [TestCase("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r0}, [%shared+4];", "is not aligned to 16 bytes")]
    public void AccessesOutsideTheirBoundsAreFaults(string body, string expected) => AssertFault(body, expected);

    [TestCase("@%p0 ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r0}, [%shared];")]
    [TestCase("@%p0 mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%f0,%f1,%f2,%f3}, {%r0,%r1}, {%r2}, "
        + "{%f0,%f1,%f2,%f3};")]
    public void InstructionsOfAWholeWarpNeedAllItsLanes(string instruction)
    {
        AssertFault($"setp.lt.u32 %p0, %tid, 16;\n{instruction}\n", "without all lanes of the warp");
    }

    [Test]
    public void ReadingWhatAnotherWarpWroteNeedsABarrier()
    {
        AssertFault($"st.shared.b32 [%s], %tid;\n{Neighbour}\n@!%p0 ld.shared.b32 %r1, [%r0];", "race", "reads");
        AssertFine($"st.shared.b32 [%s], %tid;\nbar.sync 0;\n{Neighbour}\n@!%p0 ld.shared.b32 %r1, [%r0];");
    }

    [Test]
    public void OverwritingWhatAnotherWarpReadsNeedsABarrier()
    {
        string read = $"st.shared.b32 [%s], %tid;\nbar.sync 0;\n{Neighbour}\n@%p0 ld.shared.b32 %r1, [%r0];";
        AssertFault($"{read}\n@!%p0 st.shared.b32 [%s], %tid;", "race", "has read since the last barrier");
        AssertFine($"{read}\nbar.sync 0;\n@!%p0 st.shared.b32 [%s], %tid;");
    }

    [Test]
    public void TwoWarpsMayNotWriteTheSameWord()
    {
        AssertFault("st.shared.b32 [%shared], %tid;", "race", "overwrites");
        AssertFault($"st.shared.b32 [%s], %tid;\n{Neighbour}\nst.shared.b32 [%r0], %tid;", "race", "overwrites");
    }

    [Test]
    public void LanesOfAWarpNeedABarrierToo()
    {
        string write = $"st.shared.b32 [%s], %tid;\n{Partner}";
        AssertFault($"{write}\nld.shared.b32 %r1, [%r0];", "race");
        AssertFine($"{write}\nbar.warp.sync 0xffffffff;\nld.shared.b32 %r1, [%r0];");
        string read = $"{write}\nbar.warp.sync 0xffffffff;\nld.shared.b32 %r1, [%r0];";
        AssertFault($"{read}\nst.shared.b32 [%s], %r1;", "race", "another lane of its warp has read");
        AssertFine($"{read}\nbar.warp.sync 0xffffffff;\nst.shared.b32 [%s], %r1;");
    }

    [Test]
    public void TwoHalvesOfAWordMayBelongToTwoThreads()
    {
        // 64 threads write 2 bytes each.
        AssertFine("""
            shr.u32 %r1, %s, 1;
            shl.b32 %r0, %tid, 1;
            add.u32 %r0, %r0, %shared;
            st.shared.b16 [%r0], %tid;
            """);
    }

    [TestCase("", "before cp.async.wait_group has brought it")]
    [TestCase("cp.async.commit_group;", "before cp.async.wait_group has brought it")]
    [TestCase("cp.async.wait_group 0;", "before cp.async.wait_group has brought it", Description = "not committed")]
    [TestCase("cp.async.commit_group;\ncp.async.wait_group 1;", "before cp.async.wait_group has brought it")]
    [TestCase("cp.async.commit_group;\ncp.async.commit_group;\ncp.async.wait_group 1;", null)]
    [TestCase("cp.async.commit_group;\ncp.async.wait_group 0;", null)]
    [TestCase("cp.async.wait_all;", null)]
    public void AnAsynchronousCopyIsReadAfterItsWait(string wait, string? fault)
    {
        string body = $"{AsyncCopy}\n{wait}\nld.shared.b32 %r1, [%s];\nst.global.b32 [%o], %r1;";
        if (fault is not null) AssertFault(body, fault);
        else Assert.That(Run(body)[..64], Is.EqualTo(Enumerable.Range(0, 64)));
    }

    [Test]
    public void WhatAnotherThreadCopiedNeedsABarrierAfterTheWait()
    {
        string copied = $"{AsyncCopy}\ncp.async.wait_all;";
        AssertFault($"{copied}\n{Neighbour}\n@!%p0 ld.shared.b32 %r1, [%r0];", "race");
        AssertFault($"{AsyncCopy}\nbar.sync 0;\ncp.async.wait_all;\n{Neighbour}\n@!%p0 ld.shared.b32 %r1, [%r0];",
            "race");
        AssertFine($"{copied}\nbar.sync 0;\n{Neighbour}\n@!%p0 ld.shared.b32 %r1, [%r0];");
    }

    [Test]
    public void ACopyMayNotOverwriteWhatIsStillRead()
    {
        string read = $"st.shared.b32 [%s], %tid;\nbar.sync 0;\n{Neighbour}\n@%p0 ld.shared.b32 %r1, [%r0];";
        AssertFault($"{read}\n@!%p0 {AsyncCopy}", "race", "has read since the last barrier");
        AssertFine($"{read}\nbar.sync 0;\n@!%p0 {AsyncCopy}");
        AssertFault($"{AsyncCopy}\nst.shared.b32 [%s], %tid;", "while an asynchronous copy to it is under way");
    }

    [Test]
    public void AFaultNamesTheInstructionAndItsPlace() => Assert.That(
        () => Run("add.s32 %r0, %tid, 1;\nld.global.b32 %r0, [%in+4096];"),
        Throws.TypeOf<PtxException>()
            .With.Message.StartsWith("Snippet, line 20, 'ld.global.b32 %r0, [%in+4096]', group (0,0,0), warp 0: "));

    private static uint[] Run(string body) => new PtxSnippet(body) { Threads = 64 }.Run();

    private static void AssertFine(string body) => Assert.That(() => Run(body), Throws.Nothing);

    private static void AssertFault(string body, params string[] expected)
    {
        PtxException fault = Assert.Throws<PtxException>(() => Run(body))!;
        foreach (string part in expected) Assert.That(fault.Message, Does.Contain(part));
    }
}
