using GlowGpu.Kernels;
using GlowGpu.Kernels.Host;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels;

[TestFixture]
public sealed class ViewTests
{
    [Test]
    public void ColumnsAreAWindowOfEveryRow()
    {
        using HostBuffer buffer = new(24);
        View half = View.Dense(buffer, 4, 5, 4).Columns(2, 2);
        Assert.That(half, Is.EqualTo(new View(buffer, 6, 5, 2, 4)));
        Assert.That(half.IsDense, Is.False);
        Assert.That(half.Count, Is.EqualTo(10));
    }

    [Test]
    public void OneRowIsDenseWhateverItsStride()
    {
        using HostBuffer buffer = new(8);
        Assert.That(View.Dense(buffer, 0, 1, 8).Columns(2, 3).IsDense, Is.True);
    }

    [Test]
    public void NoneIsNone()
    {
        using HostBuffer buffer = new(1);
        Assert.That(View.None.IsNone, Is.True);
        Assert.That(View.Dense(buffer, 0, 1, 1).IsNone, Is.False);
    }

    [TestCase(21, 1, 4, "view: [1, 4] at 21 does not lie inside a buffer of 24 elements (Parameter 'offset')")]
    [TestCase(-1, 1, 4, "view: [1, 4] at -1 does not lie inside a buffer of 24 elements (Parameter 'offset')")]
    [TestCase(0, 1 << 20, 1 << 20,
        "view: [1048576, 1048576] at 0 does not lie inside a buffer of 24 elements (Parameter 'offset')")]
    public void ViewsLieInsideTheirBuffer(long offset, int rows, int cols, string message)
    {
        using HostBuffer buffer = new(24);
        Assert.That(() => View.Dense(buffer, offset, rows, cols),
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.EqualTo(message));
    }

    [TestCase(-1, 2, "view: columns [-1, 1) do not lie inside 4 columns (Parameter 'start')")]
    [TestCase(3, 2, "view: columns [3, 5) do not lie inside 4 columns (Parameter 'start')")]
    public void ColumnsLieInsideTheirView(int start, int count, string message)
    {
        using HostBuffer buffer = new(24);
        View view = View.Dense(buffer, 0, 6, 4);
        Assert.That(() => view.Columns(start, count),
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.EqualTo(message));
    }

    [Test]
    public void OnlyDenseViewsChangeTheirShape()
    {
        using HostBuffer buffer = new(24);
        View view = View.Dense(buffer, 0, 6, 4);
        Assert.That(view.Reshape(3, 8), Is.EqualTo(View.Dense(buffer, 0, 3, 8)));
        Assert.That(() => view.Reshape(5, 5),
            Throws.ArgumentException.With.Message.EqualTo("view: [6, 4] (row stride 4) cannot be read as [5, 5]"));
        Assert.That(() => view.Columns(0, 2).Reshape(4, 3),
            Throws.ArgumentException.With.Message.EqualTo("view: [6, 2] (row stride 4) cannot be read as [4, 3]"));
    }

    [Test]
    public void OnlyDenseViewsAreCopiedAsOneBlock()
    {
        using HostBuffer buffer = new(24);
        View view = View.Dense(buffer, 0, 6, 4);
        Assert.That(() => view.Columns(0, 2).ToArray(), Throws.ArgumentException);
        Assert.That(() => view.Write(new float[23]),
            Throws.ArgumentException.With.Message.EqualTo("view: 23 values do not fill [6, 4] (row stride 4)"));
    }
}
