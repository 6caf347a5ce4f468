using GlowGpu.Kernels;

namespace GlowGpu.Engine;

/// <summary>Adamax (Kingma &amp; Ba 2014, algorithm 2): Adam with the infinity norm as second moment.</summary>
public sealed class Adamax(IBackend backend, ParameterSet parameters, double beta1, double beta2,
    double epsilon, double? averageDecay)
    : Optimizer("adamax", backend, parameters, beta1, beta2, epsilon, averageDecay)
{
    /// <inheritdoc/>
    protected override void Apply(View values, View gradients, View average, OptimizerSettings settings,
        OptimizerControl control) =>
        Backend.OptimizerStep.Adamax(values, gradients, FirstMoment, SecondMoment, average, settings, control);
}
