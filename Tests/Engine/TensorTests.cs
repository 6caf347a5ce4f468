using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Kernels.Host;
using NUnit.Framework;

namespace GlowGpu.Tests.Engine;

[TestFixture]
public sealed class TensorTests
{
    private Device device = null!;

    [SetUp]
    public void Open() => device = new Device(new HostBackend(1));

    [TearDown]
    public void Close() => device.Dispose();

    [Test]
    public void MemoryComesWhenAskedForAndGoesWhenReleased()
    {
        Tensor tensor = new(device, new Pixels(2, 3, 4), 5);
        Assert.That(tensor.HasData, Is.False);
        Assert.That(device.Arena.Rented, Is.Zero);
        tensor.Allocate();
        Assert.That((tensor.Data.Rows, tensor.Data.Cols), Is.EqualTo((24, 5)));
        View gradient = tensor.Gradient;
        Assert.That(tensor.Gradient, Is.EqualTo(gradient), "one gradient for the life of a tensor");
        Assert.That(device.Arena.Rented, Is.EqualTo(2));
        tensor.ReleaseData();
        Assert.That(tensor.HasData, Is.False);
        Assert.That(device.Arena.Rented, Is.EqualTo(1));
        tensor.Release();
        Assert.That(device.Arena.Rented, Is.Zero);
    }

    [Test]
    public void ReleasedValuesCannotBeRead()
    {
        Tensor tensor = new Tensor(device, new Pixels(1, 2, 2), 3).Allocate();
        tensor.ReleaseData();
        Assert.That(() => tensor.Data,
            Throws.InvalidOperationException.With.Message.EqualTo("tensor [1,2,2,3]: its values are not in memory"));
        Assert.That(tensor.Allocate().HasData, Is.True);
    }

    [Test]
    public void WindowSharesMemory()
    {
        Tensor whole = new Tensor(device, new Pixels(1, 1, 2), 4).Allocate();
        Tensor half = whole.Window(2, 2);
        whole.Data.Write([0, 1, 2, 3, 4, 5, 6, 7]);
        Assert.That(half.IsWindow, Is.True);
        Assert.That(half.Data, Is.EqualTo(whole.Data.Columns(2, 2)));
        Assert.That(half.Gradient, Is.EqualTo(whole.Gradient.Columns(2, 2)));
        half.Release();
        Assert.That(whole.HasData, Is.False);
        Assert.That(device.Arena.Rented, Is.Zero);
    }

    [Test]
    public void WindowLiesInsideItsTensor() =>
        Assert.That(() => new Tensor(device, new Pixels(1, 1, 2), 4).Window(3, 2),
            Throws.ArgumentException.With.Message.EqualTo("tensor: channels [3, 5) do not lie inside [1,1,2,4]"));

    [TestCase(0, 2, 2, 3)]
    [TestCase(1, -1, 2, 3)]
    [TestCase(1, 2, 0, 3)]
    [TestCase(1, 2, 2, 0)]
    public void DimensionsArePositive(int n, int h, int w, int c) =>
        Assert.That(() => new Tensor(device, new Pixels(n, h, w), c),
            Throws.ArgumentException.With.Message.EqualTo(
                $"tensor: [{n},{h},{w},{c}] has a dimension that is not positive"));
}
