using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model.Layers;

/// <summary>
/// Mean and variance of a batch normalisation: the batch's own in a recorded pass, which is a training step, and
/// running ones elsewhere. The running ones live among the parameters, so that checkpoints and the Polyak average
/// hold them; they follow the batches of steps that led to an update, <c>running ← 0.9·running + 0.1·batch</c>.
/// </summary>
internal sealed class RunningStatistics : IDisposable
{
    /// <summary>Last part of the running mean's name.</summary>
    public const string Mean = "running_mean";

    /// <summary>Last part of the running variance's name.</summary>
    public const string Variance = "running_variance";

    private const float Momentum = 0.1f;

    private readonly IBackend backend;
    private readonly IBuffer batch;
    private readonly View batchMean, batchVariance, runningMean, runningVariance;

    /// <summary>
    /// Statistics of so many channels, the running ones under <c>NAME.running_mean</c> and
    /// <c>NAME.running_variance</c>.
    /// </summary>
    public RunningStatistics(Device device, string name, int channels, ParameterSet parameters)
    {
        backend = device.Backend;
        int second = (channels + 15) / 16 * 16;
        batch = backend.Allocate(second + channels);
        batchMean = View.Dense(batch, 0, 1, channels);
        batchVariance = View.Dense(batch, second, 1, channels);
        runningMean = parameters.Value($"{name}.{Mean}");
        runningVariance = parameters.Value($"{name}.{Variance}");
    }

    /// <summary>Whether a parameter of that name is a running statistic.</summary>
    public static bool IsName(string name) =>
        name.EndsWith("." + Mean, StringComparison.Ordinal) || name.EndsWith("." + Variance, StringComparison.Ordinal);

    /// <summary>What a recorded pass measured last.</summary>
    public (View Mean, View Variance) Batch => (batchMean, batchVariance);

    /// <summary>The running ones.</summary>
    public (View Mean, View Variance) Running => (runningMean, runningVariance);

    /// <summary>What a pass normalises x by; a recorded one measures it first.</summary>
    public (View Mean, View Variance) For(View x, FlowPass pass)
    {
        if (!pass.Recording) return Running;
        backend.BatchNorm.Measure(x, batchMean, batchVariance);
        return Batch;
    }

    /// <summary>Starts the running statistics at those of x.</summary>
    public void Initialize(View x) => backend.BatchNorm.Measure(x, runningMean, runningVariance);

    /// <summary>
    /// Moves the running statistics towards those of the last recorded pass, unless scale is given and is NaN.
    /// </summary>
    public void Accept(View scale)
    {
        backend.BatchNorm.Blend(batchMean, runningMean, Momentum, scale);
        backend.BatchNorm.Blend(batchVariance, runningVariance, Momentum, scale);
    }

    /// <inheritdoc/>
    public void Dispose() => batch.Dispose();
}
