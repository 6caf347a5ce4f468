namespace GlowGpu.Engine;

/// <summary>A device of this machine, as <c>glow devices</c> lists it.</summary>
public sealed record DeviceInfo(string Kind, string Name, long MemoryBytes, IReadOnlyDictionary<string, string> Properties);

/// <summary>Finds and opens devices.</summary>
public static class DeviceFactory
{
    /// <summary>Opens <c>auto</c> (CUDA, then an OpenCL GPU, then the host), <c>cuda</c>, <c>opencl</c> or <c>cpu</c>.</summary>
    /// <exception cref="GlowException">There is no such device; the sentence says why.</exception>
    public static Device Open(string kind, int? threads = null) => throw new NotImplementedException();

    /// <summary>All devices of this machine.</summary>
    public static IReadOnlyList<DeviceInfo> List() => throw new NotImplementedException();
}
