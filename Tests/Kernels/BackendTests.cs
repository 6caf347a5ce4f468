using GlowGpu.Kernels;
using GlowGpu.Kernels.Host;
using GlowGpu.Tests.Checks;
using NUnit.Framework;

namespace GlowGpu.Tests.Kernels;

[TestFixture]
public sealed class BackendTests
{
    private static IEnumerable<TestCaseData> Alone => Devices.Alone;

    [TestCaseSource(nameof(Alone))]
    public void FreshMemoryIsZero(TestDevice device)
    {
        using IBuffer buffer = device.Backend.Allocate(1000);
        float[] values = new Draw(1).Normal(1000);
        buffer.Read(0, values);
        Assert.That(buffer.Length, Is.EqualTo(1000));
        Assert.That(values, Is.All.Zero);
    }

    [TestCaseSource(nameof(Alone))]
    public void MemoryCanBeEmpty(TestDevice device)
    {
        using IBuffer buffer = device.Backend.Allocate(0);
        buffer.Read(0, []);
        buffer.Write(0, []);
        Assert.That(buffer.Length, Is.Zero);
    }

    [TestCaseSource(nameof(Alone))]
    public void WhatIsWrittenIsRead(TestDevice device)
    {
        using IBuffer buffer = device.Backend.Allocate(100);
        float[] values = new Draw(2).Normal(7), back = new float[9];
        buffer.Write(93, values);
        buffer.Read(91, back);
        Assert.That(back, Is.EqualTo(new float[] { 0, 0 }.Concat(values)));
    }

    [TestCaseSource(nameof(Alone))]
    public void EveryPartOfTheProcessorsWorkIsDoneOnce(TestDevice device)
    {
        foreach (int parts in new[] { 0, 1, 2, 7, 1000 })
        {
            Counts counts = new(parts);
            device.Backend.RunOnHost(parts, counts);
            Assert.That(counts.OfPart, Is.All.EqualTo(1));
        }
    }

    private sealed class Counts(int parts) : IHostWork
    {
        public int[] OfPart { get; } = new int[parts];

        public void Run(int part) => Interlocked.Increment(ref OfPart[part]);
    }

    [TestCaseSource(nameof(Alone))]
    public void ElementsAreTheMemoryItselfOrNone(TestDevice device)
    {
        using IBuffer buffer = device.Backend.Allocate(60);
        View view = View.Dense(buffer, 12, 4, 3);
        Assert.That(view.Elements.IsEmpty, Is.EqualTo(buffer is not HostBuffer));
        if (buffer is not HostBuffer) return;
        view.Elements.Fill(2);
        view.Columns(0, 3).Elements[11] = 3;
        Assert.That(View.Dense(buffer, 11, 1, 14).ToArray(),
            Is.EqualTo(new float[] { 0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 0 }));
        Assert.That(() => view.Columns(0, 2).Elements.Length,
            Throws.ArgumentException.With.Message.StartsWith("view: the elements of a view with gaps"));
    }

    [TestCaseSource(nameof(Alone))]
    public void AccessOutsideABufferIsRefused(TestDevice device)
    {
        using IBuffer buffer = device.Backend.Allocate(10);
        float[] values = new float[4];
        Assert.That(() => buffer.Write(7, values), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => buffer.Write(-1, values), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => buffer.Read(7, values), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => buffer.Read(-1, values), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [TestCaseSource(nameof(Alone))]
    public void FillSetsAViewAndNothingElse(TestDevice device)
    {
        foreach ((int rows, int cols) in new[] { (1, 1), (3, 5), (7, 16), (1, 97), (97, 1) })
            foreach (Layout layout in Enum.GetValues<Layout>())
            {
                using Guarded memory = new(device.Backend);
                View target = memory.Output("target", rows, cols, layout);
                device.Backend.Fill(target, -1.5f);
                memory.Check();
                Assert.That(memory.Read(target), Is.All.EqualTo(-1.5f));
            }
    }

    [TestCaseSource(nameof(Alone))]
    public void CopyMovesAnyWindow(TestDevice device)
    {
        foreach ((int rows, int cols) in new[] { (1, 1), (3, 5), (7, 16), (1, 97), (97, 1) })
            foreach (Layout from in Enum.GetValues<Layout>())
                foreach (Layout to in Enum.GetValues<Layout>())
                {
                    float[] values = new Draw(rows).Normal(rows * cols);
                    using Guarded memory = new(device.Backend);
                    View source = memory.Input("source", values, rows, cols, from),
                        target = memory.Output("target", rows, cols, to);
                    device.Backend.Copy(source, target);
                    memory.Check();
                    Tolerance.SameBits("target", memory.Read(target), values, rows, cols);
                }
    }

    [TestCaseSource(nameof(Alone))]
    public void SynchronizeReturnsWhenWorkIsDone(TestDevice device)
    {
        using IBuffer buffer = device.Backend.Allocate(64);
        View view = View.Dense(buffer, 0, 8, 8);
        device.Backend.Fill(view, 3);
        device.Backend.Synchronize();
        Assert.That(view.ToArray(), Is.All.EqualTo(3f));
    }

    [TestCaseSource(nameof(Alone))]
    public void DeviceHasAName(TestDevice device) => Assert.That(device.Backend.Name, Is.Not.Empty);
}
