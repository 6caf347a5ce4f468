using System.Text.Json.Serialization;
using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Model.Layers;

namespace GlowGpu.Model;

/// <summary>Everything that shapes a NICE. The defaults are the sizes of the published MNIST model.</summary>
public sealed record NiceConfig : FlowConfig
{
    /// <summary>The defaults.</summary>
    public NiceConfig()
    {
        Levels = 1;
        Depth = 4;
        Width = 1000;
    }

    /// <inheritdoc/>
    [JsonPropertyOrder(-9)]
    public override string Family => "nice";

    /// <summary>Hidden ReLU layers of each coupling network.</summary>
    [JsonPropertyOrder(-3)]
    public int Hidden { get; init; } = 5;

    /// <summary><c>logistic</c> or <c>gaussian</c>: what every latent follows on its own.</summary>
    [JsonPropertyOrder(-3)]
    public string Prior { get; init; } = "logistic";

    /// <inheritdoc/>
    [JsonIgnore]
    public override PriorKind LatentDensity => Prior == "logistic" ? PriorKind.Logistic : PriorKind.Gaussian;

    /// <summary>Values of each half.</summary>
    [JsonIgnore]
    public int Half => Dimensions / 2;

    /// <inheritdoc/>
    public override (int H, int W, int C) LevelShape(int level) => (Height, ImageWidth, Channels);

    /// <summary>[h, w, c] of the one latent: every value keeps the place of the pixel value it grew out of.</summary>
    public override (int H, int W, int C) LatentShape(int level) => (Height, ImageWidth, Channels);

    /// <summary>Name of coupling k.</summary>
    public static string Coupling(int k) => $"levels.0.couplings.{k}";

    /// <summary>Sizes of layer i of a coupling network.</summary>
    public ConvolutionShape Layer(int i) =>
        new(1, i == 0 ? Half : Width, i == Hidden ? Half : Width, Relu: i < Hidden);

    /// <inheritdoc/>
    public override IEnumerable<(string Name, int[] Shape)> Layout()
    {
        for (int k = 0; k < Depth; k++)
            for (int i = 0; i <= Hidden; i++)
                foreach ((string, int[]) parameter in ConvolutionLayer.Layout($"{Coupling(k)}.layers.{i}",
                    Layer(i))) yield return parameter;
        yield return (NiceFlow.LogsName, [2, Half]);
    }

    /// <inheritdoc/>
    public override Nice Create(Device device, ulong seed) => new(this, device, seed);

    /// <inheritdoc/>
    protected override void CheckFamily()
    {
        if (Levels != 1)
            throw new GlowException($"config: levels is {Levels}; a nice model has one level, so it must be 1");
        if (Hidden < 1) throw new GlowException($"config: hidden is {Hidden}; it must be at least 1");
        if (Classes > 0)
            throw new GlowException($"config: classes is {Classes}; a nice model is unconditional, so it must be 0");
        OneOf("prior", Prior, "logistic", "gaussian");
        if (Dimensions % 2 != 0)
            throw new GlowException($"config: images of {Height}×{ImageWidth}×{Channels} have {Dimensions} values; "
                + "nice needs an even number to halve");
    }
}
