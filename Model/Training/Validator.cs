using System.Globalization;
using GlowGpu.Engine;
using GlowGpu.Model.Data;
using GlowGpu.Model.Sampling;

namespace GlowGpu.Model.Training;

/// <summary>
/// Everything a run does with the weights that are meant to be used: validation, the best checkpoint, sample grids.
/// That is the Polyak average where one is kept, put in place for the time and taken out again.
/// </summary>
internal sealed class Validator(FlowModel model, IOptimizer optimizer, IImageSource train, IImageSource? data,
    TrainOptions options, RunFolder run)
{
    // Sixty-four small images, sixteen large ones: about a screen either way.
    private const int LargeImage = 64;

    /// <summary>
    /// Bits/dim of the validation set; the weights are saved as the best when below <paramref name="best"/>.
    /// </summary>
    /// <exception cref="ArithmeticException">The weights cannot be used.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was signalled.</exception>
    public ValidationMetrics Validate(long step, double epoch, double? best, CancellationToken stop)
    {
        using IDisposable? average = optimizer.Average?.Use();
        Evaluation evaluation = Evaluator.Run(model, data!, options.Dequantize, options.Seed, options.Batch, null,
            stop);
        // NaN is never the best.
        bool better = evaluation.BitsPerDim < (best ?? double.PositiveInfinity);
        if (better)
        {
            Save(step, new()
            {
                ["validation_bits_per_dim"] = evaluation.BitsPerDim.ToString("R", CultureInfo.InvariantCulture),
                ["validation_data"] = evaluation.Data,
                ["validation_data_hash"] = evaluation.DataHash,
            });
        }
        return new ValidationMetrics(step, epoch, evaluation.BitsPerDim, evaluation.LogLikelihoods.Length, better)
        {
            ClassErrors = evaluation.ClassErrors,
        };
    }

    /// <summary>Saves the last weights as the best, for want of a validation set.</summary>
    public void SaveLast(long step)
    {
        using IDisposable? average = optimizer.Average?.Use();
        Save(step, []);
    }

    /// <summary>
    /// Writes the grid of a step, always from the same latents; null when images of so many channels cannot be drawn.
    /// </summary>
    /// <exception cref="ArithmeticException">The weights cannot be used.</exception>
    public string? WriteSamples(long step)
    {
        FlowConfig config = model.Config;
        if (config.Channels is not (1 or 3)) return null;
        int columns = Math.Max(config.Height, config.ImageWidth) > LargeImage ? 4 : 8;
        using IDisposable? average = optimizer.Average?.Use();
        byte[] images = Sampler.Sample(model, columns * columns, options.Temperature, options.Seed);
        string path = run.SamplePath(step);
        ImageFile.WriteGrid(path, images, columns * columns, config.Height, config.ImageWidth,
            config.Channels, columns);
        return path;
    }

    private void Save(long step, Dictionary<string, string> metadata)
    {
        metadata["data"] = train.Name;
        metadata["data_hash"] = train.Hash;
        metadata["weights"] = optimizer.Average is { Updates: > 0 } ? "polyak average" : "raw";
        ModelFile.Save(model, run.BestPath, step, metadata);
    }
}
