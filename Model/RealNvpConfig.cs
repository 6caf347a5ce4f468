using System.Text.Json.Serialization;
using GlowGpu.Engine;
using GlowGpu.Model.Layers;

namespace GlowGpu.Model;

/// <summary>Everything that shapes a RealNVP. The defaults are the sizes of the published CIFAR-10 model.</summary>
public sealed record RealNvpConfig : FlowConfig
{
    /// <summary>The defaults.</summary>
    public RealNvpConfig()
    {
        Levels = 2;
        Depth = 3;
        Width = 64;
    }

    /// <inheritdoc/>
    [JsonPropertyOrder(-9)]
    public override string Family => "realnvp";

    /// <summary>Residual blocks of each coupling network.</summary>
    [JsonPropertyOrder(-3)]
    public int Blocks { get; init; } = 8;

    /// <summary>Channels that enter level l.</summary>
    public int LevelChannels(int level) => Channels << level;

    /// <inheritdoc/>
    public override (int H, int W, int C) LevelShape(int level) => level == Levels - 1
        ? (Height >> level, ImageWidth >> level, LevelChannels(level))
        : (Height >> (level + 1), ImageWidth >> (level + 1), 4 * LevelChannels(level));

    /// <inheritdoc/>
    public override int Steps(int level) => Couplings(level).Count();

    /// <summary>
    /// [h, w, c] of the latent that leaves at level l: half of the channels, all of them at the last, which is not
    /// squeezed.
    /// </summary>
    public override (int H, int W, int C) LatentShape(int level)
    {
        (int h, int w, int c) = LevelShape(level);
        return (h, w, level == Levels - 1 ? c : c / 2);
    }

    /// <summary>
    /// The couplings of level l in order: <see cref="FlowConfig.Depth"/> on a checkerboard and as many on halves of
    /// the squeezed channels; at the last level one more than that on a checkerboard and no others (Dinh et al. 2016,
    /// section 3.6).
    /// </summary>
    public IEnumerable<RealNvpCoupling> Couplings(int level)
    {
        bool last = level == Levels - 1;
        int c = LevelChannels(level);
        for (int k = 0; k < Depth + (last ? 1 : 0); k++)
            yield return new RealNvpCoupling($"levels.{level}.checkerboard.{k}", true, k % 2 == 1, c, c,
                Height >> level, ImageWidth >> level);
        for (int k = 0; k < (last ? 0 : Depth); k++)
            yield return new RealNvpCoupling($"levels.{level}.channel.{k}", false, k % 2 == 1, 4 * c, 2 * c,
                Height >> (level + 1), ImageWidth >> (level + 1));
    }

    /// <inheritdoc/>
    public override IEnumerable<(string Name, int[] Shape)> Layout()
    {
        for (int level = 0; level < Levels; level++)
        {
            foreach (RealNvpCoupling coupling in Couplings(level))
            {
                foreach ((string, int[]) parameter in ResidualNetwork.Layout(coupling.Network,
                    coupling.NetworkShape(this))) yield return parameter;
                yield return ($"{coupling.Name}.factor", [coupling.Changed]);
                yield return ($"{coupling.Name}.norm.{RunningStatistics.Mean}", [coupling.Channels]);
                yield return ($"{coupling.Name}.norm.{RunningStatistics.Variance}", [coupling.Channels]);
            }
        }
    }

    /// <inheritdoc/>
    public override RealNvp Create(Device device, ulong seed) => new(this, device, seed);

    /// <inheritdoc/>
    protected override void CheckFamily()
    {
        if (Blocks < 0) throw new GlowException($"config: blocks is {Blocks}; it must not be negative");
        if (Classes > 0)
            throw new GlowException(
            $"config: classes is {Classes}; a realnvp model is unconditional, so it must be 0");
        CheckSqueezes(Levels - 1);
    }
}

/// <summary>One coupling of a RealNVP and the batch normalisation behind it.</summary>
/// <param name="Name">as in the checkpoint</param>
/// <param name="Checkerboard">whether pixels of a checkerboard change, else one half of the channels</param>
/// <param name="Second">which of the two: every other coupling changes what the one before it left</param>
/// <param name="Channels">of the variable</param>
/// <param name="Changed">channels that change, as many as condition them</param>
/// <param name="Height">of the variable</param>
/// <param name="Width">of the variable</param>
public sealed record RealNvpCoupling(string Name, bool Checkerboard, bool Second, int Channels,
    int Changed, int Height, int Width)
{
    /// <summary>Name of the network.</summary>
    public string Network => $"{Name}.network";

    /// <summary>Sizes of the network.</summary>
    public ResidualShape NetworkShape(RealNvpConfig config) => new(Changed, config.Width, config.Blocks, 2 * Changed);
}
