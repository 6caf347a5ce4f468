using GlowGpu.Kernels;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels;

[TestFixture]
public sealed class PhiloxTests
{
    // Known answers of Random123 (Salmon et al. 2011): counter, key, result.
    private static readonly (uint[] Counter, uint[] Key, uint[] Result)[] KnownAnswers =
    [
        ([0, 0, 0, 0], [0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]),
        ([0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff],
            [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]),
        ([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0],
            [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]),
    ];

    /// <summary>A block by the tests' own generator.</summary>
    public static uint[] Block(ulong key, ulong counter) =>
        Generate([(uint)counter, (uint)(counter >> 32), 0, 0], [(uint)key, (uint)(key >> 32)]);

    [Test]
    public void OwnGeneratorGivesTheKnownAnswers()
    {
        foreach ((uint[] counter, uint[] key, uint[] result) in KnownAnswers)
            Assert.That(Generate(counter, key), Is.EqualTo(result));
    }

    [Test]
    public void BlocksAreThoseOfTheKnownGenerator()
    {
        Random random = new(9);
        ulong[] samples = [0, 1, uint.MaxValue, 1UL << 32, ulong.MaxValue,
            .. Enumerable.Range(0, 50).Select(_ => (ulong)random.NextInt64())];
        foreach (ulong key in samples)
            foreach (ulong counter in samples)
            {
                (uint a, uint b, uint c, uint d) = Philox.Block(key, counter);
                Assert.That(new[] { a, b, c, d }, Is.EqualTo(Block(key, counter)), $"key {key:X}, counter {counter:X}");
            }
    }

    // The counter's low word overflows within the second run, and the counter itself within the last.
    [TestCase(0UL, 0UL, 1)]
    [TestCase(0x299f31d0a4093822UL, 0xfffffffdUL, 11)]
    [TestCase(ulong.MaxValue, ulong.MaxValue - 5, 64)]
    public void ManyBlocksAreThoseOneByOne(ulong key, ulong counter, int count)
    {
        ulong[] first = new ulong[count], second = new ulong[count];
        Philox.Blocks(key, counter, first, second);
        for (int i = 0; i < count; i++)
        {
            uint[] block = Block(key, unchecked(counter + (ulong)i));
            Assert.That(new[] { (uint)first[i], (uint)(first[i] >> 32), (uint)second[i], (uint)(second[i] >> 32) },
                Is.EqualTo(block), $"block {i}");
        }
    }

    [Test]
    public void UnitIntervalIsHalfOpen()
    {
        Assert.That(Philox.ToUnit(0), Is.Zero);
        Assert.That(Philox.ToUnit(uint.MaxValue), Is.EqualTo(1 - Math.Pow(2, -24)));
    }

    private static uint[] Generate(uint[] counter, uint[] key)
    {
        (uint[] c, uint[] k) = ([.. counter], [.. key]);
        for (int round = 0; round < 10; round++)
        {
            if (round > 0) (k[0], k[1]) = (k[0] + 0x9E3779B9, k[1] + 0xBB67AE85);
            ulong first = 0xD2511F53UL * c[0], second = 0xCD9E8D57UL * c[2];
            c = [(uint)(second >> 32) ^ c[1] ^ k[0], (uint)second, (uint)(first >> 32) ^ c[3] ^ k[1], (uint)first];
        }
        return c;
    }
}
