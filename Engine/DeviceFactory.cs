using System.Globalization;
using System.Runtime.InteropServices;
using GlowGpu.Kernels;
using GlowGpu.Kernels.Gpu;
using GlowGpu.Kernels.Host;
using ILGPU.Runtime;

namespace GlowGpu.Engine;

/// <summary>
/// A device of this machine, as <c>glow devices</c> lists it: the <c>--device</c> it goes by, its name, its memory, and
/// what else is worth knowing. A device that cannot be used has the reason under <c>unusable</c>.
/// </summary>
public sealed record DeviceInfo(string Kind, string Name, long MemoryBytes,
    IReadOnlyDictionary<string, string> Properties);

/// <summary>Finds and opens devices.</summary>
public static class DeviceFactory
{
    private const string Cpu = "cpu", Cuda = "cuda", OpenCl = "opencl", Auto = "auto";

    /// <summary>
    /// Opens <c>auto</c> (CUDA, then an OpenCL GPU, then the host), <c>cuda</c>, <c>opencl</c> (a GPU if there is
    /// one, else any device with a usable driver) or <c>cpu</c>. <paramref name="threads"/> is for the host; a GPU
    /// has its own.
    /// <paramref name="precision"/> is that of coupling networks: tf32 on tensor cores and fp32 elsewhere if none is
    /// given. With
    /// <paramref name="graphs"/> repeated work is replayed as a graph where the device can.
    /// </summary>
    /// <exception cref="GlowException">There is no such device, or it lacks that precision; the sentence says
    /// why.</exception>
    public static Device Open(string kind, int? threads = null, Precision? precision = null, bool graphs = true)
    {
        ArgumentNullException.ThrowIfNull(kind);
        if (threads < 1) throw new GlowException($"threads is {threads}; it must be at least 1");
        return kind switch
        {
            Auto => Usable(DeviceProbe.Cuda()) is { } cuda ? Open(Cuda, cuda, precision, graphs)
                : Usable(DeviceProbe.OpenCl().Where(static d => d.IsGpu)) is { } openCl ? Open(OpenCl, openCl,
                precision, graphs)
                : OpenHost(threads, precision),
            Cuda => Open(Cuda, FindCuda(DeviceProbe.Cuda(), NativeLibraries.HasCuda), precision, graphs),
            OpenCl => Open(OpenCl, FindOpenCl(DeviceProbe.OpenCl(), NativeLibraries.HasOpenCl), precision, graphs),
            Cpu => OpenHost(threads, precision),
            _ => throw new GlowException($"device '{kind}' is not known; it must be {Auto}, {Cuda}, {OpenCl} or {Cpu}"),
        };
    }

    /// <summary>All devices of this machine, the host last.</summary>
    public static IReadOnlyList<DeviceInfo> List() =>
    [
        .. DeviceProbe.Cuda().Select(static d => Info(Cuda, d)),
        .. DeviceProbe.OpenCl().Select(static d => Info(OpenCl, d)),
        new DeviceInfo(Cpu, HostName(), GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, new Dictionary<string, string>
        {
            ["vectors"] = HostProcessor.Vectors,
            ["cores"] = HostProcessor.PhysicalCores.ToString(CultureInfo.InvariantCulture),
            ["hardware threads"] = Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture),
        }),
    ];

    /// <summary>
    /// The GPU kernels on ILGPU's emulator, which is for tests: it takes seconds for what a GPU does in microseconds.
    /// </summary>
    internal static Device OpenEmulated(int groupSize = 4) => new(DeviceProbe.Emulated(groupSize).Open());

    /// <summary>The first usable CUDA device of those found, or the sentence why there is none.</summary>
    internal static ProbedDevice FindCuda(IReadOnlyList<ProbedDevice> found, bool hasDriver)
    {
        if (Usable(found) is { } device) return device;
        throw new GlowException(
            found.Count > 0 ? $"device cuda: {found[0].Name} cannot be used: {found[0].Obstacle}"
            : hasDriver ? "device cuda: the NVIDIA driver reports no device that this process may use; check "
            + "nvidia-smi, or choose --device auto or cpu"
            : "device cuda: no NVIDIA driver was found; install it, or choose --device auto or cpu");
    }

    /// <summary>The first usable OpenCL device of those found, or the sentence why there is none.</summary>
    internal static ProbedDevice FindOpenCl(IReadOnlyList<ProbedDevice> found, bool hasLoader)
    {
        if (Usable(found) is { } device) return device;
        throw new GlowException(
            found.Count > 0 ? $"device opencl: {found[0].Name} cannot be used: {found[0].Obstacle}"
            : hasLoader ? "device opencl: no OpenCL driver reports a device; install the driver of your GPU, or "
            + "choose --device auto or cpu"
            : "device opencl: no OpenCL loader (libOpenCL.so.1) was found; install it and a driver, or choose "
            + "--device auto or cpu");
    }

    private static ProbedDevice? Usable(IEnumerable<ProbedDevice> devices) =>
        devices.FirstOrDefault(static d => d.Obstacle is null);

    private static Device OpenHost(int? threads, Precision? precision)
    {
        CheckPrecision(Cpu, HostName(), hasTensorCores: false, precision);
        return new(new HostBackend(threads));
    }

    /// <exception cref="GlowException">The precision needs tensor cores and the device has none.</exception>
    internal static void CheckPrecision(string kind, string name, bool hasTensorCores, Precision? precision)
    {
        if (precision is not (Precision.Tf32 or Precision.Bf16) || hasTensorCores) return;
        throw new GlowException(
            $"precision {Word(precision.Value)}: device {kind} ({name}) has no tensor cores for it; choose "
                + "--precision fp32 or a CUDA device of compute capability 8.0 or later");
    }

    /// <summary>The word for a precision, as options and files have it.</summary>
    public static string Word(Precision precision) => precision.ToString().ToLowerInvariant();

    private static Device Open(string kind, ProbedDevice device, Precision? precision, bool graphs)
    {
        CheckPrecision(kind, device.Name, device.HasTensorCores, precision);
        try
        {
            return new Device(device.Open(precision)) { UsesGraphs = graphs };
        }
        catch (Exception e) when (e is AcceleratorException or NotSupportedException)
        {
            throw new GlowException(
                $"device {kind}: {device.Name} could not be opened ({e.Message}); free it or mend its driver, or "
                    + "choose --device cpu", e);
        }
    }

    private static DeviceInfo Info(string kind, ProbedDevice device) =>
        new(kind, device.Name, device.MemoryBytes, device.Obstacle is null
            ? device.Properties
            : new Dictionary<string, string>(device.Properties) { ["unusable"] = device.Obstacle });

    private static string HostName()
    {
        const string CpuInfo = "/proc/cpuinfo", Key = "model name";
        string? line = File.Exists(CpuInfo)
            ? File.ReadLines(CpuInfo).FirstOrDefault(static l => l.StartsWith(Key, StringComparison.Ordinal))
            : null;
        return line is null ? RuntimeInformation.ProcessArchitecture.ToString()
            : line[(line.IndexOf(':') + 1)..].Trim();
    }
}
