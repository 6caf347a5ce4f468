using System.Runtime.InteropServices;
using ILGPU.Runtime.Cuda;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// Lets a kernel's groups ask for more than 48 KiB of dynamic shared memory, which CUDA grants only to functions that
/// declare it; ILGPU 1.5.3 has no call for that.
/// </summary>
internal static unsafe class CudaDynamicShared
{
    // CUfunction_attribute, CUDA driver API.
    private const int MaxDynamicSharedSizeBytes = 8;

    private static readonly Lazy<nint> SetAttribute = new(Find);

    /// <summary>Allows up to <paramref name="bytes"/> bytes.</summary>
    /// <exception cref="CudaException">The driver refuses.</exception>
    public static void Allow(CudaKernel kernel, int bytes)
    {
        delegate* unmanaged<nint, int, int, CudaError> set = (delegate* unmanaged<nint, int, int, CudaError>)SetAttribute.Value;
        CudaError error = set(kernel.FunctionPtr, MaxDynamicSharedSizeBytes, bytes);
        if (error != CudaError.CUDA_SUCCESS) throw new CudaException(error);
    }

    private static nint Find() => NativeLibrary.GetExport(NativeLibraries.LoadCuda(), "cuFuncSetAttribute");
}
