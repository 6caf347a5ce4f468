using System.Runtime.InteropServices;
using GlowGpu.Engine;

namespace GlowGpu.Bench.Gpu;

/// <summary>
/// What the report needs of NVIDIA's driver (CUDA driver API); the caller has made its context current.
/// </summary>
internal static partial class CudaDriver
{
    private const string Library = "libcuda.so.1";

    /// <summary>An event with a time stamp.</summary>
    public static nint CreateEvent()
    {
        Check(cuEventCreate(out nint handle, 0), nameof(cuEventCreate));
        return handle;
    }

    /// <summary>Frees it.</summary>
    public static void DestroyEvent(nint handle) => cuEventDestroy(handle);

    /// <summary>Queues an event on a stream.</summary>
    public static void Record(nint handle, nint stream) => Check(cuEventRecord(handle, stream), nameof(cuEventRecord));

    /// <summary>Waits for an event.</summary>
    public static void Wait(nint handle) => Check(cuEventSynchronize(handle), nameof(cuEventSynchronize));

    /// <summary>Milliseconds from one event to a later one, both past.</summary>
    public static double Elapsed(nint begin, nint end)
    {
        Check(cuEventElapsedTime(out float milliseconds, begin, end), nameof(cuEventElapsedTime));
        return milliseconds;
    }

    /// <summary>Bytes of device memory that nobody holds.</summary>
    public static long FreeBytes()
    {
        Check(cuMemGetInfo(out nuint free, out _), nameof(cuMemGetInfo));
        return (long)free;
    }

    /// <summary>Queues a copy inside device memory.</summary>
    public static void Copy(nint target, nint source, long bytes, nint stream) =>
        Check(cuMemcpyDtoDAsync(target, source, (nuint)bytes, stream), nameof(cuMemcpyDtoDAsync));

    private static void Check(int status, string call)
    {
        if (status != 0) throw new GlowException($"gpu: the NVIDIA driver's {call} failed with CUresult {status}");
    }

    [LibraryImport(Library)]
    private static partial int cuEventCreate(out nint handle, uint flags);

    [LibraryImport(Library, EntryPoint = "cuEventDestroy_v2")]
    private static partial int cuEventDestroy(nint handle);

    [LibraryImport(Library)]
    private static partial int cuEventRecord(nint handle, nint stream);

    [LibraryImport(Library)]
    private static partial int cuEventSynchronize(nint handle);

    [LibraryImport(Library)]
    private static partial int cuEventElapsedTime(out float milliseconds, nint begin, nint end);

    [LibraryImport(Library, EntryPoint = "cuMemGetInfo_v2")]
    private static partial int cuMemGetInfo(out nuint free, out nuint total);

    [LibraryImport(Library, EntryPoint = "cuMemcpyDtoDAsync_v2")]
    private static partial int cuMemcpyDtoDAsync(nint target, nint source, nuint bytes, nint stream);
}
