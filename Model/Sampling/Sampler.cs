namespace GlowGpu.Model.Sampling;

/// <summary>Draws latents and decodes them.</summary>
public static class Sampler
{
    /// <summary>N(0, T²) latents; image i depends on seed and i only, not on the count.</summary>
    public static Latents Draw(GlowConfig config, int count, double temperature, ulong seed) => throw new NotImplementedException();

    /// <summary>Images <c>[N,H,W,C]</c>; class null: unconditional, or classes in turn for a conditional model.</summary>
    public static byte[] Sample(Glow model, int count, double temperature, ulong seed, int? label = null) => throw new NotImplementedException();
}
