namespace GlowGpu.Engine;

/// <summary>Learning rate by step: <c>rate · min(1, step / warm-up steps)</c>, steps counted from 1.</summary>
/// <param name="Rate">rate after the warm-up</param>
/// <param name="WarmupSteps">steps over which the rate rises linearly; 0: none</param>
public readonly record struct Schedule(double Rate, double WarmupSteps)
{
    /// <summary>The rate of one step.</summary>
    public double At(long step) => WarmupSteps > 0 ? Rate * Math.Min(1, step / WarmupSteps) : Rate;
}
