using BenchmarkDotNet.Attributes;
using GlowGpu.Bench.Roofline;
using GlowGpu.Kernels;
using GlowGpu.Model;

namespace GlowGpu.Bench.Ops;

/// <summary>
/// Adamax with a Polyak average over all parameters of the model, and the gradient norm
/// (<see cref="IOptimizerStep"/>).
/// </summary>
public class OptimizerStepBench : OpBench
{
    private static readonly OptimizerSettings Settings = new(1e-6f, 0.9f, 0.999f, 1e-8f, 1000, 1, 0.999f);
    private View parameters, gradients, m, u, average, sum;

    /// <summary>One update.</summary>
    [Benchmark]
    public void Adamax()
    {
        Backend.OptimizerStep.Adamax(parameters, gradients, m, u, average, Settings);
        Wait();
    }

    /// <summary>Σ gradient².</summary>
    [Benchmark]
    public void SumOfSquares()
    {
        Backend.OptimizerStep.SumOfSquares(gradients, sum);
        Wait();
    }

    /// <summary>Once for a model: where its shapes begin.</summary>
    public override bool Applies(OpShape shape) => shape.Leads;

    /// <inheritdoc/>
    public override IEnumerable<OpRun> Runs() =>
    [
        new($"Adamax and average, {gradients.Count / 1e6:0.0} M parameters", Adamax,
            Cost.OptimizerStep(gradients.Count)),
        new($"gradient norm, {gradients.Count / 1e6:0.0} M parameters", SumOfSquares,
            Cost.SumOfSquares(gradients.Count)),
    ];

    /// <inheritdoc/>
    protected override void Prepare()
    {
        int n = checked((int)GlowParameters.Layout(Shape.Config).Sum(static p => p.Shape.Aggregate(1L,
            static (a, b) => a * b)));
        (parameters, gradients) = (Fill(1, n), Fill(1, n, 1e-3));
        (m, u, average, sum) = (Output(1, n), Output(1, n), Output(1, n), Output(1, 1));
        Adamax();
        SumOfSquares();
    }
}
