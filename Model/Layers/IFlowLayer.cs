using GlowGpu.Engine;

namespace GlowGpu.Model.Layers;

/// <summary>
/// An invertible layer. Forward is image → latent and <b>adds</b> its log-determinant to the pass; inverse is latent →
/// image. Both take over their argument: it is released, reused or kept for backward, and the caller goes on with
/// what they return. Backward is the node that a recorded forward leaves on the tape.
/// </summary>
public interface IFlowLayer
{
    /// <summary>Name as in the checkpoint, e.g. <c>levels.0.steps.3.coupling</c>.</summary>
    string Name { get; }

    /// <summary>Image → latent.</summary>
    Tensor Forward(Tensor x, FlowPass pass);

    /// <summary>Latent → image.</summary>
    Tensor Inverse(Tensor y, FlowPass pass);

    /// <summary>
    /// Data-dependent initialisation from the layer's input, before its first forward. Most layers have none.
    /// </summary>
    void Initialize(Tensor x) { }

    /// <summary>Brings everything derived from parameters up to date after they changed.</summary>
    void Prepare() { }
}
