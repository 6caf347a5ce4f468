using System.Runtime.InteropServices;
using GlowGpu.Engine;

namespace GlowGpu.Bench.Peers;

/// <summary>
/// NVIDIA's cuDNN 9: the functions of its C API that a convolution and its pointwise neighbours need (cuDNN API
/// reference, cudnn_ops and cudnn_cnn). Its calls work on the CUDA context that is current.
/// </summary>
internal sealed unsafe class Cudnn : IDisposable
{
    /// <summary>cudnnTensorFormat_t CUDNN_TENSOR_NHWC: of a filter [K,R,S,C].</summary>
    public const int Nhwc = 1;

    /// <summary>cudnnDataType_t.</summary>
    public const int Float = 0, BFloat16 = 9;

    /// <summary>cudnnConvolutionMode_t CUDNN_CROSS_CORRELATION.</summary>
    public const int CrossCorrelation = 1;

    /// <summary>cudnnMathType_t: tensor cores (float32 as TF32), and multiply-adds in float32 alone.</summary>
    public const int TensorOpMath = 1, FmaMath = 3;

    /// <summary>cudnnActivationMode_t CUDNN_ACTIVATION_RELU.</summary>
    public const int Relu = 1;

    // Each library that libcudnn.so.9 loads by name while it runs, after those it needs.
    private static readonly string[] Companions =
    [
        "libcudnn_graph.so.9", "libcudnn_ops.so.9", "libcudnn_engines_precompiled.so.9",
        "libcudnn_engines_runtime_compiled.so.9",
        "libcudnn_heuristic.so.9", "libcudnn_cnn.so.9",
    ];

    private readonly PeerLibrary library;
    private readonly delegate* unmanaged<int, byte*> errorString;
    private readonly delegate* unmanaged<nint, int> destroy;
    private readonly nint handle;

    /// <summary>Loads the library and makes a handle whose work goes to a stream of the current context.</summary>
    /// <exception cref="GlowException">There is none, or it fails.</exception>
    public Cudnn(nint stream)
    {
        library = PeerLibrary.Load("cuDNN", "GLOW_CUDNN", ["libcudnn.so.9"], Companions);
        errorString = (delegate* unmanaged<int, byte*>)library.Function("cudnnGetErrorString");
        destroy = (delegate* unmanaged<nint, int>)library.Function("cudnnDestroy");
        Functions = new CudnnFunctions(library);
        nuint number = ((delegate* unmanaged<nuint>)library.Function("cudnnGetVersion"))();
        // 9.10.2 is 91002.
        Description = $"cuDNN {number / 10000}.{number / 100 % 100}.{number % 100} ({library.Path})";
        fixed (nint* target = &handle)
            Check(((delegate* unmanaged<nint*, int>)library.Function("cudnnCreate"))(target), "cudnnCreate");
        Check(((delegate* unmanaged<nint, nint, int>)library.Function("cudnnSetStream"))(handle, stream),
            "cudnnSetStream");
    }

    /// <summary>Name, version and place.</summary>
    public string Description { get; }

    /// <summary>The library's handle.</summary>
    public nint Handle => handle;

    /// <summary>Its functions.</summary>
    public CudnnFunctions Functions { get; }

    /// <summary>Throws unless a status is success.</summary>
    /// <exception cref="GlowException">It is not.</exception>
    public void Check(int status, string call)
    {
        if (status != 0)
            throw new GlowException(
            $"cuDNN: {call} failed with {Marshal.PtrToStringUTF8((nint)errorString(status))} ({status})");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (handle != 0) destroy(handle);
    }
}
