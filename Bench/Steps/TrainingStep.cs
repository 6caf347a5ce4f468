using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Model;

namespace GlowGpu.Bench.Steps;

/// <summary>
/// What the trainer does in a step once it has its batch: loss and gradients, gradient norm, one Adamax update, and
/// the Polyak average if it is kept.
/// Images are noise; their values do not change what is computed.
/// </summary>
public sealed class TrainingStep : IDisposable
{
    /// <summary>Learning rate, small enough that a fresh model does not run away on noise.</summary>
    internal const double Rate = 1e-4;

    private readonly Glow model;
    private readonly Adamax optimizer;
    private readonly IBuffer squares;
    private readonly Batch batch;

    /// <summary>A freshly drawn, initialised model of a case.</summary>
    /// <param name="what">the case</param>
    /// <param name="device">where to train</param>
    /// <param name="average">whether the Polyak average is kept, as <c>glow train</c> does and the peers do not</param>
    public TrainingStep(StepCase what, Device device, bool average = false)
    {
        model = new Glow(what.Config, device, seed: 1);
        optimizer = new Adamax(device.Backend, model.Parameters, 0.9, 0.999, 1e-8,
            averageDecay: average ? 0.999 : null);
        squares = device.Backend.Allocate(1);
        float[] bytes = new float[what.Batch * what.Config.Dimensions];
        new CounterRandom(1, "bench").Uniform(bytes);
        for (int i = 0; i < bytes.Length; i++) bytes[i] = MathF.Floor(256 * bytes[i]);
        batch = new Batch(what.Batch, bytes, null);
        model.Initialize(batch, Noise.Center);
    }

    /// <summary>Values, gradients, two moments and average, if there is one, of every parameter, bytes.</summary>
    public long ParameterBytes => (optimizer.Average is null ? 4L : 5L) * sizeof(float) * model.Parameters.Length;

    /// <summary>Activations and their gradients: what the arena holds, bytes.</summary>
    public long ArenaBytes => model.Device.Arena.Bytes;

    /// <summary>One step; bits/dim and gradient norm before the update.</summary>
    /// <exception cref="GlowException">One of the two is not finite.</exception>
    public (double BitsPerDim, double GradientNorm) Run(MemoryMode memory)
    {
        TrainingResult result = model.Train(batch, Noise.Center, memory, classWeight: 0, optimizer, Rate, clipNorm: 0);
        return Checked(result.Batch.BitsPerDim, result.GradientNorm);
    }

    /// <summary>The same without the update.</summary>
    public (double BitsPerDim, double GradientNorm) Differentiate(MemoryMode memory)
    {
        BatchResult result = model.LossAndGradients(batch, Noise.Center, memory, classWeight: 0);
        View sum = View.Dense(squares, 0, 1, 1);
        model.Device.Backend.OptimizerStep.SumOfSquares(model.Parameters.Gradients, sum);
        return Checked(result.BitsPerDim, Math.Sqrt(sum.ReadScalar()));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        optimizer.Dispose();
        squares.Dispose();
        model.Dispose();
    }

    private static (double BitsPerDim, double GradientNorm) Checked(double bits, double norm)
    {
        if (!(double.IsFinite(bits) && double.IsFinite(norm)))
            throw new GlowException(
                $"training step: bits/dim is {bits} and the gradient norm {norm}; both must be finite");
        return (bits, norm);
    }
}
