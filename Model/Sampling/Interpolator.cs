namespace GlowGpu.Model.Sampling;

/// <summary>The path between two latents.</summary>
public enum InterpolationMode
{
    /// <summary>a + t·(b − a): passes closer to the origin, where images are smoother than typical.</summary>
    Linear,

    /// <summary>Along the great circle: keeps the norm, as typical draws of a Gaussian do (Shoemake 1985).</summary>
    Spherical,
}

/// <summary>Walks from one image's latents to another's, over all levels at once.</summary>
public static class Interpolator
{
    // Below this sine two latents are parallel or opposite to rounding and the great circle is not defined: go
    // straight.
    private const double SmallestSine = 1e-6;

    /// <summary>
    /// <paramref name="steps"/> latents from image <paramref name="from"/> to image <paramref name="to"/> of
    /// <paramref name="latents"/>, both ends included (one step: the first end).
    /// </summary>
    public static Latents Path(Latents latents, int from, int to, int steps, InterpolationMode mode)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(steps, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)from, (uint)latents.Count);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)to, (uint)latents.Count);
        double angle = mode == InterpolationMode.Spherical ? Angle(latents, from, to) : 0;
        double sine = Math.Sin(angle);
        float[][] eps = new float[latents.Eps.Length][];
        for (int l = 0; l < eps.Length; l++)
        {
            int length = latents.Eps[l].Length / latents.Count;
            ReadOnlySpan<float> a = latents.Eps[l].AsSpan(from * length, length),
                b = latents.Eps[l].AsSpan(to * length, length);
            eps[l] = new float[checked(steps * length)];
            for (int s = 0; s < steps; s++)
            {
                double t = steps == 1 ? 0 : s / (double)(steps - 1);
                bool straight = sine < SmallestSine;
                double wa = straight ? 1 - t : Math.Sin((1 - t) * angle) / sine;
                double wb = straight ? t : Math.Sin(t * angle) / sine;
                Span<float> target = eps[l].AsSpan(s * length, length);
                for (int i = 0; i < length; i++) target[i] = (float)(wa * a[i] + wb * b[i]);
            }
        }
        return new Latents(steps, eps);
    }

    // Between the two as vectors over all levels: the levels of one image turn together.
    private static double Angle(Latents latents, int from, int to)
    {
        double dot = 0, aa = 0, bb = 0;
        foreach (float[] level in latents.Eps)
        {
            int length = level.Length / latents.Count;
            ReadOnlySpan<float> a = level.AsSpan(from * length, length), b = level.AsSpan(to * length, length);
            for (int i = 0; i < length; i++)
            {
                dot += (double)a[i] * b[i];
                aa += (double)a[i] * a[i];
                bb += (double)b[i] * b[i];
            }
        }
        double norms = Math.Sqrt(aa) * Math.Sqrt(bb);
        return norms > 0 ? Math.Acos(Math.Clamp(dot / norms, -1, 1)) : 0;
    }
}
