using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model;

/// <summary>
/// Everything that shapes a model, whatever its family; stored with every checkpoint under
/// <c>__metadata__.config</c>. The JSON's <c>family</c> says which kind it is; where it is missing, a Glow.
/// </summary>
[JsonConverter(typeof(Converter))]
public abstract record FlowConfig
{
    private const string FamilyKey = "family";

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip,
    };

    /// <summary>Names of all families, the default first.</summary>
    public static IReadOnlyList<string> Families { get; } = ["glow", "realnvp", "nice"];

    /// <summary><c>glow</c>, <c>realnvp</c> or <c>nice</c>.</summary>
    [JsonPropertyOrder(-9)]
    public abstract string Family { get; }

    /// <summary>[H, W] of the images.</summary>
    [JsonPropertyOrder(-8)]
    public int[] ImageSize { get; init; } = [32, 32];

    /// <summary>C of the images: 1 grey, 3 RGB.</summary>
    [JsonPropertyOrder(-7)]
    public int Channels { get; init; } = 3;

    /// <summary>L, number of levels, each of which lets latents leave.</summary>
    [JsonPropertyOrder(-6)]
    public int Levels { get; init; } = 3;

    /// <summary>K, flow steps or couplings of a kind per level.</summary>
    [JsonPropertyOrder(-5)]
    public int Depth { get; init; } = 32;

    /// <summary>Hidden channels or units of the coupling networks.</summary>
    [JsonPropertyOrder(-4)]
    public int Width { get; init; } = 512;

    /// <summary>Bits per colour value, 1 to 8.</summary>
    public int NBits { get; init; } = 8;

    /// <summary>Number of classes; 0 when unconditional, as every family but Glow is.</summary>
    [JsonIgnore]
    public virtual int Classes { get; init; }

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

    /// <summary>What every latent follows on its own in a sample at temperature 1.</summary>
    [JsonIgnore]
    public virtual PriorKind LatentDensity => PriorKind.Gaussian;

    /// <summary>
    /// Whether backward can rebuild what it needs (<see cref="MemoryMode.Reversible"/>) instead of keeping it.
    /// </summary>
    [JsonIgnore]
    public virtual bool CanRebuild => false;

    /// <summary>Flow steps or couplings of level l.</summary>
    public virtual int Steps(int level) => Depth;

    /// <summary>[h, w, c] inside level l, when the last of its layers is reached.</summary>
    public abstract (int H, int W, int C) LevelShape(int level);

    /// <summary>[h, w, c] of the latent that leaves at level l.</summary>
    public abstract (int H, int W, int C) LatentShape(int level);

    /// <summary>Every tensor of the flat parameter buffer in layout order, by its checkpoint name.</summary>
    public abstract IEnumerable<(string Name, int[] Shape)> Layout();

    /// <summary>
    /// Names and lengths of the fixed tensors that a checkpoint carries: int32 orders, float32 signs.
    /// </summary>
    public virtual IEnumerable<(string Name, int Length, bool Integer)> ConstantLayout() => [];

    /// <summary>A model of this shape with freshly drawn parameters.</summary>
    public abstract FlowModel Create(Device device, ulong seed);

    /// <summary>A config of a family with that family's default sizes.</summary>
    /// <exception cref="GlowException">There is no such family.</exception>
    public static FlowConfig OfFamily(string family) => family switch
    {
        "glow" => new GlowConfig(),
        "realnvp" => new RealNvpConfig(),
        "nice" => new NiceConfig(),
        _ => throw new GlowException(
            $"config: {FamilyKey} is '{family}'; it must be one of {string.Join(", ", Families)}"),
    };

    /// <summary>Checks every value and their fit.</summary>
    /// <exception cref="GlowException">Something does not fit; the sentence says what and what would.</exception>
    public FlowConfig Validate()
    {
        if (ImageSize is not { Length: 2 } || Height <= 0 || ImageWidth <= 0)
            throw new GlowException("config: image_size must be two positive numbers, [height, width]");
        if (Channels < 1) throw new GlowException($"config: channels is {Channels}; it must be at least 1");
        if ((long)Height * ImageWidth > int.MaxValue / Channels)
            throw new GlowException($"config: image_size is [{Height}, {ImageWidth}] and channels {Channels}; an "
                + $"image may have at most {int.MaxValue} values");
        if (Levels is < 1 or > 12) throw new GlowException($"config: levels is {Levels}; it must be 1 to 12");
        if (Depth < 1) throw new GlowException($"config: depth is {Depth}; it must be at least 1");
        if (Width < 1) throw new GlowException($"config: width is {Width}; it must be at least 1");
        if (NBits is < 1 or > 8) throw new GlowException($"config: n_bits is {NBits}; it must be 1 to 8");
        if (Classes < 0) throw new GlowException($"config: classes is {Classes}; it must not be negative");
        CheckFamily();
        return this;
    }

    /// <summary>The config as one line of JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, GetType(), Options);

    /// <summary>Reads and validates a config of any family.</summary>
    /// <exception cref="GlowException">Not JSON, or values that do not fit.</exception>
    public static FlowConfig FromJson(string json)
    {
        try
        {
            JsonNode node = JsonNode.Parse(json)
                ?? throw new GlowException("config: it is null; a JSON object is needed");
            return Of(node).Validate();
        }
        catch (JsonException e)
        {
            throw new GlowException($"config: not readable as JSON ({e.Message})", e);
        }
    }

    /// <summary>Checks what only this family has.</summary>
    /// <exception cref="GlowException">Something does not fit; the sentence says what and what would.</exception>
    protected abstract void CheckFamily();

    /// <summary>Checks that height and width can be halved so often.</summary>
    /// <exception cref="GlowException">They cannot.</exception>
    protected void CheckSqueezes(int squeezes)
    {
        int unit = 1 << squeezes;
        if (Height % unit != 0 || ImageWidth % unit != 0)
            throw new GlowException(
                $"config: images of {Height}×{ImageWidth} cannot be squeezed {squeezes} times; height and width "
                    + $"must be multiples of {unit}");
    }

    /// <summary>Checks a value that is one of a few words.</summary>
    /// <exception cref="GlowException">It is none of them.</exception>
    protected static void OneOf(string key, string value, params string[] allowed)
    {
        if (!allowed.Contains(value))
            throw new GlowException($"config: {key} is '{value}'; it must be one of {string.Join(", ", allowed)}");
    }

    private static FlowConfig Of(JsonNode node)
    {
        if (node is not JsonObject values) throw new JsonException("it is not an object");
        string family = Families[0];
        if (values.TryGetPropertyValue(FamilyKey, out JsonNode? given))
            family = given is JsonValue word && word.TryGetValue(out string? name) ? name
                : throw new JsonException($"its {FamilyKey} is not a word");
        return (FlowConfig)node.Deserialize(OfFamily(family).GetType(), Options)!;
    }

    /// <summary>Lets a config of any family stand in a larger JSON document.</summary>
    private sealed class Converter : JsonConverter<FlowConfig>
    {
        public override FlowConfig Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options)
        {
            using JsonDocument document = JsonDocument.ParseValue(ref reader);
            return Of(JsonNode.Parse(document.RootElement.GetRawText()) ?? throw new JsonException("a config is null"));
        }

        public override void Write(Utf8JsonWriter writer, FlowConfig value, JsonSerializerOptions options) =>
            JsonSerializer.Serialize(writer, value, value.GetType(), Options);
    }
}
