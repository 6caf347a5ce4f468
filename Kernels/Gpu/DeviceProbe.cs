using System.Globalization;
using ILGPU;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;

namespace GlowGpu.Kernels.Gpu;

/// <summary>What drives a device.</summary>
public enum GpuDriver
{
    /// <summary>NVIDIA's driver.</summary>
    Cuda,

    /// <summary>An OpenCL driver.</summary>
    OpenCl,

    /// <summary>
    /// ILGPU's emulation of a GPU on the CPU: a debugger of kernels, thousands of times slower than one.
    /// </summary>
    Emulated,
}

/// <summary>
/// A device as its driver describes it. <see cref="Obstacle"/> is null if kernels can run on it, otherwise the reason
/// why not, as the end of a sentence.
/// </summary>
public sealed class ProbedDevice
{
    private readonly Device device;

    internal ProbedDevice(
        GpuDriver driver, Device device, bool isGpu, string? obstacle, IReadOnlyDictionary<string, string> properties)
    {
        this.device = device;
        Driver = driver;
        IsGpu = isGpu;
        Obstacle = obstacle;
        Properties = properties;
    }

    /// <summary>What drives it.</summary>
    public GpuDriver Driver { get; }

    /// <summary>Name, as <see cref="IBackend.Name"/> of its backend.</summary>
    public string Name => device.Name.Trim();

    /// <summary>Device memory in bytes.</summary>
    public long MemoryBytes => device.MemorySize;

    /// <summary>False for a CPU that shows itself through OpenCL.</summary>
    public bool IsGpu { get; }

    /// <summary>Why kernels cannot run on it, or null.</summary>
    public string? Obstacle { get; }

    /// <summary>What else is worth knowing, for people.</summary>
    public IReadOnlyDictionary<string, string> Properties { get; }

    /// <summary>
    /// Whether coupling networks can be multiplied in <see cref="Precision.Tf32"/> (then the default) and
    /// <see cref="Precision.Bf16"/>.
    /// </summary>
    public bool HasTensorCores => GpuTraits.DeviceHasTensorCores(device);

    /// <summary>Opens the device in its default precision.</summary>
    /// <inheritdoc cref="Open(Precision?)"/>
    public GpuBackend Open() => Open(precision: null);

    /// <summary>Opens the device; null stands for its default precision.</summary>
    /// <exception cref="NotSupportedException">There is an <see cref="Obstacle"/>, or the precision needs tensor
    /// cores that are missing.</exception>
    /// <exception cref="AcceleratorException">The driver refuses, e.g. because another process holds the
    /// device.</exception>
    public GpuBackend Open(Precision? precision) => Open(null, null, precision);

    /// <summary>Opens it with another's traits and runner in the place of its own.</summary>
    internal GpuBackend Open(GpuTraits? traits, IKernelRunner? runner, Precision? precision = null)
    {
        if (Obstacle is not null) throw new NotSupportedException($"{Name}: {Obstacle}");
        // The next level up has miscompiled kernels before.
        Context context = Context.Create(static builder => builder.Optimize(OptimizationLevel.O1));
        try
        {
            return new GpuBackend(device.CreateAccelerator(context), traits, runner, precision);
        }
        catch
        {
            context.Dispose();
            throw;
        }
    }
}

/// <summary>
/// Finds the GPUs of this machine. A driver that is missing or broken yields no devices, never an exception.
/// </summary>
public static class DeviceProbe
{
    private const int OldestOpenCl = 2;

    /// <summary>All CUDA devices.</summary>
    public static IReadOnlyList<ProbedDevice> Cuda()
    {
        NativeLibraries.Register();
        return [.. CudaDevice.GetDevices(static _ => true).Cast<CudaDevice>().Select(Describe)];
    }

    /// <summary>All OpenCL devices, GPUs first.</summary>
    public static IReadOnlyList<ProbedDevice> OpenCl()
    {
        NativeLibraries.Register();
        return [.. CLDevice.GetDevices(static _ => true).Cast<CLDevice>().Select(Describe)
            .OrderByDescending(static d => d.IsGpu)];
    }

    /// <summary>
    /// ILGPU's emulation, with groups of so many threads, which a power of two from 4 to 256 must be.
    /// </summary>
    public static ProbedDevice Emulated(int groupSize = 4) => new(
        GpuDriver.Emulated, new CPUDevice(groupSize, 1, 1), isGpu: false, obstacle: null,
        new Dictionary<string, string> { ["group"] = Text(groupSize) });

    private static ProbedDevice Describe(CudaDevice device)
    {
        bool known = device.InstructionSet is { } set && PTXCodeGenerator.SupportedInstructionSets.Contains(set);
        return new ProbedDevice(GpuDriver.Cuda, device, isGpu: true,
            known && device.Architecture.HasValue
                ? null
                : $"its driver (CUDA {device.DriverVersion}) offers no instruction set that kernels can be compiled "
                + "for; update the NVIDIA driver",
            new Dictionary<string, string>
            {
                ["compute capability"] = device.Architecture?.ToString() ?? "unknown",
                ["driver"] = $"CUDA {device.DriverVersion}",
                ["multiprocessors"] = Text(device.NumMultiprocessors),
                ["clock"] = $"{device.ClockRate} MHz",
                ["shared memory"] = $"{device.MaxSharedMemoryPerGroup / 1024} KiB a group",
                ["memory bus"] = $"{device.MemoryBusWidth} bit",
                ["precision"] = GpuTraits.DeviceHasTensorCores(device) ? "tf32 unless chosen, bf16, fp32" : "fp32",
            });
    }

    private static ProbedDevice Describe(CLDevice device)
    {
        string? obstacle = device.DeviceVersion.Major < OldestOpenCl
            ? $"it offers OpenCL {device.DeviceVersion.Major}.{device.DeviceVersion.Minor}; {OldestOpenCl}.0 or "
            + "later is needed"
            : device.Capabilities.GenericAddressSpace ? null
            : "its OpenCL driver lacks the generic address space; a newer driver may have it";
        return new ProbedDevice(GpuDriver.OpenCl, device,
            isGpu: (device.DeviceType & CLDeviceType.CL_DEVICE_TYPE_GPU) != 0, obstacle,
            new Dictionary<string, string>
            {
                ["platform"] = device.PlatformName,
                ["version"] = $"OpenCL {device.DeviceVersion.Major}.{device.DeviceVersion.Minor}",
                ["type"] = device.DeviceType.ToString().Replace("CL_DEVICE_TYPE_", "", StringComparison.Ordinal),
                ["compute units"] = Text(device.NumMultiprocessors),
                ["clock"] = $"{device.ClockRate} MHz",
                ["shared memory"] = $"{device.MaxSharedMemoryPerGroup / 1024} KiB a group",
            });
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
