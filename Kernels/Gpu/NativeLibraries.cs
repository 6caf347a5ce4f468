using System.Runtime.InteropServices;
using ILGPU;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// Finds the drivers' libraries under the names that run-time packages install. ILGPU asks for <c>libcuda.so</c> and
/// <c>libOpenCL.so</c>, names that Linux distributions reserve for development packages.
/// </summary>
public static class NativeLibraries
{
    // Last the place where Windows keeps the CUDA library for its Linux subsystem.
    private static readonly string[] CudaNames = ["libcuda.so.1", "libcuda.so", "/usr/lib/wsl/lib/libcuda.so.1"];
    private static readonly string[] OpenClNames = ["libOpenCL.so.1", "libOpenCL.so"];

    private static readonly Lock Gate = new();
    private static bool registered;

    /// <summary>Whether the CUDA driver's library can be loaded.</summary>
    public static bool HasCuda => OperatingSystem.IsWindows() ? CanLoad("nvcuda.dll") : CudaNames.Any(CanLoad);

    /// <summary>Whether an OpenCL loader can be loaded.</summary>
    public static bool HasOpenCl =>
        OperatingSystem.IsWindows() ? CanLoad("OpenCL.dll")
        : OperatingSystem.IsMacOS() ? CanLoad("/System/Library/Frameworks/OpenCL.framework/OpenCL")
        : OpenClNames.Any(CanLoad);

    /// <summary>Handle of the CUDA driver's library, which stays loaded, or 0.</summary>
    internal static nint LoadCuda() =>
        OperatingSystem.IsWindows() ? NativeLibrary.TryLoad("nvcuda.dll", out nint handle) ? handle : 0
            : FirstOf(CudaNames);

    /// <summary>
    /// Makes ILGPU find the libraries from now on. Takes effect only before the first device is looked for; calling
    /// it again does nothing. A process that has set a resolver for ILGPU itself keeps it.
    /// </summary>
    public static void Register()
    {
        lock (Gate)
        {
            if (registered || !OperatingSystem.IsLinux()) return;
            registered = true;
            try
            {
                NativeLibrary.SetDllImportResolver(typeof(Context).Assembly, Resolve);
            }
            catch (InvalidOperationException)
            {
                // Another resolver is in place; it is the application's to choose.
            }
        }
    }

    /// <summary>
    /// Handle of the library that stands behind one of ILGPU's imports, or zero for the default search.
    /// </summary>
    internal static nint Resolve(string name, System.Reflection.Assembly assembly, DllImportSearchPath? searchPath)
    {
        return FirstOf(name switch
        {
            "cuda" => CudaNames,
            "OpenCL" => OpenClNames,
            _ => [],
        });
    }

    private static nint FirstOf(string[] candidates)
    {
        foreach (string candidate in candidates)
            if (NativeLibrary.TryLoad(candidate, out nint handle)) return handle;
        return 0;
    }

    private static bool CanLoad(string name)
    {
        if (!NativeLibrary.TryLoad(name, out nint handle)) return false;
        NativeLibrary.Free(handle);
        return true;
    }
}
