using GlowGpu.Bench.Ptx;
using GlowGpu.Kernels.Gpu;
using NUnit.Framework;

namespace GlowGpu.Tests.Bench;

/// <summary>What the PTX check reads from NVIDIA's tools, and what it makes of it.</summary>
[TestFixture]
[Category("Ptx")]
internal sealed class PtxReportTests
{
    private const string Report = """
        ptxas info    : 0 bytes gmem
        ptxas info    : Compiling entry function 'k' for 'sm_80'
        ptxas info    : Function properties for k
            16 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads
        ptxas info    : Used 40 registers, 1 barriers, 1024 bytes smem, 504 bytes cmem[0]
        """;

    private const string Listing = """
                /*0000*/                   LD.E.128 R4, [R2.64] ;                 /* 0x0000000402047981 */
                                                                                  /* 0x002ea4000c1e1d00 */
                /*0010*/              @!P0 LDG.E.128.CONSTANT R4, [R2.64] ;       /* 0x0000000402047981 */
                /*0020*/              @UP1 ULDC.64 UR4, c[0x0][0x208] ;           /* 0x0000820000047ab9 */
                /*0030*/                   HMMA.16816.F32.BF16 R4, R2, R6, R4 ;   /* 0x0000000405047221 */
                /*0040*/                   ST.E.64 [R2.64+0x10], R4 ;             /* 0x0000100402007986 */
        """;

    [Test]
    public void ReadsTheToolsOutput()
    {
        AssembledKernel code = AssembledKernel.Parse(Report, Listing);
        Assert.Multiple(() =>
        {
            Assert.That(code.Registers, Is.EqualTo(40));
            Assert.That(code.SharedBytes, Is.EqualTo(1024));
            Assert.That(code.StackBytes, Is.EqualTo(16));
            Assert.That(code.SpillBytes, Is.EqualTo(12));
            Assert.That(code.Instructions,
                Is.EqualTo(new[] { "LD.E.128", "LDG.E.128.CONSTANT", "ULDC.64", "HMMA.16816.F32.BF16", "ST.E.64" }));
        });
    }

    [TestCase("LD.E.128", 2)]
    [TestCase("LDG.E.128", 1)]
    [TestCase("LDG.E.CONSTANT", 1)]
    [TestCase("HMMA", 1)]
    [TestCase("HMMA.F32.BF16", 1)]
    [TestCase("HMMA.BF16.F32", 0)]
    [TestCase("LDSM", 0)]
    [TestCase("ST.E.128", 0)]
    [TestCase("E.128", 0)]
    public void PromisesAreKeptByWhatAnswersThem(string promise, int count)
    {
        AssembledKernel code = AssembledKernel.Parse(Report, Listing);
        Assert.Multiple(() =>
        {
            Assert.That(code.CountOf(promise), Is.EqualTo(count));
            Assert.That(code.Keeps(promise), Is.EqualTo(count > 0));
        });
    }

    [Test]
    public void OutputOfAnotherFormIsRefused()
    {
        Assert.Multiple(() =>
        {
            Assert.That(() => AssembledKernel.Parse("", Listing), Throws.InvalidOperationException);
            Assert.That(() => AssembledKernel.Parse(Report + "\n" + Report, Listing), Throws.InvalidOperationException);
            Assert.That(() => AssembledKernel.Parse(Report, ""), Throws.InvalidOperationException);
        });
    }

    // By hand from the documented limits: 256 threads are 8 warps, of which registers, shared memory and groups admit:
    [TestCase(80, 256, 32, 0, 8, 64, "warps")]
    [TestCase(80, 256, 33, 0, 6, 48, "registers")] // 40·32 = 1280 registers a warp: 51 warps, in fours 48
    [TestCase(80, 256, 128, 0, 2, 16, "registers")]
    [TestCase(80, 256, 255, 0, 1, 8, "registers")]
    [TestCase(80, 256, 32, 48 * 1024, 3, 24, "shared")] // 49 KiB each of 164
    [TestCase(90, 256, 32, 48 * 1024, 4, 32, "shared")] // of 228
    [TestCase(90, 128, 32, 227 * 1024, 1, 4, "shared")]
    [TestCase(90, 4, 32, 0, 32, 32, "groups")]
    public void OccupancyFollowsTheDocumentedLimits(
        int capability, int threads, int registers, int shared, int groups, int warps, string limit) =>
        Assert.That(Occupancy.Of(capability, threads, registers, shared),
            Is.EqualTo(new Occupancy(groups, warps, limit)));

    [Test]
    public void WhatFitsNoMultiprocessorIsRefused()
    {
        Assert.Multiple(() =>
        {
            Assert.That(() => Occupancy.Of(80, 256, 32, 164 * 1024), Throws.ArgumentException);
            Assert.That(() => Occupancy.Of(70, 256, 32, 0), Throws.ArgumentException);
        });
    }

    [Test]
    public void PromisesForATypeHoldForKernelsMadeWithIt()
    {
        KernelDeclaration wide = new(((Action<int>)Kernel<long>).Method, 256, 0),
            narrow = new(((Action<int>)Kernel<short>).Method, 256, 0);
        Assert.Multiple(() =>
        {
            Assert.That(wide.Promises, Is.EqualTo(new[] { "LD", "LD.E.128" }));
            Assert.That(narrow.Promises, Is.EqualTo(new[] { "LD" }));
            Assert.That(wide.Name, Is.EqualTo("PtxReportTests.Kernel<Int64>"));
        });
    }

    [Test]
    public void FindsTheNamesInItsTable() =>
        Assert.That(
            PtxReport.Names("# Head\ntext `a`\n| kernel | n |\n| --- | ---: |\n| `A.B<C, D>` | 1 |\n| `E.F` | 2 |\n"),
            Is.EqualTo(new[] { "A.B<C, D>", "E.F" }));

    [Promises("LD")]
    [Promises("LD.E.128", For = typeof(long))]
    private static void Kernel<T>(int argument)
    {
    }
}
