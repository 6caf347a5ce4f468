using System.Runtime.InteropServices;

namespace GlowGpu.Bench.Peers;

/// <summary>
/// What an algorithm took when it was tried: cudnnConvolutionFwdAlgoPerf_t, and cudnnConvolutionBwdDataAlgoPerf_t and
/// cudnnConvolutionBwdFilterAlgoPerf_t, which differ in the type of their first member alone. 48 bytes.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct CudnnAlgorithm
{
    /// <summary>Number of the algorithm among those of its direction.</summary>
    public int Algorithm;

    /// <summary>cudnnStatus_t: 0 if it ran.</summary>
    public int Status;

    /// <summary>Milliseconds.</summary>
    public float Milliseconds;

    /// <summary>Bytes of workspace.</summary>
    public nuint WorkspaceBytes;

    /// <summary>cudnnDeterminism_t.</summary>
    public int Determinism;

    /// <summary>cudnnMathType_t.</summary>
    public int MathType;

    private fixed int reserved[3];
}

/// <summary>Function pointers of cuDNN under its names without the prefix; every one returns a cudnnStatus_t.</summary>
internal sealed unsafe class CudnnFunctions(PeerLibrary library)
{
    /// <summary>Descriptors: *desc.</summary>
    public readonly delegate* unmanaged<nint*, int> CreateTensor = (delegate* unmanaged<nint*, int>)library.Function(
        "cudnnCreateTensorDescriptor"),
        CreateFilter = (delegate* unmanaged<nint*, int>)library.Function("cudnnCreateFilterDescriptor"),
        CreateConvolution = (delegate* unmanaged<nint*, int>)library.Function("cudnnCreateConvolutionDescriptor"),
        CreateActivation = (delegate* unmanaged<nint*, int>)library.Function("cudnnCreateActivationDescriptor");

    /// <summary>Descriptors: desc.</summary>
    public readonly delegate* unmanaged<nint, int> DestroyTensor = (delegate* unmanaged<nint, int>)library.Function(
        "cudnnDestroyTensorDescriptor"),
        DestroyFilter = (delegate* unmanaged<nint, int>)library.Function("cudnnDestroyFilterDescriptor"),
        DestroyConvolution = (delegate* unmanaged<nint, int>)library.Function("cudnnDestroyConvolutionDescriptor"),
        DestroyActivation = (delegate* unmanaged<nint, int>)library.Function("cudnnDestroyActivationDescriptor");

    /// <summary>desc, format, type, n, c, h, w.</summary>
    public readonly delegate* unmanaged<nint, int, int, int, int, int, int, int> SetTensor4d =
        (delegate* unmanaged<nint, int, int, int, int, int, int, int>)library.Function("cudnnSetTensor4dDescriptor");

    /// <summary>desc, type, format, k, c, h, w.</summary>
    public readonly delegate* unmanaged<nint, int, int, int, int, int, int, int> SetFilter4d =
        (delegate* unmanaged<nint, int, int, int, int, int, int, int>)library.Function("cudnnSetFilter4dDescriptor");

    /// <summary>desc, pad_h, pad_w, stride_h, stride_w, dilation_h, dilation_w, mode, compute type.</summary>
    public readonly delegate* unmanaged<nint, int, int, int, int, int, int, int, int, int> SetConvolution2d =
        (delegate* unmanaged<nint, int, int, int, int, int, int, int, int, int>)library.Function(
            "cudnnSetConvolution2dDescriptor");

    /// <summary>desc, math type.</summary>
    public readonly delegate* unmanaged<nint, int, int> SetConvolutionMathType =
        (delegate* unmanaged<nint, int, int>)library.Function("cudnnSetConvolutionMathType");

    /// <summary>desc, mode, NaN propagation, coefficient.</summary>
    public readonly delegate* unmanaged<nint, int, int, double, int> SetActivation =
        (delegate* unmanaged<nint, int, int, double, int>)library.Function("cudnnSetActivationDescriptor");

    /// <summary>
    /// handle, first operand's desc and data, second's, convolution, result's desc and data, requested, *returned,
    /// perf[], workspace, bytes.
    /// Forward takes (x, w) → y, backward data (w, dy) → dx, backward filter (x, dy) → dw.
    /// </summary>
    public readonly delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, nint, int, int*, CudnnAlgorithm*, nint, nuint, int>
        FindForward = (delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, nint, int, int*, CudnnAlgorithm*, nint, nuint, int>)
            library.Function("cudnnFindConvolutionForwardAlgorithmEx"),
        FindBackwardData = (delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, nint, int, int*, CudnnAlgorithm*, nint, nuint, int>)
            library.Function("cudnnFindConvolutionBackwardDataAlgorithmEx"),
        FindBackwardFilter = (delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, nint, int, int*, CudnnAlgorithm*, nint, nuint, int>)
            library.Function("cudnnFindConvolutionBackwardFilterAlgorithmEx");

    /// <summary>
    /// handle, *alpha, first operand's desc and data, second's, convolution, algorithm, workspace, bytes, *beta,
    /// result's desc and data.
    /// </summary>
    public readonly delegate* unmanaged<nint, float*, nint, nint, nint, nint, nint, int, nint, nuint, float*, nint, nint, int>
        Forward = (delegate* unmanaged<nint, float*, nint, nint, nint, nint, nint, int, nint, nuint, float*, nint, nint, int>)
            library.Function("cudnnConvolutionForward"),
        BackwardData = (delegate* unmanaged<nint, float*, nint, nint, nint, nint, nint, int, nint, nuint, float*, nint, nint, int>)
            library.Function("cudnnConvolutionBackwardData"),
        BackwardFilter = (delegate* unmanaged<nint, float*, nint, nint, nint, nint, nint, int, nint, nuint, float*, nint, nint, int>)
            library.Function("cudnnConvolutionBackwardFilter");

    /// <summary>
    /// handle, *alpha1, x desc, x, w desc, w, convolution, algorithm, workspace, bytes, *alpha2, z desc, z, bias
    /// desc, bias, activation, y desc, y:
    /// y = act(alpha1·conv(x) + alpha2·z + bias).
    /// </summary>
    public readonly delegate* unmanaged<nint, float*, nint, nint, nint, nint, nint, int, nint, nuint, float*, nint, nint, nint, nint, nint, nint, nint, int>
        BiasActivationForward = (delegate* unmanaged<nint, float*, nint, nint, nint, nint, nint, int, nint, nuint, float*, nint, nint, nint, nint, nint, nint, nint, int>)
            library.Function("cudnnConvolutionBiasActivationForward");

    /// <summary>
    /// handle, *alpha, source's desc and data, *beta, target's desc and data: adds a bias; sums dy to the gradient of
    /// one.
    /// </summary>
    public readonly delegate* unmanaged<nint, float*, nint, nint, float*, nint, nint, int>
        AddTensor = (delegate* unmanaged<nint, float*, nint, nint, float*, nint, nint, int>)library.Function(
            "cudnnAddTensor"),
        BackwardBias = (delegate* unmanaged<nint, float*, nint, nint, float*, nint, nint, int>)library.Function(
            "cudnnConvolutionBackwardBias");

    /// <summary>handle, activation, *alpha, x desc, x, *beta, y desc, y.</summary>
    public readonly delegate* unmanaged<nint, nint, float*, nint, nint, float*, nint, nint, int> ActivationForward =
        (delegate* unmanaged<nint, nint, float*, nint, nint, float*, nint, nint, int>)library.Function(
            "cudnnActivationForward");

    /// <summary>handle, activation, *alpha, y desc, y, dy desc, dy, x desc, x, *beta, dx desc, dx.</summary>
    public readonly delegate* unmanaged<nint, nint, float*, nint, nint, nint, nint, nint, nint, float*, nint, nint, int> ActivationBackward =
        (delegate* unmanaged<nint, nint, float*, nint, nint, nint, nint, nint, nint, float*, nint, nint, int>)library.Function("cudnnActivationBackward");
}
