using GlowGpu.Engine;

namespace GlowGpu.Model;

/// <summary>
/// NICE (Dinh, Krueger &amp; Bengio 2014) on one device: the image as one vector, additive couplings with fully
/// connected networks on its two halves in turn, a diagonal scaling and a factorised prior.
/// </summary>
/// <remarks>
/// The halves are the values at even and at odd places of the flattened <c>[H,W,C]</c> image, as in the paper:
/// neighbours condition each other, where the upper half of a picture would say little about the lower. The published
/// models train on images in [0, 1), or whitened; here they enter as every model here takes them, dequantised in [−½,
/// ½).
/// </remarks>
public sealed class Nice : FlowModel
{
    /// <summary>Builds a model with freshly drawn parameters; the same seed draws the same on every device.</summary>
    /// <exception cref="GlowException">The config does not fit together.</exception>
    public Nice(NiceConfig config, Device device, ulong seed) : base(config, device,
        (parameters, _) => Draw(config, parameters, seed),
        (parameters, _) => new NiceFlow(config, device, parameters))
    {
    }

    /// <summary>Shape of the model.</summary>
    public new NiceConfig Config => (NiceConfig)base.Config;

    // The last layer of every network stays zero, so that a fresh coupling is the identity.
    private static void Draw(NiceConfig config, ParameterSet parameters, ulong seed)
    {
        for (int k = 0; k < config.Depth; k++)
            for (int i = 0; i < config.Hidden; i++)
                LayerDraw.He(parameters, parameters.Find($"{NiceConfig.Coupling(k)}.layers.{i}.weight")!, seed);
        parameters.Touch();
    }
}
