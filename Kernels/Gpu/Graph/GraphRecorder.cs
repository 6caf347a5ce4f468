namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// Records the work of one stream as a CUDA graph by stream capture. A graph holds launches with the arguments they
/// had: memory must stay where it is, and what changes from replay to replay lies in device memory that is written
/// before. (Capturing every step anew and updating the graph would cost the host what launching costs: the launches
/// themselves.)
/// </summary>
internal sealed class GraphRecorder(GpuContext gpu, IGraphDriver driver) : IWorkRecorder
{
    private string? spoilt;

    /// <summary>What is recorded cannot be replayed; the first reason counts.</summary>
    public void Spoil(string reason) => spoilt ??= reason;

    /// <inheritdoc/>
    public string? Begin()
    {
        if (gpu.Recording is not null) throw new InvalidOperationException("gpu: work is being recorded already");
        gpu.Accelerator.Bind();
        spoilt = null;
        if (driver.BeginCapture() is int code and not 0)
            return Sentence("the driver refused to begin the capture", code);
        gpu.Recording = this;
        return null;
    }

    /// <inheritdoc/>
    public IRecordedWork? End(out string? refusal)
    {
        if (gpu.Recording != this) throw new InvalidOperationException("gpu: no work is being recorded");
        gpu.Recording = null;
        if (driver.CaptureStatus(out int status) == 0 && status != 1) Spoil("the driver gave the capture up");
        int ended = driver.EndCapture(out nint graph);
        try
        {
            refusal = spoilt;
            if (refusal is null && ended != 0) refusal = Sentence("the driver could not end the capture", ended);
            if (refusal is null && graph == 0) refusal = "the driver captured nothing";
            if (refusal is not null) return null;
            if (driver.Instantiate(graph, out nint executable) is int code and not 0)
            {
                refusal = Sentence("the driver could not make the graph ready", code);
                return null;
            }
            return new Graph(gpu, driver, executable);
        }
        finally
        {
            if (graph != 0) driver.DestroyGraph(graph);
        }
    }

    private static string Sentence(string what, int code) => $"{what} (CUDA error {code})";

    private sealed class Graph(GpuContext gpu, IGraphDriver driver, nint executable) : IRecordedWork
    {
        private bool disposed;

        public string? Run()
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            gpu.Accelerator.Bind();
            return driver.Launch(executable) is int code and not 0
                ? Sentence("the driver refused to launch the graph", code) : null;
        }

        public void Dispose()
        {
            if (disposed) return;
            disposed = true;
            if (gpu.Disposed) return;
            // It may still run.
            gpu.Synchronize();
            driver.DestroyExecutable(executable);
        }
    }
}
