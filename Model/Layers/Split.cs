using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model.Layers;

/// <summary>
/// Factors out the second half of the channels at the end of a level and scores it under a Gaussian whose mean and
/// logs a zero-initialised 3×3 convolution predicts from the first half (Dinh et al. 2016, section 3.6; learned as in
/// Glow).
/// </summary>
public sealed class Split : IDisposable
{
    private readonly Device device;
    private readonly IBackend backend;
    private readonly ZeroConvShape shape;
    private readonly ZeroConvParameters parameters, gradients;
    private readonly IBuffer packed;
    private readonly Node node;
    private Tensor? first;

    /// <summary>A split whose convolution has that shape.</summary>
    public Split(Device device, string name, ZeroConvShape shape, ZeroConvParameters parameters,
        ZeroConvParameters gradients)
    {
        (this.device, Name, this.shape, this.parameters, this.gradients) = (device, name, shape, parameters, gradients);
        backend = device.Backend;
        packed = backend.Allocate(backend.ZeroConv.PackedLength(shape));
        node = new Node(this);
    }

    /// <summary>Name as in the checkpoint.</summary>
    public string Name { get; }

    private View Packed => View.Dense(packed, 0, 1, checked((int)packed.Length));

    /// <summary>
    /// Adds the log-density of z2 to the pass, writes its latent to <paramref name="eps"/> <c>[P,C/2]</c> unless
    /// None, and returns z1 as a window of z.
    /// </summary>
    public Tensor Forward(Tensor z, FlowPass pass, View eps)
    {
        View stats = Statistics(z);
        backend.GaussianScore.Forward(z.Pixels, StatsLayout.Interleaved, Second(z.Data), stats, pass.LogLikelihood,
            eps);
        if (pass.Recording) pass.Tape!.Record(node.Of(z, stats, pass.Gradient));
        else pass.Return(stats);
        return z.Window(0, shape.In, ref first);
    }

    /// <summary>Fills the second half of z from its latent, given the first half.</summary>
    public void Inverse(Tensor z, View eps, FlowPass pass)
    {
        View stats = Statistics(z);
        backend.GaussianScore.Inverse(z.Pixels, StatsLayout.Interleaved, eps, stats, Second(z.Data));
        pass.Return(stats);
    }

    /// <summary>Brings the packed weights up to date.</summary>
    public void Prepare() => backend.ZeroConv.Pack(shape, parameters, Packed);

    /// <inheritdoc/>
    public void Dispose() => packed.Dispose();

    private View First(View z) => z.Columns(0, shape.In);

    private View Second(View z) => z.Columns(shape.In, z.Cols - shape.In);

    private View Statistics(Tensor z)
    {
        View stats = device.Arena.Rent(z.Pixels.Count, shape.Out);
        backend.ZeroConv.Forward(shape, z.Pixels, First(z.Data), Packed, stats);
        return stats;
    }

    private void Backward(Tensor z, View stats, float gradient)
    {
        View dstats = device.Arena.Rent(stats.Rows, stats.Cols);
        backend.GaussianScore.Backward(z.Pixels, StatsLayout.Interleaved, Second(z.Data), stats, gradient,
            Second(z.Gradient), dstats);
        backend.ZeroConv.Backward(shape, z.Pixels, First(z.Data), stats, Packed, parameters, dstats, First(z.Gradient),
            gradients);
        device.Arena.Return(dstats);
        device.Arena.Return(stats);
    }

    private sealed class Node(Split layer) : ITapeNode
    {
        private Tensor z = null!;
        private View stats;
        private float gradient;

        public Node Of(Tensor variable, View statistics, float derivative)
        {
            (z, stats, gradient) = (variable, statistics, derivative);
            return this;
        }

        public void Backward() => layer.Backward(z, stats, gradient);
    }
}
