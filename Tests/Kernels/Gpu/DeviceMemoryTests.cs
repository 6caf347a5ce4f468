using GlowGpu.Kernels;
using GlowGpu.Kernels.Gpu;
using ILGPU.Runtime;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Gpu;

/// <summary>Memory for temporaries and transfers.</summary>
[TestFixture]
internal sealed class DeviceMemoryTests
{
    private EmulatedGpu emulator = null!;

    [OneTimeSetUp]
    public void Open() => emulator = new EmulatedGpu();

    [OneTimeTearDown]
    public void Close() => emulator.Dispose();

    [Test]
    public void ScratchGrowsAndIsReused()
    {
        Scratch scratch = emulator.Gpu.Scratch;
        Matrix large = scratch.Take(ScratchSlot.PerImage, 8, 4);
        Matrix small = scratch.Take(ScratchSlot.PerImage, 2, 3);
        Matrix other = scratch.Take(ScratchSlot.Partials, 8, 4);
        Assert.Multiple(() =>
        {
            Assert.That(small.Data.LoadEffectiveAddressAsPtr(), Is.EqualTo(large.Data.LoadEffectiveAddressAsPtr()));
            Assert.That(small.Data.Length, Is.EqualTo(6));
            Assert.That(small.Stride, Is.EqualTo(3));
            Assert.That(other.Data.LoadEffectiveAddressAsPtr(), Is.Not.EqualTo(large.Data.LoadEffectiveAddressAsPtr()));
        });
        Assert.That(scratch.Take(ScratchSlot.PerImage, 100, 4).Data.Length, Is.EqualTo(400));
    }

    [Test]
    public void WritesDoNotWaitOnceThereIsRoomForThem()
    {
        const int Length = 50_000;
        View[] views = [.. Enumerable.Range(0, 4).Select(_ => emulator.Zeros(1, Length))];
        float[] Values(int view) => [.. Enumerable.Range(0, Length).Select(i => (float)(i * 4 + view))];
        float[] values = new float[Length];
        for (int round = 0; round < 2; round++)
        {
            emulator.Gpu.Synchronize();
            long waits = emulator.Gpu.Waits;
            for (int v = 0; v < views.Length; v++)
            {
                // The source may change as soon as the call returns.
                Values(v + round).CopyTo(values, 0);
                views[v].Write(values);
            }
            if (round > 0) Assert.That(emulator.Gpu.Waits, Is.EqualTo(waits));
            Array.Clear(values);
            for (int v = 0; v < views.Length; v++) Assert.That(views[v].ToArray(), Is.EqualTo(Values(v + round)),
                $"view {v}, round {round}");
        }
    }

    [Test]
    public void AWriteLargerThanTheAreaArrivesWhole()
    {
        float[] values = new float[(1 << 24) + 17];
        for (int i = 0; i < values.Length; i += 4097) values[i] = i;
        values[^1] = 3;
        View view = emulator.Zeros(1, values.Length);
        view.Write(values);
        Assert.That(view.ToArray().AsSpan().SequenceEqual(values), Is.True);
        view.Buffer.Dispose();
    }

    [Test]
    public void BuffersMayBeReleasedAfterTheirDevice()
    {
        IBuffer buffer;
        using (EmulatedGpu other = new()) buffer = other.Backend.Allocate(4);
        Assert.That(buffer.Dispose, Throws.Nothing);
    }

    [Test]
    public void WhatKernelsCannotIndexIsRefused() => Assert.That(
        () => emulator.Gpu.Scratch.Take(ScratchSlot.Taps, 65536, 65536),
        Throws.ArgumentException.With.Message.StartsWith(
            "gpu: a tensor spans 4294967296 elements and kernels can index "));
}
