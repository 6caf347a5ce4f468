using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Model.Layers;

namespace GlowGpu.Model;

/// <summary>
/// RealNVP (Dinh, Sohl-Dickstein &amp; Bengio 2016) on one device: affine couplings on checkerboards and on halves of
/// the channels with residual networks, each followed by batch normalisation, squeezed and factored out level by
/// level under a standard normal.
/// </summary>
/// <remarks>
/// As published but for three things. Images enter as every model here takes them, dequantised in [−½, ½), not
/// through a logit. Networks have batch normalisation but no weight normalisation. Running statistics serve
/// evaluation, inverse and sampling, while training normalises by the batch's own and differentiates through them.
/// </remarks>
public sealed class RealNvp : FlowModel
{
    /// <summary>Builds a model with freshly drawn parameters; the same seed draws the same on every device.</summary>
    /// <exception cref="GlowException">The config does not fit together.</exception>
    public RealNvp(RealNvpConfig config, Device device, ulong seed) : base(config, device,
        (parameters, _) => Draw(parameters, seed),
        (parameters, _) => new RealNvpFlow(config, device, parameters))
    {
    }

    /// <summary>Shape of the model.</summary>
    public new RealNvpConfig Config => (RealNvpConfig)base.Config;

    // Hidden convolutions keep the variance of what they read; the last of a network starts at zero, and with it
    // every coupling at the identity.
    private static void Draw(ParameterSet parameters, ulong seed)
    {
        foreach (Parameter p in parameters.All)
        {
            View value = parameters.Value(p.Name);
            if (p.Name.EndsWith(".out.weight", StringComparison.Ordinal)) continue;
            if (p.Name.EndsWith(".weight", StringComparison.Ordinal)) LayerDraw.He(parameters, p, seed);
            else if (!p.Name.EndsWith(".bias", StringComparison.Ordinal) && !p.Name.EndsWith(RunningStatistics.Mean,
                StringComparison.Ordinal))
                value.Write(Enumerable.Repeat(1f, p.Count).ToArray());
        }
        parameters.Touch();
    }
}
