using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model.Layers;

/// <summary>Batch normalisation, gain, bias and ReLU inside a coupling network (<see cref="IBatchNorm"/>).</summary>
internal sealed class NormLayer(Device device, string name, int channels, ParameterSet parameters) : IDisposable
{
    private readonly IBatchNorm operation = device.Backend.BatchNorm;
    private readonly BatchNormAffine values = new(parameters.Value($"{name}.gain"), parameters.Value($"{name}.bias"));
    private readonly BatchNormAffine gradients = new(parameters.Gradient($"{name}.gain"),
        parameters.Gradient($"{name}.bias"));

    /// <summary>Mean and variance.</summary>
    public RunningStatistics Statistics { get; } = new(device, name, channels, parameters);

    /// <summary>Names and shapes of the parameters.</summary>
    public static IEnumerable<(string Name, int[] Shape)> Layout(string name, int channels) =>
    [
        ($"{name}.gain", [channels]),
        ($"{name}.bias", [channels]),
        ($"{name}.{RunningStatistics.Mean}", [channels]),
        ($"{name}.{RunningStatistics.Variance}", [channels]),
    ];

    /// <summary>y <c>[P,C]</c>, rented from the arena.</summary>
    public View Forward(View x, FlowPass pass) => Apply(x, Statistics.For(x, pass));

    /// <summary>The same y again, of a recorded pass: cheaper than to keep it.</summary>
    public View Again(View x) => Apply(x, Statistics.Batch);

    /// <summary>Adds to dx and fills the parameters' gradients, through the statistics of the batch.</summary>
    public void Backward(View x, View dy, View dx)
    {
        (View mean, View variance) = Statistics.Batch;
        operation.Backward(x, mean, variance, values, dy, 0, dx, gradients);
    }

    /// <inheritdoc/>
    public void Dispose() => Statistics.Dispose();

    private View Apply(View x, (View Mean, View Variance) statistics)
    {
        View y = device.Arena.Rent(x.Rows, x.Cols);
        operation.Apply(x, statistics.Mean, statistics.Variance, values, y);
        return y;
    }
}
