using GlowGpu.Bench.Gpu;
using GlowGpu.Kernels;

namespace GlowGpu.Bench.Peers;

/// <summary>
/// Convolutions one after the other by cuDNN, with a bias each and a ReLU between them: the coupling network with
/// actnorm folded into weights and bias, or the single convolution of a split. Without the edge channel, which is
/// work that ours does and it does not.
/// </summary>
internal sealed class CudnnChain : IDisposable
{
    private const long WorkspaceBytes = 1L << 30;

    private readonly Cudnn cudnn;
    private readonly CudnnConvolution[] convolutions;
    private readonly nint relu;
    private readonly bool bf16;
    private readonly bool[] fused;

    /// <summary>
    /// On the values of a reference; channels are padded with zeros to a multiple of <paramref name="multiple"/>.
    /// </summary>
    public CudnnChain(Cudnn cudnn, DeviceMemory memory, ConvolutionReference reference, string precision, int multiple)
    {
        this.cudnn = cudnn;
        bf16 = precision == "bf16";
        Reference = reference;
        Multiple = multiple;
        View workspace = memory.Bytes(WorkspaceBytes);
        convolutions = new CudnnConvolution[reference.Layers.Count];
        fused = new bool[convolutions.Length];
        long inputs = (long)reference.Pixels.Count * Padded(reference.Layers[0].In);
        View x = memory.Upload(Pad(reference.Input, reference.Layers[0].In), bf16), dx = memory.Elements(inputs, bf16);
        for (int i = 0; i < convolutions.Length; i++)
        {
            ConvolutionLayer layer = reference.Layers[i];
            int channels = Padded(layer.In), outputs = Padded(layer.Out);
            convolutions[i] = new CudnnConvolution(cudnn, memory, reference.Pixels, channels, outputs, layer.Size,
                precision, x, dx, workspace);
            (x, dx) = (convolutions[i].Y, convolutions[i].Dy);
        }
        unsafe
        {
            fixed (nint* target = &relu) cudnn.Check(cudnn.Functions.CreateActivation(target),
                "cudnnCreateActivationDescriptor");
            cudnn.Check(cudnn.Functions.SetActivation(relu, Cudnn.Relu, 0, 0), "cudnnSetActivationDescriptor");
        }
        Fill();
        foreach (CudnnConvolution convolution in convolutions) convolution.ChooseAlgorithms();
        Fill();
        for (int i = 0; i < convolutions.Length - 1; i++) fused[i] = convolutions[i].TryForwardBiasRelu(relu);
    }

    /// <summary>The right values.</summary>
    public ConvolutionReference Reference { get; }

    /// <summary>What channel counts are a multiple of.</summary>
    public int Multiple { get; }

    /// <summary>Whether bias and ReLU are part of the convolutions' own calls.</summary>
    public bool IsFused => fused[..^1].All(static f => f);

    /// <summary>Queues the convolutions alone.</summary>
    public void ConvolveForward()
    {
        foreach (CudnnConvolution convolution in convolutions) convolution.Forward();
    }

    /// <summary>Queues convolutions, biases and ReLUs.</summary>
    public void Forward()
    {
        for (int i = 0; i < convolutions.Length; i++)
        {
            bool last = i == convolutions.Length - 1;
            if (fused[i] && !last && convolutions[i].TryForwardBiasRelu(relu)) continue;
            convolutions[i].Forward();
            convolutions[i].AddBias();
            if (!last) convolutions[i].ApplyRelu(relu);
        }
    }

    /// <summary>Queues the gradients of weights and inputs by the convolutions alone.</summary>
    public void ConvolveBackward()
    {
        for (int i = convolutions.Length - 1; i >= 0; i--)
        {
            convolutions[i].BackwardFilter();
            convolutions[i].BackwardData();
        }
    }

    /// <summary>Queues the whole backward pass: those, the gradients of the biases, and the ReLUs'.</summary>
    public void Backward()
    {
        for (int i = convolutions.Length - 1; i >= 0; i--)
        {
            if (i < convolutions.Length - 1) convolutions[i].ReluBackward(relu);
            convolutions[i].BackwardBias();
            convolutions[i].BackwardFilter();
            convolutions[i].BackwardData();
        }
    }

    /// <summary>Largest relative error of the output after <see cref="Forward"/>.</summary>
    public double ForwardError() => RelativeError.Of(Cut(convolutions[^1].Y, Reference.Layers[^1].Out),
        Reference.Output);

    /// <summary>
    /// Largest relative error of the gradients of the input, the weights and the biases after <see cref="Forward"/>
    /// and <see cref="Backward"/>.
    /// </summary>
    public double BackwardError()
    {
        double worst = RelativeError.Of(Cut(convolutions[0].Dx, Reference.Layers[0].In), Reference.DInput);
        for (int i = 0; i < convolutions.Length; i++)
        {
            ConvolutionLayer layer = Reference.Layers[i];
            float[] dWeight = DeviceMemory.Download(convolutions[i].DWeight,
                layer.Taps * Padded(layer.In) * Padded(layer.Out), bf16);
            float[] dBias = DeviceMemory.Download(convolutions[i].DBias, Padded(layer.Out), bf16)[..layer.Out];
            worst = Math.Max(worst, RelativeError.Of(FilterLayout.FromKrsc(dWeight, layer.Taps, layer.In, layer.Out,
                Padded(layer.In)), layer.DWeight));
            worst = Math.Max(worst, RelativeError.Of(dBias, layer.DBias));
        }
        return worst;
    }

    /// <summary>Writes weights, biases and the output's gradient again, which trying algorithms overwrites.</summary>
    private void Fill()
    {
        for (int i = 0; i < convolutions.Length; i++)
        {
            ConvolutionLayer layer = Reference.Layers[i];
            DeviceMemory.Write(convolutions[i].Weight, FilterLayout.ToKrsc(layer.Weight, layer.Taps, layer.In,
                layer.Out, Padded(layer.In), Padded(layer.Out)), bf16);
            float[] bias = new float[Padded(layer.Out)];
            layer.Bias.CopyTo(bias, 0);
            DeviceMemory.Write(convolutions[i].Bias, bias, bf16);
        }
        DeviceMemory.Write(convolutions[^1].Dy, Pad(Reference.DOutput, Reference.Layers[^1].Out), bf16);
    }

    /// <inheritdoc/>
    public unsafe void Dispose()
    {
        foreach (CudnnConvolution convolution in convolutions) convolution?.Dispose();
        cudnn.Functions.DestroyActivation(relu);
    }

    private int Padded(int channels) => (channels + Multiple - 1) / Multiple * Multiple;

    private float[] Pad(float[] values, int channels) => FilterLayout.Widen(values, channels, Padded(channels));

    private float[] Cut(View view, int channels) =>
        FilterLayout.Narrow(DeviceMemory.Download(view, checked(Reference.Pixels.Count * Padded(channels)), bf16),
            Padded(channels), channels);
}
