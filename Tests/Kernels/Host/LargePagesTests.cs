using GlowGpu.Kernels.Host;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Host;

/// <summary>Buffers that share blocks of large pages know nothing of each other.</summary>
[TestFixture]
public sealed unsafe class LargePagesTests
{
    private static readonly int[] Lengths = [1 << 14, (1 << 14) + 3, 100_001, 1 << 17, (1 << 19) - 16, 250_000];

    [Test]
    public void Buffers_are_zero_aligned_and_apart()
    {
        List<HostBuffer> buffers = [];
        try
        {
            for (int i = 0; i < 60; i++) buffers.Add(Filled(Lengths[i % Lengths.Length], i + 1));
            for (int i = 0; i < 60; i += 2)
            {
                buffers[i].Dispose();
                buffers[i] = Filled(Lengths[(i / 2) % Lengths.Length], i + 1);
            }
            for (int i = 0; i < buffers.Count; i++)
            {
                ReadOnlySpan<float> values = new(buffers[i].Pointer, (int)buffers[i].Length);
                Assert.That(values.IndexOfAnyExcept(i + 1f), Is.EqualTo(-1), $"buffer {i}");
                Assert.That((long)buffers[i].Pointer % 64, Is.Zero, $"buffer {i}");
            }
        }
        finally
        {
            foreach (HostBuffer buffer in buffers) buffer.Dispose();
        }
    }

    [Test]
    public void A_block_goes_with_its_last_buffer()
    {
        if (!OperatingSystem.IsLinux()) Assert.Ignore("large pages are asked for on Linux only");
        int before = LargePages.Count;
        HostBuffer[] buffers = [.. Enumerable.Range(0, 20).Select(static _ => new HostBuffer(1 << 18))];
        Assert.That(LargePages.Count, Is.InRange(before + 2, before + 3),
            "20 MiB lie in blocks of 8, of which one may have been open");
        foreach (HostBuffer buffer in buffers)
        {
            buffer.Dispose();
            buffer.Dispose();
        }
        Assert.That(LargePages.Count, Is.EqualTo(before));
    }

    [Test]
    public void More_than_a_block_holds_is_refused() =>
        Assert.That(() => LargePages.Take(9 << 20), Throws.InstanceOf<ArgumentOutOfRangeException>());

    private static HostBuffer Filled(int length, float value)
    {
        HostBuffer buffer = new(length);
        Span<float> values = new(buffer.Pointer, length);
        Assert.That(values.IndexOfAnyExcept(0f), Is.EqualTo(-1), "fresh memory is zero");
        values.Fill(value);
        return buffer;
    }
}
