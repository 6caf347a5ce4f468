namespace GlowGpu.Kernels;

/// <summary>What one optimizer step needs besides its buffers.</summary>
/// <param name="Rate">learning rate of this step</param>
/// <param name="Beta1">decay of the first moment</param>
/// <param name="Beta2">decay of the second moment (Adamax: of the infinity norm)</param>
/// <param name="Epsilon">keeps the division finite</param>
/// <param name="Step">1 for the first step (bias correction)</param>
/// <param name="GradientScale">factor on the gradient, for clipping by norm</param>
/// <param name="AverageDecay">Polyak decay d: average ← d·average + (1 − d)·parameter; ignored without an average</param>
public readonly record struct OptimizerSettings(
    float Rate, float Beta1, float Beta2, float Epsilon, long Step, float GradientScale, float AverageDecay);

/// <summary>
/// One pass over the flat parameter buffer (Kingma &amp; Ba 2014, algorithms 1 and 2), all views <c>[1,n]</c> of one length:
/// <code>
/// Adam    m ← β1·m + (1−β1)·g;  v ← β2·v + (1−β2)·g²;   p ← p − rate·(m/(1−β1^t)) / (sqrt(v/(1−β2^t)) + ε)
/// Adamax  m ← β1·m + (1−β1)·g;  u ← max(β2·u, |g| + ε); p ← p − rate/(1−β1^t)·m/u
/// </code>
/// Reads p, g, m, v (and average), writes p, m, v (and average): 28 (36) bytes a parameter.
/// </summary>
public interface IOptimizerStep
{
    /// <summary>Adam, in place; <paramref name="average"/> may be None.</summary>
    void Adam(View parameters, View gradients, View m, View v, View average, OptimizerSettings settings);

    /// <summary>Adamax, in place; <paramref name="average"/> may be None.</summary>
    void Adamax(View parameters, View gradients, View m, View u, View average, OptimizerSettings settings);

    /// <summary>Writes Σ x² of a dense view to result <c>[1,1]</c>; not finite if any x is not finite. Fixed order of summation.</summary>
    void SumOfSquares(View x, View result);
}
