using GlowGpu.Kernels;
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

    /// <summary>GPU kernels on a GPU.</summary>
    Gpu,
}

/// <summary>A backend that tests run on, opened when first used and closed after the last test.</summary>
public sealed class TestDevice(string name, DeviceKind kind, Func<IBackend> open)
{
    private IBackend? backend;

    /// <summary>Name in the list of tests.</summary>
    public string Name { get; } = name;

    /// <summary>What it is.</summary>
    public DeviceKind Kind { get; } = kind;

    /// <summary>The operation set.</summary>
    public IBackend Backend => backend ??= open();

    /// <summary>
    /// Relative error allowed to the activations of coupling networks, which a GPU may compute in lower precision
    /// (TF32 or BF16 inputs, 2⁻⁹ each); <paramref name="single"/> elsewhere.
    /// </summary>
    public double Network(double single) => Kind == DeviceKind.Gpu ? Math.Max(single, 0.02) : single;

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
}

/// <summary>The devices that every test body runs on.</summary>
public static class Devices
{
    /// <summary>All that are present.</summary>
    public static IReadOnlyList<TestDevice> All { get; } =
    [
        new("reference", DeviceKind.Reference, static () => new ReferenceBackend()),
    ];

    /// <summary>Those that a shape can run on.</summary>
    public static IEnumerable<TestDevice> For(ITestShape shape) => All.Where(d => d.Kind != DeviceKind.Emulator || shape.Tiny);

    /// <summary>Every device with every shape it can run.</summary>
    public static IEnumerable<TestCaseData> With<T>(IEnumerable<T> shapes) where T : ITestShape =>
        from shape in shapes from device in For(shape) select new TestCaseData(device, shape);

    /// <summary>Every device on its own.</summary>
    public static IEnumerable<TestCaseData> Alone => All.Select(static d => new TestCaseData(d));
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
