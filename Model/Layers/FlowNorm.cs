using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model.Layers;

/// <summary>
/// Batch normalisation as a layer of the flow, log-determinant included (Dinh et al. 2016, section 3.7 and appendix
/// E): by the batch's own statistics in a training step, with exact gradients through them, by running ones elsewhere
/// (<see cref="IBatchNorm"/>).
/// </summary>
internal sealed class FlowNorm(Device device, string name, int channels, ParameterSet parameters) : IFlowLayer,
    IDisposable
{
    private readonly IBatchNorm operation = device.Backend.BatchNorm;
    private readonly RunningStatistics statistics = new(device, name, channels, parameters);

    /// <inheritdoc/>
    public string Name { get; } = name;

    /// <inheritdoc/>
    public Tensor Forward(Tensor x, FlowPass pass)
    {
        Tensor y = new Tensor(device, x.Pixels, x.Channels).Allocate();
        (View mean, View variance) = statistics.For(x.Data, pass);
        operation.Apply(x.Data, mean, variance, default, y.Data);
        if (!pass.LogLikelihood.IsNone) operation.AddLogDet(x.Pixels, variance, 1, pass.LogLikelihood);
        if (pass.Recording) pass.Tape!.Record(new Node(this, x, y, pass.Gradient));
        else x.ReleaseData();
        return y;
    }

    /// <inheritdoc/>
    public Tensor Inverse(Tensor y, FlowPass pass)
    {
        Tensor x = new Tensor(device, y.Pixels, y.Channels).Allocate();
        (View mean, View variance) = statistics.Running;
        operation.Invert(y.Data, mean, variance, x.Data);
        if (!pass.LogLikelihood.IsNone) operation.AddLogDet(x.Pixels, variance, -1, pass.LogLikelihood);
        y.ReleaseData();
        return x;
    }

    /// <summary>Starts the running statistics at those of the batch.</summary>
    public void Initialize(Tensor x) => statistics.Initialize(x.Data);

    /// <summary>Moves the running statistics towards the batch's.</summary>
    public void AcceptStatistics(View scale) => statistics.Accept(scale);

    /// <inheritdoc/>
    public void Dispose() => statistics.Dispose();

    private void Backward(Tensor x, Tensor y, float gradient)
    {
        (View mean, View variance) = statistics.Batch;
        device.Backend.Fill(x.Gradient, 0);
        operation.Backward(x.Data, mean, variance, default, y.Gradient, gradient, x.Gradient, default);
        y.Release();
    }

    private sealed class Node(FlowNorm layer, Tensor x, Tensor y, float gradient) : ITapeNode
    {
        public void Backward() => layer.Backward(x, y, gradient);
    }
}
