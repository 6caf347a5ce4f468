using GlowGpu.Kernels;
using GlowGpu.Kernels.Gpu;
using ILGPU.Runtime;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels.Gpu;

/// <summary>Many views as one transfer, and memory for temporaries.</summary>
[TestFixture]
internal sealed class StagingTests
{
    private EmulatedGpu emulator = null!;

    [OneTimeSetUp]
    public void Open() => emulator = new EmulatedGpu();

    [OneTimeTearDown]
    public void Close() => emulator.Dispose();

    [Test]
    public void ViewsOfSeveralBuffersTravelTogether()
    {
        using Staging staging = new(emulator.Gpu, new Staging.Kernels(emulator.Gpu));
        View first = emulator.Upload(1, 12, [.. Enumerable.Range(0, 12).Select(static i => (float)i)]);
        View second = emulator.Upload(1, 5, [100, 101, 102, 103, 104]);
        View[] views = [first.Columns(7, 3), second.Columns(0, 2), View.None, first.Columns(0, 6), second.Columns(4, 1)];
        staging.Arrange(views);
        staging.Download();
        Assert.That(staging.Host, Is.EqualTo(new float[] { 7, 8, 9, 100, 101, 0, 1, 2, 3, 4, 5, 104 }));

        for (int i = 0; i < staging.Host.Length; i++) staging.Host[i] = -1 - i;
        staging.Upload();
        Assert.Multiple(() =>
        {
            Assert.That(first.ToArray(), Is.EqualTo(new float[] { -6, -7, -8, -9, -10, -11, 6, -1, -2, -3, 10, 11 }));
            Assert.That(second.ToArray(), Is.EqualTo(new float[] { -4, -5, 102, 103, -12 }));
        });
    }

    [Test]
    public void TheSameViewsKeepTheirPlaceAndOthersGetTheirOwn()
    {
        using Staging staging = new(emulator.Gpu, new Staging.Kernels(emulator.Gpu));
        View view = emulator.Upload(1, 4, [1, 2, 3, 4]);
        staging.Arrange([view.Columns(0, 2)]);
        float[] before = staging.Host;
        staging.Arrange([view.Columns(0, 2)]);
        Assert.That(staging.Host, Is.SameAs(before));
        staging.Arrange([view.Columns(1, 3)]);
        staging.Download();
        Assert.That(staging.Host, Is.EqualTo(new float[] { 2, 3, 4 }));
    }

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
    public void BuffersMayBeReleasedAfterTheirDevice()
    {
        IBuffer buffer;
        using (EmulatedGpu other = new()) buffer = other.Backend.Allocate(4);
        Assert.That(buffer.Dispose, Throws.Nothing);
    }

    [Test]
    public void WhatKernelsCannotIndexIsRefused() => Assert.That(
        () => emulator.Gpu.Scratch.Take(ScratchSlot.Taps, 65536, 65536),
        Throws.ArgumentException.With.Message.StartsWith("gpu: a tensor spans 4294967296 elements and kernels can index "));
}
