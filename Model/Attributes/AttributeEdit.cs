namespace GlowGpu.Model.Attributes;

/// <summary>Moves latents along attributes.</summary>
public static class AttributeEdit
{
    /// <summary>
    /// Image <paramref name="index"/> of <paramref name="latents"/> at every strength: z + α·(z_pos − z_neg), one
    /// latent for each α. At 1 an image moves as far as the class means lie apart.
    /// </summary>
    public static Latents Move(Latents latents, int index, AttributeDirection attribute, IReadOnlyList<double> alphas)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)latents.Count);
        float[][] eps = new float[latents.Eps.Length][];
        for (int l = 0; l < eps.Length; l++)
        {
            float[] d = attribute.Direction[l];
            ReadOnlySpan<float> z = latents.Eps[l].AsSpan(index * d.Length, d.Length);
            eps[l] = new float[checked(alphas.Count * d.Length)];
            for (int s = 0; s < alphas.Count; s++)
                for (int i = 0; i < d.Length; i++) eps[l][s * d.Length + i] = (float)(z[i] + alphas[s] * d[i]);
        }
        return new Latents(alphas.Count, eps);
    }
}
