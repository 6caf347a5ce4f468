namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// The calls of a driver that stream capture takes. Each returns the driver's result code, of which 0 is success.
/// </summary>
internal interface IGraphDriver
{
    /// <summary>From here on work queued on the stream by this thread is captured.</summary>
    int BeginCapture();

    /// <summary>Whether the stream is capturing: 0 no, 1 yes, 2 yes, but in vain.</summary>
    int CaptureStatus(out int status);

    /// <summary>Ends the capture; the graph may be 0.</summary>
    int EndCapture(out nint graph);

    /// <summary>Makes a graph ready to launch.</summary>
    int Instantiate(nint graph, out nint executable);

    /// <summary>Queues it on the stream.</summary>
    int Launch(nint executable);

    /// <summary>Frees a graph.</summary>
    int DestroyGraph(nint graph);

    /// <summary>Frees what <see cref="Instantiate"/> made.</summary>
    int DestroyExecutable(nint executable);
}
