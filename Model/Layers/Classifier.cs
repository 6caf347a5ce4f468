using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model.Layers;

/// <summary>The class term on the mean of the top latent (<see cref="IClassHead"/>).</summary>
public sealed class Classifier
{
    private readonly Device device;
    private readonly IBackend backend;
    private readonly ClassHeadParameters parameters, gradients;
    private readonly Node node;

    /// <summary>A head for so many classes.</summary>
    public Classifier(Device device, int classes, ClassHeadParameters parameters, ClassHeadParameters gradients)
    {
        (this.device, Classes, this.parameters, this.gradients) = (device, classes, parameters, gradients);
        backend = device.Backend;
        node = new Node(this);
    }

    /// <summary>Number of classes.</summary>
    public int Classes { get; }

    /// <summary>
    /// Cross-entropy in bits to <paramref name="loss"/> <c>[1,N]</c> and logits to <paramref name="logits"/>
    /// <c>[N,classes]</c>. Recorded, its backward adds <paramref name="gradient"/> (the derivative of the loss by each
    /// image's cross-entropy) times its own to z's gradient, so it must be recorded before the prior.
    /// </summary>
    public void Forward(Tensor z, View labels, FlowPass pass, View logits, View loss, float gradient)
    {
        View mean = pass.Rent(z.Pixels.N, z.Channels);
        backend.ClassHead.Forward(z.Pixels, z.Data, parameters, labels, mean, logits, loss);
        if (pass.Recording) pass.Tape!.Record(node.Of(z, labels, mean, logits, gradient));
        else pass.Return(mean);
    }

    private void Backward(Tensor z, View labels, View mean, View logits, float gradient)
    {
        backend.ClassHead.Backward(z.Pixels, parameters, labels, mean, logits, gradient, z.Gradient, gradients);
        device.Arena.Return(mean);
    }

    private sealed class Node(Classifier layer) : ITapeNode
    {
        private Tensor z = null!;
        private View labels, mean, logits;
        private float gradient;

        public Node Of(Tensor variable, View classes, View averages, View scores, float derivative)
        {
            (z, labels, mean, logits, gradient) = (variable, classes, averages, scores, derivative);
            return this;
        }

        public void Backward() => layer.Backward(z, labels, mean, logits, gradient);
    }
}
