using NUnit.Framework;

namespace GlowGpu.Tests.Ptx;

/// <summary>
/// The instructions of tensor-core tiles against their definitions in the PTX manual (fragments of mma.m16n8k16 and
/// mma.m16n8k8, ldmatrix, cp.async), element by element.
/// </summary>
[TestFixture]
internal sealed class PtxTensorTests
{
    private const int M = 16, N = 8;

    private static readonly Random Random = new(8086);

    /// <summary>Where element i of a thread's fragment of A, B or C lies, as the manual writes it.</summary>
    private sealed record Fragments(string Shape, int K, int PerRegister, int OfA, int OfB,
        Func<int, int, (int Row, int Col)> A, Func<int, int, (int Row, int Col)> B);

    private static (int Row, int Col) OfC(int lane, int i) => (i < 2 ? lane >> 2 : (lane >> 2) + 8,
        lane % 4 * 2 + (i & 1));

    private static IEnumerable<Fragments> Shapes =>
    [
        new("m16n8k16.row.col.f32.bf16.bf16.f32", 16, 2, 8, 4,
            static (lane, i) => (i is >= 0 and < 2 or >= 4 and < 6 ? lane >> 2 : (lane >> 2) + 8,
                lane % 4 * 2 + (i & 1) + (i < 4 ? 0 : 8)),
            static (lane, i) => (lane % 4 * 2 + (i & 1) + (i < 2 ? 0 : 8), lane >> 2)),
        new("m16n8k8.row.col.f32.bf16.bf16.f32", 8, 2, 4, 2,
            static (lane, i) => (i < 2 ? lane >> 2 : (lane >> 2) + 8, lane % 4 * 2 + (i & 1)),
            static (lane, i) => (lane % 4 * 2 + (i & 1), lane >> 2)),
        new("m16n8k8.row.col.f32.tf32.tf32.f32", 8, 1, 4, 2,
            static (lane, i) => (i is 0 or 2 ? lane >> 2 : (lane >> 2) + 8, i is 0 or 1 ? lane % 4 : lane % 4 + 4),
            static (lane, i) => (i == 0 ? lane % 4 : lane % 4 + 4, lane >> 2)),
        new("m16n8k4.row.col.f32.tf32.tf32.f32", 4, 1, 2, 1,
            static (lane, i) => (i == 0 ? lane >> 2 : (lane >> 2) + 8, lane % 4),
            static (lane, _) => (lane % 4, lane >> 2)),
    ];

    [Test]
    public void MultipliesFragments([ValueSource(nameof(Shapes))] object shape)
    {
        Fragments fragments = (Fragments)shape;
        int k = fragments.K, registersOfA = fragments.OfA / fragments.PerRegister,
            registersOfB = fragments.OfB / fragments.PerRegister;
        float[] a = Draw(M * k), b = Draw(k * N), c = Draw(M * N);
        int perLane = registersOfA + registersOfB + 4;
        uint[] input = new uint[32 * perLane];
        for (int lane = 0; lane < 32; lane++)
        {
            Span<uint> to = input.AsSpan(lane * perLane, perLane);
            for (int i = 0; i < fragments.OfA; i++) Pack(to, i, fragments, a[At(fragments.A(lane, i), k)]);
            for (int i = 0; i < fragments.OfB; i++) Pack(to[registersOfA..], i, fragments,
                b[At(fragments.B(lane, i), N)]);
            for (int i = 0; i < 4; i++) to[registersOfA + registersOfB + i] = BitConverter.SingleToUInt32Bits(
                c[At(OfC(lane, i), N)]);
        }
        string[] registers = [.. Enumerable.Range(0, perLane).Select(static i => $"%r{i}")];
        string loads = string.Join('\n', registers.Select(static (r, i) => $"ld.global.b32 {r}, [%d0+{4 * i}];"));
        string accumulators = string.Join(',', registers[^4..]);
        PtxSnippet snippet = new($$"""
            mad.wide.u32 %d0, %tid, {{4 * perLane}}, %in;
            mad.wide.u32 %d1, %tid, 16, %out;
            {{loads}}
            mma.sync.aligned.{{fragments.Shape}} {{{accumulators}}}, {{{string.Join(',', registers[..registersOfA])}}}, {{{string.Join(',', registers[registersOfA..^4])}}}, {{{accumulators}}};
            st.global.v4.b32 [%d1], {{{accumulators}}};
            """);
        uint[] got = snippet.Run(input, 128);
        for (int lane = 0; lane < 32; lane++)
        {
            for (int i = 0; i < 4; i++)
            {
                (int row, int col) = OfC(lane, i);
                double expected = c[row * N + col];
                for (int q = 0; q < k; q++) expected += (double)Kept(a[row * k + q], fragments) * Kept(b[q * N + col],
                    fragments);
                Assert.That(BitConverter.UInt32BitsToSingle(got[4 * lane + i]),
                    Is.EqualTo(expected).Within((k + 1) * 1e-6), $"{row},{col}");
            }
        }
    }

    // What the hardware keeps of an operand: the upper half, or all but the lower 13 bits.
    private static float Kept(float value, Fragments fragments) => BitConverter.UInt32BitsToSingle(
        BitConverter.SingleToUInt32Bits(value) & (fragments.PerRegister == 2 ? 0xFFFF0000 : 0xFFFFE000));

    private static void Pack(Span<uint> registers, int i, Fragments fragments, float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        if (fragments.PerRegister == 1) registers[i] = bits;
        else registers[i / 2] |= (bits >> 16) << 16 * (i % 2);
    }

    private static int At((int Row, int Col) place, int columns) => place.Row * columns + place.Col;

    [TestCase(1, false)]
    [TestCase(2, false)]
    [TestCase(4, false)]
    [TestCase(1, true)]
    [TestCase(2, true)]
    [TestCase(4, true)]
    public void LoadsMatricesRowByRow(int matrices, bool transposed)
    {
        // Shared memory holds the numbers 0 … 1023 as 16-bit values; rows lie scattered, 16 bytes each.
        static int Row(int matrix, int row) => (matrix * 37 + row * 11 + 5) % 64;
        string targets = string.Join(',', Enumerable.Range(0, matrices).Select(static i => $"%r{i}"));
        string stores = string.Join('\n',
            Enumerable.Range(0, matrices).Select(static i => $"st.global.b32 [%d2+{128 * i}], %r{i};"));
        PtxSnippet snippet = new($$"""
                mov.b32 %r10, 0;
            fill:
                mad.lo.u32 %r11, %r10, 32, %tid;
                shl.b32 %r12, %r11, 1;
                add.u32 %r12, %r12, %shared;
                st.shared.b16 [%r12], %r11;
                add.u32 %r10, %r10, 1;
                setp.lt.u32 %p0, %r10, 32;
                @%p0 bra fill;
                bar.warp.sync 0xffffffff;
                ld.global.b32 %r13, [%i];
                mad.lo.u32 %r13, %r13, 16, %shared;
                ldmatrix.sync.aligned.m8n8.x{{matrices}}{{(transposed ? ".trans" : "")}}.shared.b16 {{{targets}}}, [%r13];
                mad.wide.u32 %d2, %tid, 4, %out;
                {{stores}}
            """);
        // Lanes beyond the rows of the matrices hold addresses that must not be looked at.
        uint[] rows = [.. Enumerable.Range(0, 32).Select(lane => lane < 8 * matrices ? (uint)Row(lane / 8, lane % 8)
            : 1u << 20)];
        uint[] got = snippet.Run(rows, 128);
        for (int matrix = 0; matrix < matrices; matrix++)
        {
            for (int lane = 0; lane < 32; lane++)
            {
                int g = lane / 4, t = lane % 4;
                int low = transposed ? 8 * Row(matrix, 2 * t) + g : 8 * Row(matrix, g) + 2 * t;
                int high = transposed ? 8 * Row(matrix, 2 * t + 1) + g : 8 * Row(matrix, g) + 2 * t + 1;
                Assert.That(got[32 * matrix + lane], Is.EqualTo((uint)(low | high << 16)),
                    $"matrix {matrix}, lane {lane}");
            }
        }
    }

    [TestCase("ca", 4)]
    [TestCase("ca", 8)]
    [TestCase("ca", 16)]
    [TestCase("cg", 16)]
    public void CopiesAsynchronously(string cache, int bytes)
    {
        int words = bytes / 4;
        PtxSnippet snippet = new($$"""
            mad.lo.u32 %r0, %tid, {{bytes}}, %shared;
            mad.wide.u32 %d0, %tid, {{bytes}}, %in;
            cp.async.{{cache}}.shared.global [%r0], [%d0], {{bytes}};
            cp.async.wait_all;
            bar.sync 0;
            {{ReadBack(words)}}
            """);
        Assert.That(snippet.Run([.. Enumerable.Range(0, 32 * words).Select(static i => 7u * (uint)i)], 32 * words),
            Is.EqualTo(Enumerable.Range(0, 32 * words).Select(static i => 7u * (uint)i)));
    }

    [Test]
    public void ACopyFillsWithZerosBeyondItsSource()
    {
        // Lane l takes (l mod 5)·4 bytes of 16; with none, its address may lie anywhere.
        PtxSnippet snippet = new($$"""
            rem.u32 %r1, %tid, 5;
            shl.b32 %r2, %r1, 2;
            mad.lo.u32 %r0, %tid, 16, %shared;
            mad.wide.u32 %d0, %tid, 16, %in;
            setp.eq.u32 %p0, %r1, 0;
            @%p0 add.u64 %d0, %d0, 1000000;
            cp.async.cg.shared.global [%r0], [%d0], 16, %r2;
            cp.async.commit_group;
            cp.async.wait_group 0;
            {{ReadBack(4)}}
            """);
        uint[] input = [.. Enumerable.Range(1, 128).Select(static i => (uint)i)];
        Assert.That(snippet.Run(input, 128), Is.EqualTo(input.Select(static (v, i) => i % 4 < i / 4 % 5 ? v : 0)));
    }

    // Each lane moves its own words from shared memory to the output.
    private static string ReadBack(int words) => $"mad.wide.u32 %d1, %tid, {4 * words}, %out;\n" + string.Join('\n',
        Enumerable.Range(0,
            words).Select(static i => $"ld.shared.b32 %r5, [%r0+{4 * i}];\nst.global.b32 [%d1+{4 * i}], %r5;"));

    [Test]
    public void TwoStagesOfAPipelineArriveInOrder()
    {
        uint[] got = new PtxSnippet("""
            cp.async.ca.shared.global [%s], [%i], 4;
            cp.async.commit_group;
            cp.async.ca.shared.global [%s+128], [%i+128], 4;
            cp.async.commit_group;
            cp.async.wait_group 1;
            ld.shared.b32 %r0, [%s];
            cp.async.wait_group 0;
            ld.shared.b32 %r1, [%s+128];
            add.u32 %r0, %r0, %r1;
            st.global.b32 [%o], %r0;
            """).Run();
        Assert.That(got[..32], Is.EqualTo(Enumerable.Range(0, 32).Select(static i => (uint)(2 * i + 32))));
    }

    [TestCase(1, 1)]
    [TestCase(2, 2)]
    [TestCase(4, 4)]
    [TestCase(33, 1)]
    [TestCase(32, 32)]
    [TestCase(0, 1)]
    public void BankConflictsAreCounted(int stride, int degree)
    {
        PtxSnippet snippet = new($$"""
            mad.lo.u32 %r0, %tid, {{4 * stride}}, %shared;
            and.b32 %r1, %tid, {{(stride == 0 ? 0 : 31)}};
            setp.eq.u32 %p0, %tid, %r1;
            @%p0 st.shared.b32 [%r0], %tid;
            bar.sync 0;
            ld.shared.b32 %r2, [%r0];
            """) { SharedBytes = 8192 };
        snippet.Run();
        Counts counts = snippet.Report!.Of("ld.shared.b32");
        Assert.That((counts.Wavefronts, counts.IdealWavefronts), Is.EqualTo(((long)degree, 1L)));
    }

    [TestCase(16, 4, Description = "dense rows")]
    [TestCase(80, 4, Description = "rows of 64 bytes, padded by 16")]
    [TestCase(64, 16, Description = "rows of 64 bytes: every other row in the same banks")]
    [TestCase(128, 32, Description = "rows of 128 bytes: all in the same banks")]
    public void ConflictsOfMatrixLoadsAreCounted(int pitch, int wavefronts)
    {
        PtxSnippet snippet = new($$"""
            mad.lo.u32 %r0, %tid, {{pitch}}, %shared;
            st.shared.v4.b32 [%r0], {%tid, %tid, %tid, %tid};
            bar.sync 0;
            ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r1, %r2, %r3, %r4}, [%r0];
            """);
        snippet.Run();
        Counts counts = snippet.Report!.Of("ldmatrix.sync.aligned.m8n8.x4.shared.b16");
        Assert.That((counts.Wavefronts, counts.IdealWavefronts), Is.EqualTo(((long)wavefronts, 4L)));
    }

    [TestCase(1, 4, 4)]
    [TestCase(2, 8, 4)]
    [TestCase(8, 32, 4)]
    [TestCase(0, 1, 1)]
    public void SectorsAreCounted(int stride, int sectors, int ideal)
    {
        PtxSnippet snippet = new($"mad.wide.u32 %d0, %tid, {4 * stride}, %in;\nld.global.b32 %r0, [%d0];");
        snippet.Run();
        Counts counts = snippet.Report!.Of("ld.global.b32");
        Assert.That((counts.Sectors, counts.IdealSectors), Is.EqualTo(((long)sectors, (long)ideal)));
    }

    private static float[] Draw(int count) =>
        [.. Enumerable.Range(0, count).Select(static _ => (float)(2 * Random.NextDouble() - 1))];
}
