using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model.Layers;

/// <summary>
/// Actnorm followed by the channel permutation of a step (invertible 1×1 convolution, dense or plu, or a fixed
/// permutation), as the one affine map of <see cref="IChannelMap"/>. Its log-determinant is the same for every image
/// and is added by the model for all steps at once.
/// </summary>
public sealed class ChannelMixer(Device device, ChannelMapStep step, View logDet, View status) : IFlowLayer
{
    private readonly ChannelMapStep[] only = [step];
    private readonly Node node = new(device.Backend, step.Maps);
    private Tensor? output, input;

    /// <summary>Parameters, gradients and maps.</summary>
    public ChannelMapStep Step { get; } = step;

    /// <inheritdoc/>
    public string Name => Step.Name + ".actnorm";

    /// <inheritdoc/>
    public Tensor Forward(Tensor x, FlowPass pass)
    {
        Tensor y = Tensor.Reuse(ref output, device, x.Pixels, x.Channels).Allocate();
        pass.Backend.ChannelAffine.Apply(x.Data, Step.Maps.W, Step.Maps.B, y.Data);
        if (!pass.Storing) x.ReleaseData();
        pass.Tape?.Record(node.Of(x, y));
        return y;
    }

    /// <inheritdoc/>
    public Tensor Inverse(Tensor y, FlowPass pass)
    {
        Tensor x = Tensor.Reuse(ref input, device, y.Pixels, y.Channels).Allocate();
        pass.Backend.ChannelAffine.Apply(y.Data, Step.Maps.V, Step.Maps.C, x.Data);
        y.ReleaseData();
        return x;
    }

    /// <inheritdoc/>
    public void Initialize(Tensor x)
    {
        device.Backend.ChannelStats.InitializeActNorm(x.Data, Step.Parameters.Bias, Step.Parameters.Logs);
        device.Backend.ChannelMap.Prepare(only, logDet, status);
    }

    private sealed class Node(IBackend backend, ChannelMaps maps) : IReversibleNode
    {
        private Tensor x = null!, y = null!;

        public Node Of(Tensor input, Tensor output)
        {
            (x, y) = (input, output);
            return this;
        }

        public void Backward()
        {
            backend.ChannelAffine.Backward(y.Gradient, x.Data, maps.W, x.Gradient, maps.DW, maps.DB);
            y.Release();
        }

        public void BackwardFromOutput()
        {
            x.Allocate();
            backend.ChannelAffine.Apply(y.Data, maps.V, maps.C, x.Data);
            Backward();
        }
    }
}
