using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model.Layers;

/// <summary>
/// The prior of the last latent: a diagonal Gaussian per pixel and channel, standard, learned, and shifted by a class
/// embedding when the model is conditional (<see cref="IPrior"/>).
/// </summary>
public sealed class TopPrior
{
    private readonly Device device;
    private readonly IBackend backend;
    private readonly bool edgeBias;
    private readonly PriorParameters parameters, gradients;
    private readonly Node node;

    /// <summary>A prior of those parameters.</summary>
    public TopPrior(Device device, bool edgeBias, PriorParameters parameters, PriorParameters gradients)
    {
        (this.device, this.edgeBias, this.parameters, this.gradients) = (device, edgeBias, parameters, gradients);
        backend = device.Backend;
        node = new Node(this);
    }

    /// <summary>
    /// Adds the log-density of z to the pass and writes its latent to <paramref name="eps"/> unless None.
    /// </summary>
    public void Forward(Tensor z, View labels, FlowPass pass, View eps)
    {
        View stats = Statistics(z, labels);
        backend.GaussianScore.Forward(z.Pixels, StatsLayout.Halves, z.Data, stats, pass.LogLikelihood, eps);
        if (pass.Recording) pass.Tape!.Record(node.Of(z, labels, stats, pass.Gradient));
        else pass.Return(stats);
    }

    /// <summary>Fills z from its latent.</summary>
    public void Inverse(Tensor z, View labels, View eps, FlowPass pass)
    {
        View stats = Statistics(z, labels);
        backend.GaussianScore.Inverse(z.Pixels, StatsLayout.Halves, eps, stats, z.Data);
        pass.Return(stats);
    }

    private View Statistics(Tensor z, View labels)
    {
        View stats = device.Arena.Rent(z.Pixels.Count, 2 * z.Channels);
        backend.Prior.Forward(edgeBias, z.Pixels, parameters, labels, stats);
        return stats;
    }

    private void Backward(Tensor z, View labels, View stats, float gradient)
    {
        View dstats = device.Arena.Rent(stats.Rows, stats.Cols);
        backend.GaussianScore.Backward(z.Pixels, StatsLayout.Halves, z.Data, stats, gradient, z.Gradient, dstats);
        backend.Prior.Backward(edgeBias, z.Pixels, parameters, labels, dstats, gradients);
        device.Arena.Return(dstats);
        device.Arena.Return(stats);
    }

    private sealed class Node(TopPrior layer) : ITapeNode
    {
        private Tensor z = null!;
        private View labels, stats;
        private float gradient;

        public Node Of(Tensor variable, View classes, View statistics, float derivative)
        {
            (z, labels, stats, gradient) = (variable, classes, statistics, derivative);
            return this;
        }

        public void Backward() => layer.Backward(z, labels, stats, gradient);
    }
}
