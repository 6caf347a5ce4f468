using GlowGpu.Engine;
using ILGPU;
using ILGPU.Runtime;

namespace GlowGpu.Bench.Gpu;

/// <summary>
/// A report of a GPU goes on after a failure and lists it at its end: time on such a machine is scarce.
/// </summary>
internal static class Failures
{
    /// <summary>Whether an exception is about what was measured and not about the report itself.</summary>
    public static bool CanBeReported(Exception e) =>
        e is GlowException or OutOfMemoryException or AcceleratorException or InternalCompilerException
            or InvalidOperationException or NotSupportedException or DllNotFoundException;
}
