using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model;

/// <summary>How bytes become continuous values.</summary>
public enum Dequantization
{
    /// <summary>u ~ U[0,1).</summary>
    Uniform,

    /// <summary>u = ½ everywhere: deterministic.</summary>
    Center,
}

/// <summary>A batch as the model takes it.</summary>
/// <param name="Count">N</param>
/// <param name="Bytes"><c>[N,H,W,C]</c>, values 0…255 held as floats (at least N·H·W·C of them)</param>
/// <param name="Labels">class indices as floats <c>[N]</c>, or null</param>
public sealed record Batch(int Count, float[] Bytes, float[]? Labels);

/// <summary>Which noise dequantises a batch: Philox key and first block (<see cref="IDequantize"/>).</summary>
public readonly record struct Noise(Dequantization Mode, ulong Key, ulong Counter)
{
    /// <summary>No noise: u = ½.</summary>
    public static Noise Center => new(Dequantization.Center, 0, 0);
}

/// <summary>What one batch gave.</summary>
/// <param name="Loss">mean bits/dim + weight_y · mean class cross-entropy in bits</param>
/// <param name="BitsPerDim">mean bits/dim</param>
/// <param name="ClassBits">mean class cross-entropy in bits; 0 when unconditional</param>
/// <param name="ClassErrors">fraction of wrong class predictions; 0 when unconditional</param>
/// <param name="LogLikelihoods">nats per image, the −D·ln n_bins term included</param>
public sealed record BatchResult(double Loss, double BitsPerDim, double ClassBits, double ClassErrors, double[] LogLikelihoods);

/// <summary>Glow (Kingma &amp; Dhariwal 2018) on one device.</summary>
public sealed class Glow : IDisposable
{
    /// <summary>Builds a model with freshly drawn parameters.</summary>
    public Glow(GlowConfig config, Device device, ulong seed) => throw new NotImplementedException();

    /// <summary>Shape of the model.</summary>
    public GlowConfig Config => throw new NotImplementedException();

    /// <summary>Where it lives.</summary>
    public Device Device => throw new NotImplementedException();

    /// <summary>Trainable parameters, values and gradients.</summary>
    public ParameterSet Parameters => throw new NotImplementedException();

    /// <summary>Fixed tensors by name: int32 <c>…permutation</c>, <c>…invconv.p</c>; float <c>…invconv.sign_s</c> (as int[] or float[]).</summary>
    public IReadOnlyDictionary<string, Array> Constants => throw new NotImplementedException();

    /// <summary>Whether the data-dependent initialisation has run (or parameters were loaded).</summary>
    public bool Initialized { get; set; }

    /// <summary>Data-dependent initialisation of every actnorm from one batch; sets <see cref="Initialized"/>.</summary>
    public void Initialize(Batch batch, Noise noise) => throw new NotImplementedException();

    /// <summary>Forward and backward: fills <see cref="ParameterSet.Gradients"/> with those of the loss.</summary>
    public BatchResult LossAndGradients(Batch batch, Noise noise, MemoryMode memory, double classWeight) => throw new NotImplementedException();

    /// <summary>Forward only.</summary>
    public BatchResult Evaluate(Batch batch, Noise noise, double classWeight = 0) => throw new NotImplementedException();

    /// <summary>Latents and log-likelihoods.</summary>
    public (Latents Latents, BatchResult Result) Encode(Batch batch, Noise noise) => throw new NotImplementedException();

    /// <summary>x <c>[N,H,W,C]</c> in [−½, ½) units, not clipped. labels <c>[N]</c> or null.</summary>
    public float[] Decode(Latents latents, float[]? labels) => throw new NotImplementedException();

    /// <summary>After a loss or gradient that was not finite: the first layer whose output is not finite on this batch, or null.</summary>
    public string? FirstNonFiniteLayer(Batch batch, Noise noise) => throw new NotImplementedException();

    /// <summary>clip(floor((x+½)·n_bins)·256/n_bins, 0, 255).</summary>
    public static byte[] ToBytes(ReadOnlySpan<float> x, int bits) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void Dispose() => throw new NotImplementedException();
}
