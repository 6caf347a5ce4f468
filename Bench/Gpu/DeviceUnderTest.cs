using GlowGpu.Engine;
using GlowGpu.Kernels.Gpu;

namespace GlowGpu.Bench.Gpu;

/// <summary>The device, opened for one precision of our products, and its clock.</summary>
internal sealed class DeviceUnderTest : IDisposable
{
    /// <summary>Opens it.</summary>
    /// <exception cref="GlowException">There is no such device, or it is the host.</exception>
    public DeviceUnderTest(string kind, string precision, bool quick)
    {
        Precision = precision;
        Device = PrecisionDevice.Open(kind, precision);
        if (Device.Backend is not GpuBackend backend)
        {
            Device.Dispose();
            throw new GlowException(
                $"gpu: '{kind}' is the host, which 'bench host' measures; --device must be cuda or opencl");
        }
        Backend = backend;
        Clock = DeviceClock.Of(backend, quick);
    }

    /// <summary>Of products.</summary>
    public string Precision { get; }

    /// <summary>Backend and arena.</summary>
    public Device Device { get; }

    /// <summary>The operation set.</summary>
    public GpuBackend Backend { get; }

    /// <summary>Times what is queued on it.</summary>
    public DeviceClock Clock { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Clock.Dispose();
        Device.Dispose();
    }
}
