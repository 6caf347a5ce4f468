using NUnit.Framework;

namespace GlowGpu.Tests.Ptx;

/// <summary>Divergence, reconvergence, barriers and scopes.</summary>
[TestFixture]
internal sealed class PtxControlTests
{
    [Test]
    public void LanesLoopAsOftenAsEachMust()
    {
        PtxSnippet snippet = new("""
                mov.b32 %r0, 0;
                mov.b32 %r1, 0;
            loop:
                setp.ge.s32 %p0, %r0, %tid;
                @%p0 bra done;
                add.s32 %r0, %r0, 1;
                add.s32 %r1, %r1, %r0;
                bra.uni loop;
            done:
                st.global.b32 [%o], %r1;
            """);
        Assert.That(snippet.Run()[..32],
            Is.EqualTo(Enumerable.Range(0, 32).Select(static n => (uint)(n * (n + 1) / 2))));
        Assert.That(snippet.Report!.Of("st.global.b32").Warps, Is.EqualTo(1), "the lanes meet again after the loop");
    }

    [Test]
    public void LanesMeetAfterALoopWhoseBodyStandsBehindItsExit()
    {
        // As ILGPU lays loops out: what follows the loop has smaller addresses than its body.
        PtxSnippet snippet = new("""
                mov.b32 %r0, 0;
                bra head;
            after:
                st.global.b32 [%o], %r0;
                ret;
            head:
                setp.lt.s32 %p0, %r0, %tid;
                @%p0 bra body;
                bra.uni after;
            body:
                and.b32 %r1, %r0, 1;
                setp.eq.s32 %p1, %r1, 0;
                @%p1 bra even;
                add.s32 %r0, %r0, 1;
                bra.uni head;
            even:
                add.s32 %r0, %r0, 1;
                bra.uni head;
            """);
        Assert.That(snippet.Run()[..32], Is.EqualTo(Enumerable.Range(0, 32).Select(static n => (uint)n)));
        Assert.Multiple(() =>
        {
            Assert.That(snippet.Report!.Of("st.global.b32").Warps, Is.EqualTo(1));
            Assert.That(snippet.Report!.Of("and.b32").Warps, Is.EqualTo(31));
        });
    }

    [Test]
    public void BothArmsOfABranchRun()
    {
        uint[] got = new PtxSnippet("""
                setp.lt.u32 %p0, %tid, 10;
                @!%p0 bra other;
                mov.b32 %r0, 7;
                bra.uni join;
            other:
                mov.b32 %r0, 9;
            join:
                @%p0 add.s32 %r0, %r0, 100;
                st.global.b32 [%o], %r0;
            """).Run();
        Assert.That(got[..32], Is.EqualTo(Enumerable.Range(0, 32).Select(static n => n < 10 ? 107u : 9u)));
    }

    [Test]
    public void ABarrierLetsAllWarpsSeeWhatAllWrote()
    {
        uint[] got = new PtxSnippet("""
            st.shared.b32 [%s], %tid;
            bar.sync 0;
            xor.b32 %r0, %tid, 97;
            shl.b32 %r0, %r0, 2;
            add.u32 %r0, %r0, %shared;
            ld.shared.b32 %r1, [%r0];
            st.global.b32 [%o], %r1;
            """) { Threads = 128 }.Run();
        Assert.That(got[..128], Is.EqualTo(Enumerable.Range(0, 128).Select(static n => (uint)(n ^ 97))));
    }

    [Test]
    public void LanesWaitAtABarrierForThoseThatComeLater()
    {
        uint[] got = new PtxSnippet("""
                st.shared.b32 [%s], %tid;
                setp.lt.u32 %p0, %tid, 5;
                @%p0 bra late;
            wait:
                bar.sync 0;
                ld.shared.b32 %r1, [%shared];
                st.global.b32 [%o], %r1;
                ret;
            late:
                mov.b32 %r2, 55;
                st.shared.b32 [%s], %r2;
                bra.uni wait;
            """) { Threads = 64 }.Run();
        Assert.That(got[..64], Is.All.EqualTo(55u));
    }

    [Test]
    public void ABarrierDoesNotWaitForThreadsThatHaveEnded()
    {
        uint[] got = new PtxSnippet("""
            setp.ge.u32 %p0, %tid, 40;
            @%p0 ret;
            st.shared.b32 [%s], %tid;
            bar.sync 0;
            ld.shared.b32 %r1, [%shared+156];
            st.global.b32 [%o], %r1;
            """) { Threads = 96 }.Run();
        Assert.Multiple(() =>
        {
            Assert.That(got[..40], Is.All.EqualTo(39u));
            Assert.That(got[40..], Is.All.EqualTo(uint.MaxValue));
        });
    }

    [TestCase("bar.sync 0;", "bar.sync 1;", Description = "two barriers")]
    [TestCase("bar.sync 0;", "bar.sync 0;", Description = "the same barrier at two places")]
    public void LanesOfAWarpThatWaitAtDifferentPlacesAreAFault(string first, string second)
    {
        PtxSnippet snippet = new($"""
                setp.lt.u32 %p0, %tid, 5;
                @%p0 bra other;
                {first}
                ret;
            other:
                {second}
            """);
        Assert.That(() => snippet.Run(),
            Throws.TypeOf<PtxException>().With.Message.Contains("lanes of a warp wait at different instructions"));
    }

    [Test]
    public void WarpsThatWaitAtDifferentBarriersAreAFault()
    {
        PtxSnippet snippet = new("""
                setp.lt.u32 %p0, %tid, 32;
                @%p0 bra other;
                bar.sync 0;
                ret;
            other:
                bar.sync 1;
            """) { Threads = 64 };
        Assert.That(() => snippet.Run(),
            Throws.TypeOf<PtxException>().With.Message.Contains("warp 0 waits at barrier 1"));
    }

    [Test]
    public void BracesOpenAScopeForRegistersAndLabels()
    {
        const string Block = """
            {
                .reg .b32 acc<4>, n;
                mov.b32 acc3, 0;
                mov.b32 n, 3;
            again:
                add.s32 acc3, acc3, n;
                sub.s32 n, n, 1;
                .reg .pred go;
                setp.gt.s32 go, n, 0;
                @go bra again;
                add.s32 %r0, %r0, acc3;
            }
            """;
        uint[] got = new PtxSnippet($"mov.b32 %r0, 0;\n{Block}\n{Block}\nst.global.b32 [%o], %r0;").Run();
        Assert.That(got[..32], Is.All.EqualTo(12u));
        Assert.That(() => new PtxSnippet($"{Block}\nmov.b32 %r0, acc3;"),
            Throws.TypeOf<PtxException>().With.Message.Contains("acc3"));
    }

    [TestCase("atom.global.add.f32 %f0, [%o], %f1;", "does not know atom.global.add.f32")]
    [TestCase("add.sat.f32 %f0, %f1, %f1;", "does not know add.sat.f32")]
    [TestCase("wgmma.fence.sync.aligned;", "does not know wgmma.fence.sync.aligned")]
    [TestCase("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f0,%f1,%f2,%f3}, {%r0,%r1,%r2,%r3}, {%r4,%r5}, "
        + "{%f0,%f1,%f2,%f3};", "does not know mma")]
    [TestCase("add.u64 %d0, %d1, %r0;", "'%r0' has 4 bytes where 8 are expected")]
    [TestCase("bra nowhere;", "label nowhere")]
    [TestCase("ld.param.b64 %d0, [from+4];", "lies outside the 8 bytes")]
    [TestCase("bar.sync 0, 32;", "barriers of a part of the group")]
    public void WhatTheMachineDoesNotKnowIsNamed(string instruction, string expected) =>
        Assert.That(() => new PtxSnippet(instruction) { Threads = 64 }.Run(),
            Throws.TypeOf<PtxException>().With.Message.Contains(expected));
}
