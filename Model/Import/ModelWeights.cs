using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Kernels.Host;
using GlowGpu.Model.Training;

namespace GlowGpu.Model.Import;

/// <summary>A model as plain arrays by checkpoint name, on its way from or to another program.</summary>
public sealed class ModelWeights
{
    private readonly Dictionary<string, Array> tensors = new(StringComparer.Ordinal);

    /// <summary>An empty model of that shape.</summary>
    internal ModelWeights(GlowConfig config) => Config = config;

    /// <summary>Shape of the model.</summary>
    public GlowConfig Config { get; }

    /// <summary>Whether actnorms hold values made from data or by training.</summary>
    public bool Initialized { get; internal init; } = true;

    /// <summary>Reads a checkpoint file or run folder.</summary>
    /// <exception cref="GlowException">The checkpoint is not there, not whole, or its tensors are not those of its
    /// config.</exception>
    internal static ModelWeights Open(string path)
    {
        using SafeTensorsReader reader = ModelFile.OpenChecked(path, out GlowConfig config, out bool initialized);
        ModelWeights weights = new(config) { Initialized = initialized };
        foreach ((string name, _) in GlowParameters.Layout(config)) weights.Set(name, reader.ReadFloats(name));
        foreach ((string name, _, bool integer) in GlowParameters.ConstantLayout(config))
            weights.tensors.Add(name, integer ? reader.ReadInts(name) : reader.ReadFloats(name));
        return weights;
    }

    /// <summary>Writes a checkpoint in one step.</summary>
    /// <exception cref="GlowException">The file cannot be written.</exception>
    public void Save(string path, IReadOnlyDictionary<string, string> metadata) =>
        ModelFile.Save(Config, Initialized, tensors, path, metadata);

    /// <summary>A float tensor.</summary>
    internal float[] Floats(string name) => (float[])tensors[name];

    /// <summary>Sets a float tensor.</summary>
    internal void Set(string name, float[] values) => tensors.Add(name, values);

    /// <summary>Sets the actnorm of a step, <c>(x + bias)·exp(logScale)</c>.</summary>
    internal void SetActNorm(string step, double[] bias, double[] logScale)
    {
        Set($"{step}.actnorm.bias", Array.ConvertAll(bias, static v => (float)v));
        Set($"{step}.actnorm.logs", Array.ConvertAll(logScale, static v => (float)(v / 3)));
    }

    /// <summary>
    /// Sets actnorm and channel mixing of a step: <c>y = ((x + bias)·scale)·W</c> with scale of any sign.
    /// </summary>
    /// <param name="step">e.g. <c>levels.0.steps.3</c></param>
    /// <param name="bias">per channel</param>
    /// <param name="logScale">ln |scale| per channel</param>
    /// <param name="negative">whether the scale is negative, per channel, or null; the sign moves into W</param>
    /// <param name="torchWeight">the 1×1 convolution as PyTorch has it, <c>[out,in]</c></param>
    /// <returns>false when W is singular</returns>
    internal bool SetStep(string step, double[] bias, double[] logScale, bool[]? negative, double[] torchWeight)
    {
        int c = bias.Length;
        SetActNorm(step, bias, logScale);
        double[] w = new double[c * c];
        SmallMatrix.Transpose(c, torchWeight, w);
        for (int i = 0; i < c; i++)
            if (negative is not null && negative[i])
                for (int j = 0; j < c; j++) w[i * c + j] = -w[i * c + j];
        if (PluFactors.Factor(c, w) is not { } factors) return false;
        if (GlowParameters.Mixing(Config) == ChannelMixing.Dense)
        {
            Set($"{step}.invconv.weight", Array.ConvertAll(w, static v => (float)v));
            return true;
        }
        // Theirs factors the transpose, so the factors are made anew.
        tensors.Add($"{step}.invconv.p", factors.Rows);
        Set($"{step}.invconv.lower", Array.ConvertAll(factors.Lower, static v => (float)v));
        Set($"{step}.invconv.upper", Array.ConvertAll(factors.Upper, static v => (float)v));
        Set($"{step}.invconv.log_s", Array.ConvertAll(factors.LogS, static v => (float)v));
        tensors.Add($"{step}.invconv.sign_s", Array.ConvertAll(factors.Sign, static v => (float)v));
        return true;
    }

    /// <summary>
    /// Channel mixing of a step as PyTorch would have it, <c>[out,in]</c>; permutations become matrices.
    /// </summary>
    internal double[] TorchMixing(string step, int c)
    {
        double[] w = new double[c * c];
        switch (Config)
        {
            case { Permutation: "reverse" }:
                for (int j = 0; j < c; j++) w[(c - 1 - j) * c + j] = 1;
                break;
            case { Permutation: "shuffle" }:
                int[] order = (int[])tensors[$"{step}.permutation"];
                for (int j = 0; j < c; j++) w[order[j] * c + j] = 1;
                break;
            case { Invconv: "plu" }:
                w = new PluFactors((int[])tensors[$"{step}.invconv.p"], Doubles($"{step}.invconv.lower"),
                    Doubles($"{step}.invconv.upper"),
                    Doubles($"{step}.invconv.log_s"), Doubles($"{step}.invconv.sign_s")).Product();
                break;
            default:
                w = Doubles($"{step}.invconv.weight");
                break;
        }
        double[] transposed = new double[c * c];
        SmallMatrix.Transpose(c, w, transposed);
        return transposed;
    }

    private double[] Doubles(string name) => Array.ConvertAll(Floats(name), static v => (double)v);
}
