using GlowGpu.Engine;

namespace GlowGpu.Model;

/// <summary>Glow (Kingma &amp; Dhariwal 2018) on one device.</summary>
public sealed class Glow : FlowModel
{
    /// <summary>Builds a model with freshly drawn parameters; the same seed draws the same on every device.</summary>
    /// <exception cref="GlowException">The config does not fit together.</exception>
    public Glow(GlowConfig config, Device device, ulong seed) : base(config, device,
        (parameters, constants) => GlowInitializer.Draw(config, parameters, constants, seed),
        (parameters, constants) => new GlowFlow(config, device, parameters, constants))
    {
    }

    /// <summary>Shape of the model.</summary>
    public new GlowConfig Config => (GlowConfig)base.Config;
}
