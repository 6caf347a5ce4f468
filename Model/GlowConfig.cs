using System.Text.Json.Serialization;
using GlowGpu.Engine;

namespace GlowGpu.Model;

/// <summary>Everything that shapes a Glow. The defaults are the published CIFAR-10 run.</summary>
public sealed record GlowConfig : FlowConfig
{
    /// <inheritdoc/>
    [JsonPropertyOrder(-9)]
    public override string Family => "glow";

    /// <summary><c>affine</c> or <c>additive</c>.</summary>
    [JsonPropertyOrder(-3)]
    public string Coupling { get; init; } = "affine";

    /// <summary><c>invconv</c>, <c>reverse</c> or <c>shuffle</c>.</summary>
    [JsonPropertyOrder(-3)]
    public string Permutation { get; init; } = "invconv";

    /// <summary><c>dense</c> or <c>plu</c>; matters when the permutation is invconv.</summary>
    [JsonPropertyOrder(-3)]
    public string Invconv { get; init; } = "dense";

    /// <summary>Whether mean and logs of the top prior are learned.</summary>
    [JsonPropertyOrder(-2)]
    public bool LearnTop { get; init; } = true;

    /// <inheritdoc/>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never), JsonPropertyOrder(-1)]
    public override int Classes { get; init; }

    /// <summary>Whether 3×3 convolutions see the extra channel that marks the outside of the image.</summary>
    [JsonPropertyOrder(1)]
    public bool EdgeBias { get; init; } = true;

    /// <inheritdoc/>
    public override bool CanRebuild => true;

    /// <summary>Channels inside level l, after its squeeze.</summary>
    public int LevelChannels(int level) => Channels << (level + 2);

    /// <inheritdoc/>
    public override (int H, int W, int C) LevelShape(int level) => (Height >> (level + 1), ImageWidth >> (level + 1),
        LevelChannels(level));

    /// <summary>
    /// [h, w, c] of the latent that leaves at level l: half of the channels, all of them at the last.
    /// </summary>
    public override (int H, int W, int C) LatentShape(int level) =>
        (Height >> (level + 1), ImageWidth >> (level + 1), LevelChannels(level) / (level == Levels - 1 ? 1 : 2));

    /// <inheritdoc/>
    public override IEnumerable<(string Name, int[] Shape)> Layout() => GlowParameters.Layout(this);

    /// <inheritdoc/>
    public override IEnumerable<(string Name, int Length, bool Integer)> ConstantLayout() =>
        GlowParameters.ConstantLayout(this);

    /// <inheritdoc/>
    public override Glow Create(Device device, ulong seed) => new(this, device, seed);

    /// <inheritdoc cref="FlowConfig.Validate"/>
    public new GlowConfig Validate() => (GlowConfig)base.Validate();

    /// <summary>Reads and validates the config of a Glow.</summary>
    /// <exception cref="GlowException">Not JSON, values that do not fit, or a model of another family.</exception>
    public static new GlowConfig FromJson(string json) => FlowConfig.FromJson(json) is var config
        && config is GlowConfig glow
        ? glow
        : throw new GlowException($"config: family is '{config.Family}'; it must be glow");

    /// <inheritdoc/>
    protected override void CheckFamily()
    {
        OneOf("coupling", Coupling, "affine", "additive");
        OneOf("permutation", Permutation, "invconv", "reverse", "shuffle");
        OneOf("invconv", Invconv, "dense", "plu");
        CheckSqueezes(Levels);
    }
}
