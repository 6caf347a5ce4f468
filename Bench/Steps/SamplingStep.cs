using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Sampling;

namespace GlowGpu.Bench.Steps;

/// <summary>Draws latents and decodes them to bytes, a batch at a time.</summary>
public sealed class SamplingStep : IDisposable
{
    private const double Temperature = 0.7;

    private readonly StepCase what;
    private readonly Glow model;

    /// <summary>A freshly drawn model of a case.</summary>
    public SamplingStep(StepCase what, Device device)
    {
        this.what = what;
        model = new Glow(what.Config, device, seed: 1);
    }

    /// <summary>One batch; the mean of its bytes.</summary>
    /// <exception cref="GlowException">Every byte is the same: the samples say nothing.</exception>
    public double Run()
    {
        byte[] images = Sampler.Sample(model, what.Batch, Temperature, seed: 1);
        long sum = 0;
        foreach (byte b in images) sum += b;
        double mean = sum / (double)images.Length;
        if (mean is 0 or 255) throw new GlowException($"sampling: every byte of the samples is {mean}");
        return mean;
    }

    /// <inheritdoc/>
    public void Dispose() => model.Dispose();
}
