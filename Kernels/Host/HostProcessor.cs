namespace GlowGpu.Kernels.Host;

/// <summary>Placeholder, to be dropped at merge.</summary>
public static class HostProcessor
{
    public static int PhysicalCores => Environment.ProcessorCount;
    public static string Vectors => "";
}
