using GlowGpu.Bench.Gpu;
using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Bench.Peers;

/// <summary>
/// One convolution (odd size, zero padding, stride 1) and its bias by cuDNN, NHWC, each direction with the algorithm
/// that was fastest when cuDNN tried them all.
/// </summary>
internal sealed unsafe class CudnnConvolution : IDisposable
{
    private const int MostAlgorithms = 16;

    private readonly Cudnn cudnn;
    private readonly CudnnFunctions call;
    private readonly View workspace;
    private readonly nint xDesc, yDesc, weightDesc, biasDesc, convolution;
    private readonly long workspaceBytes;
    private readonly bool single;
    private CudnnAlgorithm forward, backwardData, backwardFilter;

    /// <summary>
    /// Descriptors of a convolution, and memory for its weights [Out,Size,Size,In], its bias [Out], x, y and the
    /// gradients of all.
    /// </summary>
    public CudnnConvolution(Cudnn cudnn, DeviceMemory memory, Pixels pixels, int channels, int outputs, int size,
        string precision, View x, View dx, View workspace)
    {
        (this.cudnn, call, this.workspace) = (cudnn, cudnn.Functions, workspace);
        workspaceBytes = workspace.Count * sizeof(float);
        bool bf16 = precision == "bf16";
        single = precision == "fp32";
        int type = bf16 ? Cudnn.BFloat16 : Cudnn.Float;
        (xDesc, yDesc) = (Tensor(type, pixels.N, channels, pixels.H, pixels.W),
            Tensor(type, pixels.N, outputs, pixels.H, pixels.W));
        biasDesc = Tensor(type, 1, outputs, 1, 1);
        fixed (nint* target = &weightDesc) cudnn.Check(call.CreateFilter(target), "cudnnCreateFilterDescriptor");
        cudnn.Check(call.SetFilter4d(weightDesc, type, Cudnn.Nhwc, outputs, channels, size, size),
            "cudnnSetFilter4dDescriptor");
        fixed (nint* target = &convolution) cudnn.Check(call.CreateConvolution(target),
            "cudnnCreateConvolutionDescriptor");
        cudnn.Check(call.SetConvolution2d(convolution, size / 2, size / 2, 1, 1, 1, 1, Cudnn.CrossCorrelation,
            Cudnn.Float), "cudnnSetConvolution2dDescriptor");
        cudnn.Check(call.SetConvolutionMathType(convolution, single ? Cudnn.FmaMath : Cudnn.TensorOpMath),
            "cudnnSetConvolutionMathType");
        (X, Dx) = (x, dx);
        (Y, Dy) = (memory.Elements((long)pixels.Count * outputs, bf16),
            memory.Elements((long)pixels.Count * outputs, bf16));
        long weights = (long)outputs * size * size * channels;
        (Weight, DWeight) = (memory.Elements(weights, bf16), memory.Elements(weights, bf16));
        (Bias, DBias) = (memory.Elements(outputs, bf16), memory.Elements(outputs, bf16));
    }

    /// <summary>Input [P,In] and its gradient.</summary>
    public View X { get; }

    /// <summary>Gradient of the input.</summary>
    public View Dx { get; }

    /// <summary>Output [P,Out].</summary>
    public View Y { get; }

    /// <summary>Gradient of the output; a ReLU's backward writes here too.</summary>
    public View Dy { get; }

    /// <summary>Weights [Out,Size,Size,In].</summary>
    public View Weight { get; }

    /// <summary>Their gradient.</summary>
    public View DWeight { get; }

    /// <summary>Bias [Out].</summary>
    public View Bias { get; }

    /// <summary>Its gradient.</summary>
    public View DBias { get; }

    /// <summary>Lets cuDNN try every algorithm of the three directions; overwrites outputs and gradients.</summary>
    public void ChooseAlgorithms()
    {
        forward = Find("cudnnFindConvolutionForwardAlgorithmEx", call.FindForward, xDesc, X, weightDesc,
            Weight, yDesc, Y);
        backwardData = Find("cudnnFindConvolutionBackwardDataAlgorithmEx", call.FindBackwardData, weightDesc, Weight,
            yDesc, Dy, xDesc, Dx);
        backwardFilter = Find("cudnnFindConvolutionBackwardFilterAlgorithmEx", call.FindBackwardFilter, xDesc, X,
            yDesc, Dy, weightDesc, DWeight);
    }

    /// <summary>Queues y = conv(x).</summary>
    public void Forward() => Run("cudnnConvolutionForward", call.Forward, xDesc, X, weightDesc,
        Weight, forward, yDesc, Y);

    /// <summary>Queues dx from dy.</summary>
    public void BackwardData() => Run("cudnnConvolutionBackwardData", call.BackwardData, weightDesc, Weight, yDesc,
        Dy, backwardData, xDesc, Dx);

    /// <summary>Queues the gradient of the weights from x and dy.</summary>
    public void BackwardFilter() => Run("cudnnConvolutionBackwardFilter", call.BackwardFilter, xDesc, X, yDesc, Dy,
        backwardFilter, weightDesc, DWeight);

    /// <summary>Queues y = relu(conv(x) + bias) in one call; false if cuDNN cannot with the algorithm chosen.</summary>
    public bool TryForwardBiasRelu(nint relu)
    {
        float one = 1, zero = 0;
        SetMathType(forward);
        return call.BiasActivationForward(cudnn.Handle, &one, xDesc, DeviceMemory.Address(X), weightDesc,
            DeviceMemory.Address(Weight), convolution,
            forward.Algorithm, DeviceMemory.Address(workspace), (nuint)workspaceBytes, &zero, yDesc,
                DeviceMemory.Address(Y),
            biasDesc, DeviceMemory.Address(Bias), relu, yDesc, DeviceMemory.Address(Y)) == 0;
    }

    /// <summary>Queues y += bias.</summary>
    public void AddBias()
    {
        float one = 1;
        cudnn.Check(call.AddTensor(cudnn.Handle, &one, biasDesc, DeviceMemory.Address(Bias), &one, yDesc,
            DeviceMemory.Address(Y)), "cudnnAddTensor");
    }

    /// <summary>Queues y ← relu(y).</summary>
    public void ApplyRelu(nint relu)
    {
        float one = 1, zero = 0;
        cudnn.Check(call.ActivationForward(cudnn.Handle, relu, &one, yDesc, DeviceMemory.Address(Y), &zero, yDesc,
            DeviceMemory.Address(Y)), "cudnnActivationForward");
    }

    /// <summary>Queues dy ← dy where y &gt; 0, else 0.</summary>
    public void ReluBackward(nint relu)
    {
        float one = 1, zero = 0;
        cudnn.Check(call.ActivationBackward(cudnn.Handle, relu, &one, yDesc, DeviceMemory.Address(Y), yDesc,
            DeviceMemory.Address(Dy),
            yDesc, DeviceMemory.Address(Y), &zero, yDesc, DeviceMemory.Address(Dy)), "cudnnActivationBackward");
    }

    /// <summary>Queues the gradient of the bias from dy.</summary>
    public void BackwardBias()
    {
        float one = 1, zero = 0;
        cudnn.Check(call.BackwardBias(cudnn.Handle, &one, yDesc, DeviceMemory.Address(Dy), &zero, biasDesc,
            DeviceMemory.Address(DBias)), "cudnnConvolutionBackwardBias");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (nint desc in (nint[])[xDesc, yDesc, biasDesc]) call.DestroyTensor(desc);
        call.DestroyFilter(weightDesc);
        call.DestroyConvolution(convolution);
    }

    private nint Tensor(int type, int n, int c, int h, int w)
    {
        nint desc = 0;
        cudnn.Check(call.CreateTensor(&desc), "cudnnCreateTensorDescriptor");
        cudnn.Check(call.SetTensor4d(desc, Cudnn.Nhwc, type, n, c, h, w), "cudnnSetTensor4dDescriptor");
        return desc;
    }

    private CudnnAlgorithm Find(string name,
        delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, nint, int, int*, CudnnAlgorithm*, nint, nuint, int> find,
        nint firstDesc, View first, nint secondDesc, View second, nint resultDesc, View result)
    {
        CudnnAlgorithm* found = stackalloc CudnnAlgorithm[MostAlgorithms];
        int count = 0;
        cudnn.Check(find(cudnn.Handle, firstDesc, DeviceMemory.Address(first), secondDesc,
            DeviceMemory.Address(second), convolution,
            resultDesc, DeviceMemory.Address(result), MostAlgorithms, &count, found, DeviceMemory.Address(workspace),
                (nuint)workspaceBytes), name);
        // Fastest first; those that failed, or need more workspace, have a status of their own.
        for (int i = 0; i < count; i++)
            if (found[i].Status == 0 && (long)found[i].WorkspaceBytes <= workspaceBytes) return found[i];
        throw new GlowException($"cuDNN: {name} found no algorithm that runs");
    }

    // What an algorithm reports for float32 may be the default, which allows TF32.
    private void SetMathType(CudnnAlgorithm algorithm) =>
        cudnn.Check(call.SetConvolutionMathType(convolution, single ? Cudnn.FmaMath : algorithm.MathType),
            "cudnnSetConvolutionMathType");

    private void Run(string name, delegate* unmanaged<nint, float*, nint, nint, nint, nint, nint, int, nint, nuint, float*, nint, nint, int> run,
        nint firstDesc, View first, nint secondDesc, View second, CudnnAlgorithm algorithm,
            nint resultDesc, View result)
    {
        float one = 1, zero = 0;
        SetMathType(algorithm);
        cudnn.Check(run(cudnn.Handle, &one, firstDesc, DeviceMemory.Address(first), secondDesc,
            DeviceMemory.Address(second), convolution,
            algorithm.Algorithm, DeviceMemory.Address(workspace), (nuint)workspaceBytes, &zero, resultDesc,
                DeviceMemory.Address(result)), name);
    }
}
