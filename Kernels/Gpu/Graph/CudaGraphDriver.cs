using System.Runtime.InteropServices;
using ILGPU.Runtime.Cuda;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// Stream capture by NVIDIA's driver API on the stream that ILGPU queues on. ILGPU does not know these calls, so they
/// are looked up in the driver's library, under the names they have had since CUDA 11.4
/// (<c>cuGraphInstantiateWithFlags</c> is the newest). Capture is relaxed: an allocation meanwhile, which spoils the
/// recording (<see cref="GraphRecorder.Spoil"/>), is itself no error.
/// </summary>
internal sealed unsafe class CudaGraphDriver : IGraphDriver
{
    // CUstreamCaptureMode.
    private const int RelaxedCapture = 2;

    private readonly nint stream;
    private readonly delegate* unmanaged<nint, int, int> beginCapture;
    private readonly delegate* unmanaged<nint, int*, int> isCapturing;
    private readonly delegate* unmanaged<nint, nint*, int> endCapture;
    private readonly delegate* unmanaged<nint*, nint, ulong, int> instantiate;
    private readonly delegate* unmanaged<nint, nint, int> launch;
    private readonly delegate* unmanaged<nint, int> destroyGraph, destroyExecutable;

    private CudaGraphDriver(nint library, nint stream)
    {
        this.stream = stream;
        beginCapture = (delegate* unmanaged<nint, int, int>)NativeLibrary.GetExport(library, "cuStreamBeginCapture_v2");
        isCapturing = (delegate* unmanaged<nint, int*, int>)NativeLibrary.GetExport(library, "cuStreamIsCapturing");
        endCapture = (delegate* unmanaged<nint, nint*, int>)NativeLibrary.GetExport(library, "cuStreamEndCapture");
        instantiate = (delegate* unmanaged<nint*, nint, ulong, int>)NativeLibrary.GetExport(library,
            "cuGraphInstantiateWithFlags");
        launch = (delegate* unmanaged<nint, nint, int>)NativeLibrary.GetExport(library, "cuGraphLaunch");
        destroyGraph = (delegate* unmanaged<nint, int>)NativeLibrary.GetExport(library, "cuGraphDestroy");
        destroyExecutable = (delegate* unmanaged<nint, int>)NativeLibrary.GetExport(library, "cuGraphExecDestroy");
    }

    /// <summary>For a CUDA device whose driver has all of the calls, else null.</summary>
    public static CudaGraphDriver? For(GpuContext gpu)
    {
        if (gpu.Stream is not CudaStream { StreamPtr: not 0 } stream || NativeLibraries.LoadCuda()
            is not (nint library and not 0)) return null;
        try
        {
            return new CudaGraphDriver(library, stream.StreamPtr);
        }
        catch (EntryPointNotFoundException)
        {
            // A driver older than CUDA 11.4: every step is queued launch by launch.
            return null;
        }
    }

    /// <inheritdoc/>
    public int BeginCapture() => beginCapture(stream, RelaxedCapture);

    /// <inheritdoc/>
    public int CaptureStatus(out int status)
    {
        fixed (int* to = &status) return isCapturing(stream, to);
    }

    /// <inheritdoc/>
    public int EndCapture(out nint graph)
    {
        graph = 0;
        fixed (nint* to = &graph) return endCapture(stream, to);
    }

    /// <inheritdoc/>
    public int Instantiate(nint graph, out nint executable)
    {
        executable = 0;
        fixed (nint* to = &executable) return instantiate(to, graph, 0);
    }

    /// <inheritdoc/>
    public int Launch(nint executable) => launch(executable, stream);

    /// <inheritdoc/>
    public int DestroyGraph(nint graph) => destroyGraph(graph);

    /// <inheritdoc/>
    public int DestroyExecutable(nint executable) => destroyExecutable(executable);
}
