using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Tests.Checks;
using NUnit.Framework;

namespace GlowGpu.Tests.Engine;

[TestFixture]
public sealed class ArenaTests
{
    [Test]
    public void SecondStepGetsTheSameMemoryInTheSameOrder()
    {
        using Arena arena = new(Devices.Host.Backend);
        View[] first = Step(arena);
        int allocations = arena.Allocations;
        for (int step = 0; step < 3; step++)
        {
            Assert.That(Step(arena), Is.EqualTo(first));
            Assert.That(arena.Allocations, Is.EqualTo(allocations));
        }
        Assert.That(arena.Rented, Is.Zero);
    }

    [Test]
    public void MemoryIsReusedWithinAStep()
    {
        using Arena arena = new(Devices.Host.Backend);
        View a = arena.Rent(4, 6);
        arena.Return(a);
        // Other rows and columns, as many elements.
        View b = arena.Rent(8, 3);
        Assert.That(b.Buffer, Is.SameAs(a.Buffer));
        Assert.That((b.Rows, b.Cols, b.Stride), Is.EqualTo((8, 3, 3)));
        Assert.That(arena.Allocations, Is.EqualTo(1));
    }

    [Test]
    public void RentedBlocksAreDistinct()
    {
        using Arena arena = new(Devices.Host.Backend);
        View a = arena.Rent(4, 6), b = arena.Rent(4, 6);
        Assert.That(b.Buffer, Is.Not.SameAs(a.Buffer));
        Assert.That(arena.Rented, Is.EqualTo(2));
        Assert.That(arena.Bytes, Is.EqualTo(2 * 24 * sizeof(float)));
    }

    [Test]
    public void WindowReturnsTheWholeBlock()
    {
        using Arena arena = new(Devices.Host.Backend);
        arena.Return(arena.Rent(4, 6).Columns(3, 3));
        Assert.That(arena.Rented, Is.Zero);
    }

    [Test]
    public void NoneMayBeReturned()
    {
        using Arena arena = new(Devices.Host.Backend);
        arena.Return(View.None);
        Assert.That(arena.Rented, Is.Zero);
    }

    [Test]
    public void ReturningTwiceIsRefused()
    {
        using Arena arena = new(Devices.Host.Backend);
        View view = arena.Rent(4, 6);
        arena.Return(view);
        Assert.That(() => arena.Return(view),
            Throws.InvalidOperationException.With.Message.EqualTo("arena: this view was returned already"));
        Assert.That(arena.Rented, Is.Zero);
    }

    [Test]
    public void ForeignMemoryIsRefused()
    {
        using Arena arena = new(Devices.Host.Backend);
        using IBuffer buffer = Devices.Host.Backend.Allocate(24);
        Assert.That(() => arena.Return(View.Dense(buffer, 0, 4, 6)),
            Throws.InvalidOperationException.With.Message.EqualTo("arena: this view was not rented here"));
    }

    [Test]
    public void TrimGivesBackWhatIsFree()
    {
        using Arena arena = new(Devices.Host.Backend);
        View kept = arena.Rent(2, 2), free = arena.Rent(4, 6);
        arena.Return(free);
        arena.Trim();
        Assert.That(arena.Bytes, Is.EqualTo(4 * sizeof(float)));
        Assert.That(arena.Rented, Is.EqualTo(1));
        Assert.That(() => free.ToArray(), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(kept.ToArray(), Has.Length.EqualTo(4));
    }

    // Rents and returns in an order that leaves the free lists shuffled.
    private static View[] Step(Arena arena)
    {
        View a = arena.Rent(4, 6), b = arena.Rent(4, 6), c = arena.Rent(2, 5);
        arena.Return(a);
        View d = arena.Rent(4, 6), e = arena.Rent(4, 6);
        foreach (View view in new[] { b, e, c, d }) arena.Return(view);
        arena.EndStep();
        return [a, b, c, d, e];
    }
}
