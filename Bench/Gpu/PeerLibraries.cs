using GlowGpu.Bench.Peers;
using GlowGpu.Engine;
using GlowGpu.Kernels.Gpu;
using ILGPU.Runtime.Cuda;

namespace GlowGpu.Bench.Gpu;

/// <summary>NVIDIA's libraries on the device under test, or the sentences why they are not measured.</summary>
internal sealed class PeerLibraries : IDisposable
{
    private readonly CudaAccelerator? accelerator;

    /// <summary>Loads what there is.</summary>
    public PeerLibraries(GpuBackend backend, TextWriter log)
    {
        Backend = backend;
        if (backend.Accelerator is not CudaAccelerator cuda)
        {
            CublasNote = CudnnNote = $"not measured: it needs a CUDA device, and {backend.Name} is driven by "
                + $"{backend.Accelerator.AcceleratorType}";
            return;
        }
        accelerator = cuda;
        Bind();
        Stream = ((CudaStream)backend.Gpu.Stream).StreamPtr;
        (Cublas, CublasNote) = Try(static () => new CublasLt(), static l => l.Description);
        (Cudnn, CudnnNote) = Try(() => new Cudnn(Stream), static l => l.Description);
        log.WriteLine($"cuBLASLt: {CublasNote}");
        log.WriteLine($"cuDNN: {CudnnNote}");
    }

    /// <summary>The backend whose device and stream they work on.</summary>
    public GpuBackend Backend { get; }

    /// <summary>Its CUDA stream.</summary>
    public nint Stream { get; }

    /// <summary>cuBLASLt, or null.</summary>
    public CublasLt? Cublas { get; }

    /// <summary>Its version and place, or why there is none.</summary>
    public string CublasNote { get; }

    /// <summary>cuDNN, or null.</summary>
    public Cudnn? Cudnn { get; }

    /// <summary>Its version and place, or why there is none.</summary>
    public string CudnnNote { get; }

    /// <summary>Makes the device's context current, which every call of a library works on.</summary>
    public void Bind() => accelerator?.Bind();

    /// <inheritdoc/>
    public void Dispose()
    {
        Bind();
        Cudnn?.Dispose();
        Cublas?.Dispose();
    }

    private static (T?, string) Try<T>(Func<T> load, Func<T, string> describe) where T : class
    {
        try
        {
            T library = load();
            return (library, describe(library));
        }
        catch (GlowException e)
        {
            return (null, $"not measured: {e.Message}");
        }
    }
}
