using GlowGpu.Kernels;

namespace GlowGpu.Engine;

/// <summary>Adam (Kingma &amp; Ba 2014, algorithm 1).</summary>
public sealed class Adam(IBackend backend, ParameterSet parameters, double beta1, double beta2,
    double epsilon, double? averageDecay)
    : Optimizer("adam", backend, parameters, beta1, beta2, epsilon, averageDecay)
{
    /// <inheritdoc/>
    protected override void Apply(View values, View gradients, View average, OptimizerSettings settings,
        OptimizerControl control) =>
        Backend.OptimizerStep.Adam(values, gradients, FirstMoment, SecondMoment, average, settings, control);
}
