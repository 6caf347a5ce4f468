namespace GlowGpu.Model.Sampling;

/// <summary>
/// What decoded latents say about a model's health: how far its samples leave the range of the data, and how exactly
/// the inverse is one. Gathered chunk by chunk.
/// </summary>
public sealed class SampleStatistics(FlowConfig config)
{
    // Data lie in [−½, ½). A sample may overshoot a little; a whole range's width from the middle it is no picture
    // any more.
    private const double FarOutside = 1;
    private const double ManyOutside = 0.05;
    private long outside, values;

    /// <summary>max|x| over all images; NaN when a value is not finite.</summary>
    public double MaxX { get; private set; }

    /// <summary>Fraction of the values outside [−½, ½], those that are not finite among them.</summary>
    public double OutsideFraction => values == 0 ? 0 : outside / (double)values;

    /// <summary>max|x| over the variables of every level between its layers; NaN when a value is not finite.</summary>
    public double[] MaxVariables { get; } = new double[config.Levels];

    /// <summary>max|z| of every level's latents.</summary>
    public double[] MaxZ { get; } = new double[config.Levels];

    /// <summary>max|encode(decode(z)) − z| of every level; NaN when a value is not finite.</summary>
    public double[] InverseErrors { get; } = new double[config.Levels];

    /// <summary>What to warn of in a clause, or null when all is well.</summary>
    public string? Concern =>
        double.IsNaN(MaxX)
            ? "some values of the images are not finite; a lower temperature or smaller steps keep them so"
        : MaxX > FarOutside || OutsideFraction > ManyOutside
            ? string.Create(System.Globalization.CultureInfo.InvariantCulture,
                $"the images leave the range of the data, [-0.5, 0.5): max|x| is {MaxX:G3} and "
                    + $"{100 * OutsideFraction:0.##} % of the values are outside; a lower temperature or smaller "
                    + $"steps stay inside")
            : null;

    /// <summary>Takes in decoded values <c>[n,H,W,C]</c>.</summary>
    public void AddImages(ReadOnlySpan<float> x)
    {
        values += x.Length;
        foreach (float v in x)
        {
            // Not "> ½": NaN counts as outside.
            if (!(Math.Abs(v) <= 0.5f)) outside++;
            MaxX = Larger(MaxX, v);
        }
    }

    /// <summary>Takes in latents and what encoding their images gave.</summary>
    public void AddLatents(Latents drawn, Latents encoded)
    {
        for (int l = 0; l < MaxZ.Length; l++)
        {
            for (int i = 0; i < drawn.Eps[l].Length; i++)
            {
                MaxZ[l] = Larger(MaxZ[l], drawn.Eps[l][i]);
                InverseErrors[l] = Larger(InverseErrors[l], (double)encoded.Eps[l][i] - drawn.Eps[l][i]);
            }
        }
    }

    /// <summary>Takes in the largest variables of every level.</summary>
    public void AddVariables(double[] maxima)
    {
        for (int l = 0; l < maxima.Length; l++) MaxVariables[l] = Larger(MaxVariables[l], maxima[l]);
    }

    // Once NaN, always NaN; an infinity counts as one.
    private static double Larger(double max, double value) => double.IsFinite(value) ? Math.Max(max, Math.Abs(value))
        : double.NaN;
}
