using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Kernels.Gpu;
using GlowGpu.Kernels.Host;
using GlowGpu.Tests.Ptx;
using GlowGpu.Tests.Reference.Backend;
using NUnit.Framework;

namespace GlowGpu.Tests.Checks;

/// <summary>What runs a test.</summary>
public enum DeviceKind
{
    /// <summary>The naive references.</summary>
    Reference,

    /// <summary>The SIMD backend.</summary>
    Host,

    /// <summary>GPU kernels on ILGPU's debugger: right, but so slow that only tiny shapes run.</summary>
    Emulator,

    /// <summary>
    /// GPU kernels as CUDA code, on the PTX machine: what a device would do, some thousand times slower.
    /// </summary>
    Machine,

    /// <summary>GPU kernels on a processor that shows itself through OpenCL.</summary>
    Processor,

    /// <summary>GPU kernels on a GPU.</summary>
    Gpu,
}

/// <summary>A backend that tests run on, opened when first used and closed after the last test.</summary>
public sealed class TestDevice(string name, DeviceKind kind, string category, Func<IBackend> open)
{
    private IBackend? backend;

    /// <summary>Name in the list of tests.</summary>
    public string Name { get; } = name;

    /// <summary>What it is.</summary>
    public DeviceKind Kind { get; } = kind;

    /// <summary>Category of its tests, by which a lane selects them.</summary>
    public string Category { get; } = category;

    /// <summary>The operation set.</summary>
    public IBackend Backend => backend ??= open();

    /// <summary>
    /// Relative error allowed to the activations of coupling networks, which a GPU may compute in lower precision
    /// (TF32 or BF16 inputs, 2⁻⁹ each); <paramref name="single"/> elsewhere.
    /// </summary>
    public double Network(double single) => Kind is DeviceKind.Gpu or DeviceKind.Machine ? Math.Max(single, 0.02)
        : single;

    /// <summary>Releases the backend.</summary>
    public void Close()
    {
        backend?.Dispose();
        backend = null;
    }

    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>A test's size.</summary>
public interface ITestShape
{
    /// <summary>Small enough for the emulator.</summary>
    bool Tiny { get; }

    /// <summary>Too large for the PTX machine.</summary>
    bool Large => false;
}

/// <summary>The devices that every test body runs on.</summary>
public static class Devices
{
    /// <summary>The host with one thread, which the others must agree with.</summary>
    public static TestDevice Host { get; } = new("host-1", DeviceKind.Host, "Host", static () => new HostBackend(1));

    /// <summary>All that are present.</summary>
    public static IReadOnlyList<TestDevice> All { get; } =
    [
        new("reference", DeviceKind.Reference, "Reference", static () => new ReferenceBackend()),
        Host,
        new("host-2", DeviceKind.Host, "Host", static () => new HostBackend(2)),
        // Every thread of an emulated group is a thread of the system, so the smallest groups; and once the next larger
        // ones, which multiply by other tiles.
        new("emulator", DeviceKind.Emulator, "Emulator", static () => DeviceProbe.Emulated(4).Open()),
        new("emulator-16", DeviceKind.Emulator, "Emulator", static () => DeviceProbe.Emulated(16).Open()),
        // In float32; tensor cores have tests of their own, with bounds that follow from their rounding.
        new("ptx", DeviceKind.Machine, "PtxMachine", static () => PtxGpu.Open(Precision.Fp32)),
        .. Present("cuda", "Cuda", DeviceProbe.Cuda()),
        .. Present("opencl", "OpenCL", DeviceProbe.OpenCl()),
    ];

    /// <summary>Those that a shape can run on.</summary>
    public static IEnumerable<TestDevice> For(ITestShape shape) => All.Where(d => d.Kind switch
    {
        DeviceKind.Emulator => shape.Tiny,
        DeviceKind.Machine => !shape.Large,
        _ => true,
    });

    /// <summary>Every device with every shape it can run.</summary>
    public static IEnumerable<TestCaseData> With<T>(IEnumerable<T> shapes) where T : ITestShape =>
        from shape in shapes from device in For(shape) select Case(device, device, shape);

    /// <summary>Every device on its own.</summary>
    public static IEnumerable<TestCaseData> Alone => All.Select(static d => Case(d, d));

    /// <summary>Every backend of the product on its own.</summary>
    public static IEnumerable<TestCaseData> Backends =>
        All.Where(static d => d.Kind != DeviceKind.Reference).Select(static d => Case(d, d));

    /// <summary>Every device that a user could work on, on its own.</summary>
    public static IEnumerable<TestCaseData> Usable =>
        All.Where(static d => d.Kind is DeviceKind.Host or DeviceKind.Gpu or DeviceKind.Processor)
            .Select(static d => Case(d, d));

    private static TestCaseData Case(TestDevice device, params object[] arguments) =>
        new TestCaseData(arguments).SetCategory(device.Category);

    private static IEnumerable<TestDevice> Present(string name, string category, IReadOnlyList<ProbedDevice> found) =>
        found.Where(static d => d.Obstacle is null).Take(1)
            .Select(d => new TestDevice(name, d.IsGpu ? DeviceKind.Gpu : DeviceKind.Processor, category,
            () => d.Open(Precision.Fp32)));
}

/// <summary>Makes a missing device visible: the skipped test says why.</summary>
[TestFixture]
public sealed class DevicesTests
{
    [Test, Category("Cuda")]
    public void CudaIsTested() => Tested("cuda", DeviceProbe.Cuda(), () => DeviceFactory.Open("cuda"));

    [Test, Category("OpenCL")]
    public void OpenClIsTested() => Tested("opencl", DeviceProbe.OpenCl(), () => DeviceFactory.Open("opencl"));

    private static void Tested(string name, IReadOnlyList<ProbedDevice> found, Func<Device> open)
    {
        if (Devices.All.Any(d => d.Name == name))
        {
            using Device device = open();
            Assert.That(found.Any(d => device.Name.Contains(d.Name, StringComparison.Ordinal)), Is.True, device.Name);
            return;
        }
        GlowException reason = Assert.Throws<GlowException>(() => open().Dispose())!;
        Assert.Ignore(reason.Message);
    }
}

/// <summary>Closes the devices when all tests are done.</summary>
[SetUpFixture]
public sealed class DeviceLifetime
{
    /// <summary>Runs last.</summary>
    [OneTimeTearDown]
    public void Close()
    {
        foreach (TestDevice device in Devices.All) device.Close();
    }
}
