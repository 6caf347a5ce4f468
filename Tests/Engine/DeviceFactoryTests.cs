using System.Runtime.InteropServices;
using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Kernels.Gpu;
using ILGPU;
using ILGPU.Runtime.CPU;
using NUnit.Framework;

namespace GlowGpu.Tests.Engine;

[TestFixture]
internal sealed class DeviceFactoryTests
{
    [Test]
    public void UnknownKindIsNamed() => Assert.That(() => DeviceFactory.Open("tpu"),
        Throws.TypeOf<GlowException>()
            .With.Message.EqualTo("device 'tpu' is not known; it must be auto, cuda, opencl or cpu"));

    [TestCase(0)]
    [TestCase(-3)]
    public void ThreadsMustBePositive(int threads) => Assert.That(() => DeviceFactory.Open("cpu", threads),
        Throws.TypeOf<GlowException>().With.Message.EqualTo($"threads is {threads}; it must be at least 1"));

    [Test]
    public void CpuIsTheHostWithTheThreadsAskedFor()
    {
        using Device device = DeviceFactory.Open("cpu", 1);
        Assert.That(device.Name, Does.StartWith("cpu (1"));
    }

    [Test]
    public void AutoOpensTheFirstUsableGpuOrElseTheHost()
    {
        DeviceInfo expected = DeviceFactory.List().First(static d =>
            d.Kind == "cpu" || (!d.Properties.ContainsKey("unusable")
                && (d.Kind == "cuda" || d.Properties["type"].Contains("GPU"))));
        using Device device = DeviceFactory.Open("auto");
        if (expected.Kind == "cpu") Assert.That(device.Name, Does.StartWith("cpu ("));
        else Assert.That(device.Name, Is.EqualTo(expected.Name));
    }

    [Test]
    public void ListEndsWithTheHost()
    {
        IReadOnlyList<DeviceInfo> devices = DeviceFactory.List();
        DeviceInfo host = devices[^1];
        Assert.Multiple(() =>
        {
            Assert.That(devices.Select(static d => d.Kind), Is.SubsetOf(new[] { "cuda", "opencl", "cpu" }));
            Assert.That(devices.Count(static d => d.Kind == "cpu"), Is.EqualTo(1));
            Assert.That(host.Name, Is.Not.Empty);
            Assert.That(host.MemoryBytes, Is.Positive);
            Assert.That(host.Properties.Keys, Is.SupersetOf(new[] { "vectors", "cores", "hardware threads" }));
            Assert.That(int.Parse(host.Properties["cores"]), Is.InRange(1, Environment.ProcessorCount));
        });
    }

    [TestCase(false, "device cuda: no NVIDIA driver was found; install it, or choose --device auto or cpu")]
    [TestCase(true, "device cuda: the NVIDIA driver reports no device that this process may use; check nvidia-smi, "
        + "or choose --device auto or cpu")]
    public void MissingCudaDeviceHasItsReason(bool hasDriver, string sentence) =>
        Assert.That(() => DeviceFactory.FindCuda([], hasDriver),
            Throws.TypeOf<GlowException>().With.Message.EqualTo(sentence));

    [TestCase(false, "device opencl: no OpenCL loader (libOpenCL.so.1) was found; install it and a driver, or "
        + "choose --device auto or cpu")]
    [TestCase(true, "device opencl: no OpenCL driver reports a device; install the driver of your GPU, or choose "
        + "--device auto or cpu")]
    public void MissingOpenClDeviceHasItsReason(bool hasLoader, string sentence) =>
        Assert.That(() => DeviceFactory.FindOpenCl([], hasLoader),
            Throws.TypeOf<GlowException>().With.Message.EqualTo(sentence));

    [Test]
    public void UsableDeviceIsChosenBeforeAnUnusableOne()
    {
        ProbedDevice old = Probed(GpuDriver.OpenCl, "it is too old"), good = Probed(GpuDriver.OpenCl, null);
        Assert.That(DeviceFactory.FindOpenCl([old, good], true), Is.SameAs(good));
    }

    [Test]
    public void UnusableDeviceSaysWhy()
    {
        ProbedDevice cuda = Probed(GpuDriver.Cuda, "it is too old"),
            openCl = Probed(GpuDriver.OpenCl, "it is too slow");
        Assert.Multiple(() =>
        {
            Assert.That(() => DeviceFactory.FindCuda([cuda], true),
                Throws.TypeOf<GlowException>()
                    .With.Message.EqualTo("device cuda: CPUAccelerator cannot be used: it is too old"));
            Assert.That(() => DeviceFactory.FindOpenCl([openCl], true),
                Throws.TypeOf<GlowException>()
                    .With.Message.EqualTo("device opencl: CPUAccelerator cannot be used: it is too slow"));
            Assert.That(cuda.Open,
                Throws.TypeOf<NotSupportedException>().With.Message.EqualTo("CPUAccelerator: it is too old"));
        });
    }

    [Test]
    public void EmulatedDeviceComputes()
    {
        using Device device = DeviceFactory.OpenEmulated();
        View view = device.Arena.Rent(3, 2);
        device.Backend.Fill(view, 2.5f);
        Assert.That(view.ToArray(), Is.All.EqualTo(2.5f));
    }

    [Test]
    public void GroupsTooSmallForAProductAreRefused() => Assert.That(() => DeviceProbe.Emulated(2).Open().Dispose(),
        Throws.TypeOf<NotSupportedException>()
            .With.Message.EqualTo("CPUAccelerator: groups of 2 threads are too small; at least 4 are needed"));

    [Test]
    public void ProbingNeverThrowsAndRepeats()
    {
        Assert.Multiple(() =>
        {
            Assert.That(DeviceProbe.Cuda(), Has.Count.EqualTo(DeviceProbe.Cuda().Count));
            Assert.That(DeviceProbe.OpenCl(), Has.Count.EqualTo(DeviceProbe.OpenCl().Count));
        });
    }

    [Test]
    public void LibrariesThatAreNotOursAreLeftToTheDefaultSearch() =>
        Assert.That(NativeLibraries.Resolve("nvml", typeof(Context).Assembly, DllImportSearchPath.AssemblyDirectory),
            Is.EqualTo(nint.Zero));

    private static ProbedDevice Probed(GpuDriver driver, string? obstacle) =>
        new(driver, new CPUDevice(4, 1, 1), isGpu: true, obstacle, new Dictionary<string, string>());
}
