using System.Text.Json;
using System.Text.Json.Serialization;
using GlowGpu.Engine;

namespace GlowGpu.Model;

/// <summary>Everything that shapes a Glow; stored with every checkpoint under <c>__metadata__.config</c>.</summary>
public sealed record GlowConfig
{
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip,
    };

    /// <summary>[H, W] of the images.</summary>
    public int[] ImageSize { get; init; } = [32, 32];

    /// <summary>C of the images: 1 grey, 3 RGB.</summary>
    public int Channels { get; init; } = 3;

    /// <summary>L, number of levels.</summary>
    public int Levels { get; init; } = 3;

    /// <summary>K, flow steps per level.</summary>
    public int Depth { get; init; } = 32;

    /// <summary>Hidden channels of the coupling networks.</summary>
    public int Width { get; init; } = 512;

    /// <summary><c>affine</c> or <c>additive</c>.</summary>
    public string Coupling { get; init; } = "affine";

    /// <summary><c>invconv</c>, <c>reverse</c> or <c>shuffle</c>.</summary>
    public string Permutation { get; init; } = "invconv";

    /// <summary><c>dense</c> or <c>plu</c>; matters when the permutation is invconv.</summary>
    public string Invconv { get; init; } = "dense";

    /// <summary>Whether mean and logs of the top prior are learned.</summary>
    public bool LearnTop { get; init; } = true;

    /// <summary>Number of classes; 0 when unconditional.</summary>
    public int Classes { get; init; }

    /// <summary>Bits per colour value, 1 to 8.</summary>
    public int NBits { get; init; } = 8;

    /// <summary>Whether 3×3 convolutions see the extra channel that marks the outside of the image.</summary>
    public bool EdgeBias { get; init; } = true;

    /// <summary>Height.</summary>
    [JsonIgnore]
    public int Height => ImageSize[0];

    /// <summary>Width of the image (not of the hidden layers).</summary>
    [JsonIgnore]
    public int ImageWidth => ImageSize[1];

    /// <summary>D = H·W·C.</summary>
    [JsonIgnore]
    public int Dimensions => Height * ImageWidth * Channels;

    /// <summary>Number of values a colour can take, 2^n_bits.</summary>
    [JsonIgnore]
    public int Bins => 1 << NBits;

    /// <summary>Channels inside level l, after its squeeze.</summary>
    public int LevelChannels(int level) => Channels << (level + 2);

    /// <summary>[h, w, c] of the latent that leaves at level l: half of the channels, all of them at the last.</summary>
    public (int H, int W, int C) LatentShape(int level) =>
        (Height >> (level + 1), ImageWidth >> (level + 1), LevelChannels(level) / (level == Levels - 1 ? 1 : 2));

    /// <summary>Checks every value and their fit.</summary>
    /// <exception cref="GlowException">Something does not fit; the sentence says what and what would.</exception>
    public GlowConfig Validate()
    {
        if (ImageSize is not { Length: 2 } || Height <= 0 || ImageWidth <= 0)
            throw new GlowException("config: image_size must be two positive numbers, [height, width]");
        if (Channels < 1) throw new GlowException($"config: channels is {Channels}; it must be at least 1");
        if (Levels is < 1 or > 12) throw new GlowException($"config: levels is {Levels}; it must be 1 to 12");
        if (Depth < 1) throw new GlowException($"config: depth is {Depth}; it must be at least 1");
        if (Width < 1) throw new GlowException($"config: width is {Width}; it must be at least 1");
        if (NBits is < 1 or > 8) throw new GlowException($"config: n_bits is {NBits}; it must be 1 to 8");
        if (Classes < 0) throw new GlowException($"config: classes is {Classes}; it must not be negative");
        OneOf("coupling", Coupling, "affine", "additive");
        OneOf("permutation", Permutation, "invconv", "reverse", "shuffle");
        OneOf("invconv", Invconv, "dense", "plu");
        int unit = 1 << Levels;
        if (Height % unit != 0 || ImageWidth % unit != 0)
            throw new GlowException(
                $"config: images of {Height}×{ImageWidth} cannot be squeezed {Levels} times; height and width must be multiples of {unit}");
        return this;
    }

    /// <summary>The config as one line of JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Options);

    /// <summary>Reads and validates a config.</summary>
    /// <exception cref="GlowException">Not JSON, or values that do not fit.</exception>
    public static GlowConfig FromJson(string json)
    {
        try
        {
            return (JsonSerializer.Deserialize<GlowConfig>(json, Options)
                ?? throw new GlowException("config: it is null; a JSON object is needed")).Validate();
        }
        catch (JsonException e)
        {
            throw new GlowException($"config: not readable as JSON ({e.Message})", e);
        }
    }

    private static void OneOf(string key, string value, params string[] allowed)
    {
        if (!allowed.Contains(value))
            throw new GlowException($"config: {key} is '{value}'; it must be one of {string.Join(", ", allowed)}");
    }
}
