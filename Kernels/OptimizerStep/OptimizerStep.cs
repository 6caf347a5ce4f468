namespace GlowGpu.Kernels;

/// <summary>What one optimizer step needs besides its buffers.</summary>
/// <param name="Rate">learning rate of this step</param>
/// <param name="Beta1">decay of the first moment</param>
/// <param name="Beta2">decay of the second moment (Adamax: of the infinity norm)</param>
/// <param name="Epsilon">keeps the division finite</param>
/// <param name="Step">1 for the first step (bias correction)</param>
/// <param name="GradientScale">factor on the gradient, for clipping by norm</param>
/// <param name="AverageDecay">Polyak decay d: average ← d·average + (1 − d)·parameter; ignored without an
/// average</param>
public readonly record struct OptimizerSettings(
    float Rate, float Beta1, float Beta2, float Epsilon, long Step, float GradientScale, float AverageDecay)
{
    /// <summary>rate/(1 − β1^t).</summary>
    public float StepSize => (float)(Rate / (1 - Math.Pow(Beta1, Step)));

    /// <summary>1/(1 − β2^t).</summary>
    public float SecondCorrection => (float)(1 / (1 - Math.Pow(Beta2, Step)));
}

/// <summary>
/// What of an optimizer step is read from device memory when it runs, so that the host need not wait for it and the
/// same queued work can run again with other values; default: nothing.
/// </summary>
/// <param name="Scale">factor on the gradient <c>[1,1]</c> in the place of the settings'; NaN: the step changes
/// nothing</param>
/// <param name="Dials">
/// <c>[1,3]</c>, in the place of those from the settings: <see cref="OptimizerSettings.StepSize"/>,
/// <see cref="OptimizerSettings.SecondCorrection"/>
/// and the average's decay
/// </param>
public readonly record struct OptimizerControl(View Scale, View Dials)
{
    /// <summary>Values of <see cref="Dials"/>.</summary>
    public const int DialCount = 3;

    /// <summary>The dials of these settings.</summary>
    public static void SetDials(Span<float> dials, in OptimizerSettings settings)
    {
        dials[0] = settings.StepSize;
        dials[1] = settings.SecondCorrection;
        dials[2] = settings.AverageDecay;
    }
}

/// <summary>
/// One pass over the flat parameter buffer (Kingma &amp; Ba 2014, algorithms 1 and 2), all views <c>[1,n]</c> of one
/// length:
/// <code>
/// Adam    m ← β1·m + (1−β1)·g;  v ← β2·v + (1−β2)·g²;   p ← p − rate·(m/(1−β1^t)) / (sqrt(v/(1−β2^t)) + ε)
/// Adamax  m ← β1·m + (1−β1)·g;  u ← max(β2·u, |g| + ε); p ← p − rate/(1−β1^t)·m/u
/// </code>
/// Reads p, g, m, v (and average), writes p, m, v (and average): 28 (36) bytes a parameter.
/// </summary>
public interface IOptimizerStep
{
    /// <summary>Adam, in place; <paramref name="average"/> may be None.</summary>
    void Adam(View parameters, View gradients, View m, View v, View average, OptimizerSettings settings,
        OptimizerControl control = default);

    /// <summary>Adamax, in place; <paramref name="average"/> may be None.</summary>
    void Adamax(View parameters, View gradients, View m, View u, View average, OptimizerSettings settings,
        OptimizerControl control = default);

    /// <summary>
    /// Whether and how far a step may go: scale <c>[1,1]</c> ← the factor that clips a gradient whose squares sum to
    /// <paramref name="squares"/>
    /// <c>[1,1]</c> to the norm <paramref name="clipNorm"/> (0: no clipping), at most 1; or NaN when that sum or any of
    /// <paramref name="values"/> <c>[1,n]</c> is not finite.
    /// </summary>
    void Judge(View values, View squares, double clipNorm, View scale);


    /// <summary>
    /// Writes Σ x² of a dense view to result <c>[1,1]</c>; not finite if any x is not finite. Fixed order of
    /// summation.
    /// </summary>
    void SumOfSquares(View x, View result);
}
