using NUnit.Framework;

namespace GlowGpu.Tests.Ptx;

/// <summary>Arithmetic and data movement against C# in scalars, on random words and on the extremes.</summary>
[TestFixture]
internal sealed class PtxInstructionTests
{
    private static readonly uint[] Extremes = [0, 1, 2, 31, 32, 33, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x3F800000,
        0xBF800000, 0x7F800000, 0x80000001];

    /// <summary>An instruction of up to three words, and what it means.</summary>
    public sealed record Meaning(string Text, Func<uint, uint, uint, uint> Function)
    {
        public override string ToString() => Text;
    }

    private static float F(uint bits) => BitConverter.UInt32BitsToSingle(bits);

    private static uint B(double value) => BitConverter.SingleToUInt32Bits((float)value);

    private static uint If(bool condition) => condition ? 1u : 0;

    // %r1, %r2, %r3 in, %r0 out; %d0 … %d2 and %f0 … are free.
    private static IEnumerable<Meaning> Words =>
    [
        new("add.s32 %r0, %r1, %r2;", static (a, b, _) => unchecked(a + b)),
        new("sub.u32 %r0, %r1, %r2;", static (a, b, _) => unchecked(a - b)),
        new("mul.lo.s32 %r0, %r1, %r2;", static (a, b, _) => unchecked(a * b)),
        new("mul.hi.u32 %r0, %r1, %r2;", static (a, b, _) => (uint)((ulong)a * b >> 32)),
        new("mul.hi.s32 %r0, %r1, %r2;", static (a, b, _) => (uint)((long)(int)a * (int)b >> 32)),
        new("mad.lo.s32 %r0, %r1, %r2, %r3;", static (a, b, c) => unchecked(a * b + c)),
        new("mul.wide.u32 %d0, %r1, %r2; mov.b64 {%r0, %r4}, %d0;", static (a, b, _) => (uint)((ulong)a * b)),
        new("mul.wide.u32 %d0, %r1, %r2; mov.b64 {%r4, %r0}, %d0;", static (a, b, _) => (uint)((ulong)a * b >> 32)),
        new("mul.wide.s32 %d0, %r1, %r2; mov.b64 {%r4, %r0}, %d0;",
            static (a, b, _) => (uint)((long)(int)a * (int)b >> 32)),
        new("min.s32 %r0, %r1, %r2;", static (a, b, _) => (uint)Math.Min((int)a, (int)b)),
        new("max.u32 %r0, %r1, %r2;", static (a, b, _) => Math.Max(a, b)),
        new("or.b32 %r2, %r2, 1; div.s32 %r0, %r1, %r2;",
            static (a, b, _) => unchecked((uint)((long)(int)a / (int)(b | 1)))),
        new("or.b32 %r2, %r2, 1; rem.s32 %r0, %r1, %r2;",
            static (a, b, _) => unchecked((uint)((long)(int)a % (int)(b | 1)))),
        new("or.b32 %r2, %r2, 1; div.u32 %r0, %r1, %r2;", static (a, b, _) => a / (b | 1)),
        new("or.b32 %r2, %r2, 1; rem.u32 %r0, %r1, %r2;", static (a, b, _) => a % (b | 1)),
        new("and.b32 %r0, %r1, %r2;", static (a, b, _) => a & b),
        new("xor.b32 %r0, %r1, %r2;", static (a, b, _) => a ^ b),
        new("not.b32 %r0, %r1;", static (a, _, _) => ~a),
        new("neg.s32 %r0, %r1;", static (a, _, _) => unchecked(0 - a)),
        new("shl.b32 %r0, %r1, %r2;", static (a, b, _) => b >= 32 ? 0 : a << (int)b),
        new("shr.u32 %r0, %r1, %r2;", static (a, b, _) => b >= 32 ? 0 : a >> (int)b),
        new("shr.s32 %r0, %r1, %r2;", static (a, b, _) => (uint)((int)a >> (b >= 32 ? 31 : (int)b))),
        new("popc.b32 %r0, %r1;", static (a, _, _) => (uint)Convert.ToString((int)a, 2).Count(static c => c == '1')),
        new("clz.b32 %r0, %r1;", static (a, _, _) => a == 0 ? 32 : 31 - (uint)Math.Floor(Math.Log2(a))),
        new("bfe.u32 %r0, %r1, 5, 9;", static (a, _, _) => a / 32 % 512),
        new("prmt.b32 %r0, %r1, %r2, 0x5410;", static (a, b, _) => (a & 0xFFFF) | b << 16),
        new("prmt.b32 %r0, %r1, %r2, 0x7632;", static (a, b, _) => a >> 16 | (b & 0xFFFF0000)),
        new("lop3.b32 %r0, %r1, %r2, %r3, 0x80;", static (a, b, c) => a & b & c),
        new("lop3.b32 %r0, %r1, %r2, %r3, 0xE8;", static (a, b, c) => (a & b) | (a & c) | (b & c)),
        new("setp.lt.s32 %p0, %r1, %r2; selp.b32 %r0, 1, 0, %p0;", static (a, b, _) => If((int)a < (int)b)),
        new("setp.ge.u32 %p0|%p1, %r1, %r2; selp.b32 %r0, 1, 0, %p1;", static (a, b, _) => If(a < b)),
        new("setp.eq.b32 %p0, %r1, %r2; not.pred %p1, %p0; selp.b32 %r0, %r1, %r2, %p1;",
            static (a, b, _) => a == b ? b : a),
        new("mov.b64 %d0, {%r1, %r2}; shr.u64 %d0, %d0, 16; mov.b64 {%r0, %r4}, %d0;",
            static (a, b, _) => a >> 16 | b << 16),
        new("cvt.s64.s32 %d0, %r1; mov.b64 {%r4, %r0}, %d0;", static (a, _, _) => (int)a < 0 ? 0xFFFFFFFF : 0),
        new("cvt.u64.u32 %d0, %r1; mov.b64 {%r4, %r0}, %d0;", static (_, _, _) => 0),
        new("cvt.s32.s8 %r0, %r1;", static (a, _, _) => (uint)(sbyte)a),
        new("cvt.u32.u16 %r0, %r1;", static (a, _, _) => a & 0xFFFF),
        new("add.f32 %r0, %r1, %r2;", static (a, b, _) => B((double)F(a) + F(b))),
        new("sub.rn.f32 %r0, %r1, %r2;", static (a, b, _) => B((double)F(a) - F(b))),
        new("mul.f32 %r0, %r1, %r2;", static (a, b, _) => B((double)F(a) * F(b))),
        new("fma.rn.f32 %r0, %r1, %r2, %r3;",
            static (a, b, c) => BitConverter.SingleToUInt32Bits(MathF.FusedMultiplyAdd(F(a), F(b), F(c)))),
        new("div.rn.f32 %r0, %r1, %r2;", static (a, b, _) => B((double)F(a) / F(b))),
        new("rcp.rn.f32 %r0, %r1;", static (a, _, _) => B(1.0 / F(a))),
        new("sqrt.rn.f32 %r0, %r1;", static (a, _, _) => B(Math.Sqrt(F(a)))),
        new("neg.f32 %r0, %r1;", static (a, _, _) => a ^ 0x80000000),
        new("abs.f32 %r0, %r1;", static (a, _, _) => a & 0x7FFFFFFF),
        new("min.f32 %r0, %r1, %r2;", static (a, b, _) => float.IsNaN(F(a)) ? b : float.IsNaN(F(b)) ? a : F(a) == 0
            && F(b) == 0 ? a | b : F(a) < F(b) ? a : b),
        new("max.f32 %r0, %r1, %r2;", static (a, b, _) => float.IsNaN(F(a)) ? b : float.IsNaN(F(b)) ? a : F(a) == 0
            && F(b) == 0 ? a & b : F(a) > F(b) ? a : b),
        new("setp.lt.f32 %p0, %r1, %r2; selp.b32 %r0, 1, 0, %p0;", static (a, b, _) => If(F(a) < F(b))),
        new("setp.leu.f32 %p0, %r1, %r2; selp.b32 %r0, 1, 0, %p0;", static (a, b, _) => If(!(F(a) > F(b)))),
        new("setp.geu.f32 %p0, %r1, %r2; selp.b32 %r0, 1, 0, %p0;", static (a, b, _) => If(!(F(a) < F(b)))),
        new("setp.ne.f32 %p0, %r1, %r2; selp.b32 %r0, 1, 0, %p0;", static (a, b, _) => If(F(a) < F(b) || F(a) > F(b))),
        new("setp.neu.f32 %p0, %r1, %r2; selp.b32 %r0, 1, 0, %p0;", static (a, b, _) => If(F(a) != F(b))),
        new("setp.nan.f32 %p0, %r1, %r2; selp.b32 %r0, 1, 0, %p0;",
            static (a, b, _) => If(float.IsNaN(F(a)) || float.IsNaN(F(b)))),
        new("cvt.rn.f32.s32 %r0, %r1;", static (a, _, _) => B((int)a)),
        new("cvt.rn.f32.u32 %r0, %r1;", static (a, _, _) => B(a)),
        new("cvt.rzi.s32.f32 %r0, %r1;", static (a, _, _) => float.IsNaN(F(a)) ? 0
            : (uint)(int)Math.Clamp(Math.Truncate((double)F(a)), int.MinValue, int.MaxValue)),
        new("cvt.rna.tf32.f32 %r0, %r1;", static (a, _, _) => float.IsFinite(F(a))
            ? (a & 0x80000000) | (((a & 0x7FFFFFFF) + 0x1000) & ~0x1FFFu) : float.IsNaN(F(a)) ? 0x7FFFFFFF : a),
        new("cvt.rn.bf16x2.f32 %r0, %r1, %r2;", static (a, b, _) => NearestBf16(a) << 16 | NearestBf16(b)),
    ];

    // The nearer of the two neighbours with 8 significant bits, by their distance; the even one of a tie.
    private static uint NearestBf16(uint bits)
    {
        float value = F(bits);
        if (float.IsNaN(value)) return 0x7FFF;
        if (float.IsInfinity(value)) return bits >> 16;
        uint down = bits >> 16, up = down + 1;
        double below = F(down << 16), above = (up & 0x7FFF) == 0x7F80 ? Math.Pow(2, 128) * Math.Sign(value)
            : F(up << 16);
        double fromBelow = Math.Abs(value - below), fromAbove = Math.Abs(above - value);
        return fromBelow < fromAbove || (fromBelow == fromAbove && down % 2 == 0) ? down : up;
    }

    [TestCaseSource(nameof(Words))]
    public void MeansWhatTheManualSays(Meaning meaning)
    {
        Random random = new(42);
        List<(uint A, uint B, uint C)> draws = [.. from a in Extremes from b in Extremes select (a, b,
            (uint)random.NextInt64(1L << 32))];
        while (draws.Count < 512)
        {
            bool smooth = draws.Count % 2 == 0;
            draws.Add((Draw(random, smooth), Draw(random, smooth), Draw(random, smooth)));
        }
        PtxSnippet snippet = new($"""
            mad.wide.u32 %d4, %tid, 12, %in;
            ld.global.b32 %r1, [%d4];
            ld.global.b32 %r2, [%d4+4];
            ld.global.b32 %r3, [%d4+8];
            {meaning.Text}
            st.global.b32 [%o], %r0;
            """) { Threads = 512 };
        uint[] got = snippet.Run([.. draws.SelectMany(static d => new[] { d.A, d.B, d.C })], 512);
        bool isFloat = meaning.Text.Contains(".f32 %r0", StringComparison.Ordinal) && !meaning.Text.Contains("cvt.r",
            StringComparison.Ordinal);
        for (int i = 0; i < draws.Count; i++)
        {
            uint expected = meaning.Function(draws[i].A, draws[i].B, draws[i].C);
            // Which NaN it is does not matter.
            if (isFloat && float.IsNaN(F(expected)) && float.IsNaN(F(got[i]))) continue;
            Assert.That(got[i], Is.EqualTo(expected), $"of 0x{draws[i].A:x8}, 0x{draws[i].B:x8}, 0x{draws[i].C:x8}");
        }
    }

    private static uint Draw(Random random, bool smooth) =>
        smooth ? B(Math.Exp(8 * random.NextDouble() - 4) * (random.Next(2) * 2 - 1)) : (uint)random.NextInt64(1L << 32);

    [TestCase("ex2.approx.f32", 2.0)]
    [TestCase("lg2.approx.f32", 8.0)]
    [TestCase("rsqrt.approx.f32", 4.0)]
    [TestCase("tanh.approx.f32", 0.5)]
    public void ApproximationsAreCloseToTheFunction(string opcode, double x)
    {
        double expected = opcode[..3] switch
        {
            "ex2" => Math.Pow(2, x),
            "lg2" => Math.Log2(x),
            "rsq" => 1 / Math.Sqrt(x),
            _ => Math.Tanh(x)
        };
        uint[] got = new PtxSnippet($"mov.b32 %f0, 0f{B(x):X8};\n{opcode} %f1, %f0;\nst.global.f32 [%o], %f1;").Run();
        Assert.That(F(got[31]), Is.EqualTo(expected).Within(1e-6));
    }

    [TestCase("up.b32 %r0, %tid, 3, 0", 5, 2)]
    [TestCase("up.b32 %r0, %tid, 3, 0", 2, 2)]
    [TestCase("down.b32 %r0, %tid, 3, 31", 5, 8)]
    [TestCase("down.b32 %r0, %tid, 3, 31", 30, 30)]
    [TestCase("bfly.b32 %r0, %tid, 6, 31", 9, 15)]
    [TestCase("idx.b32 %r0, %tid, 4, 31", 20, 4)]
    [TestCase("idx.b32 %r0, %tid, 4, 0x181f", 20, 20, Description = "segments of eight lanes")]
    [TestCase("down.b32 %r0, %tid, 3, 0x181f", 13, 13, Description = "segments of eight lanes")]
    public void ShufflesMoveWordsBetweenLanes(string shuffle, int lane, int expected)
    {
        uint[] got = new PtxSnippet($"shfl.sync.{shuffle}, 0xffffffff;\nst.global.b32 [%o], %r0;").Run();
        Assert.That(got[lane], Is.EqualTo((uint)expected));
    }

    [Test]
    public void VectorsAreLoadedAndStoredInOrder()
    {
        uint[] got = new PtxSnippet("""
            mad.wide.u32 %d0, %tid, 16, %in;
            mad.wide.u32 %d1, %tid, 16, %out;
            ld.global.v4.b32 {%r0, %r1, %r2, %r3}, [%d0];
            mov.b64 %d2, {%r2, %r3};
            mov.b64 %d3, {%r0, %r1};
            st.global.v2.b64 [%d1], {%d2, %d3};
            """).Run();
        Assert.That(got[..128], Is.EqualTo(Enumerable.Range(0, 128).Select(static i => (uint)(i ^ 2))));
    }

    [Test]
    public void GenericAddressesReachSharedMemory()
    {
        uint[] got = new PtxSnippet("""
            cvt.u64.u32 %d0, %s;
            cvta.shared.u64 %d1, %d0;
            st.b32 [%d1], %tid;
            cvta.to.shared.u64 %d2, %d1;
            ld.shared.b32 %r0, [%d2];
            ld.b32 %r1, [%d1];
            add.u32 %r0, %r0, %r1;
            st.b32 [%o], %r0;
            """).Run();
        Assert.That(got[..32], Is.EqualTo(Enumerable.Range(0, 32).Select(static i => (uint)(2 * i))));
    }

    [Test]
    public void NarrowValuesAreWidenedBySign()
    {
        uint[] got = new PtxSnippet("""
            mov.b32 %r0, 0xFFFE;
            st.shared.b16 [%s], %r0;
            ld.shared.s16 %r1, [%s];
            ld.shared.u16 %r2, [%s];
            add.u32 %r1, %r1, %r2;
            st.global.b32 [%o], %r1;
            """).Run();
        Assert.That(got[0], Is.EqualTo(0xFFFCu));
    }
}
