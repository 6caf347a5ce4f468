using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using GlowGpu.Engine;
using GlowGpu.Kernels;
using GlowGpu.Model.Data;

namespace GlowGpu.Model.Training;

/// <summary>Which images a run uses.</summary>
/// <param name="Name">for people</param>
/// <param name="Hash">of content and order</param>
/// <param name="Images">their number</param>
public sealed record DataDescription(string Name, string Hash, int Images)
{
    /// <summary>The description of a set; null for none.</summary>
    public static DataDescription? Of(IImageSource? source) =>
        source is null ? null : new DataDescription(source.Name, source.Hash, source.Count);
}

/// <summary>What <c>config.json</c> of a run folder holds.</summary>
public sealed record RunConfig
{
    // What may differ when a run is resumed: when it ends, what it writes along the way, and where its images lie.
    private static readonly string[] Free = ["epochs", "steps", "minutes", "save_every", "sample_every",
        "validate_every", "temperature", "source"];

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
    };

    /// <summary>Shape of the model.</summary>
    public required FlowConfig Model { get; init; }

    /// <summary>How it is trained.</summary>
    public required TrainOptions Training { get; init; }

    /// <summary>Training set.</summary>
    public required DataDescription Data { get; init; }

    /// <summary>Validation set, or null.</summary>
    public DataDescription? Validation { get; init; }

    /// <summary>How coupling networks are multiplied; runs of before there was a choice had none.</summary>
    public Precision Precision { get; init; }

    /// <summary>Whether the run began from another model's weights.</summary>
    public bool FromCheckpoint { get; init; }

    /// <summary>The config as JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Options);

    /// <summary>Reads a config; <paramref name="file"/> is for messages.</summary>
    /// <exception cref="GlowException">Not the JSON of a run.</exception>
    public static RunConfig FromJson(string json, string file)
    {
        try
        {
            RunConfig config = JsonSerializer.Deserialize<RunConfig>(json, Options)
                ?? throw new GlowException($"{file}: is null; the config of a run is needed");
            config.Model.Validate();
            return config;
        }
        catch (JsonException e)
        {
            throw new GlowException($"{file}: is not the config of a run ({e.Message.TrimEnd('.')})", e);
        }
    }

    /// <summary>
    /// Checks that continuing this run as <paramref name="other"/> would not change what it computes.
    /// </summary>
    /// <exception cref="GlowException">Something differs; the sentence says what.</exception>
    public void CheckResume(RunConfig other, string folder)
    {
        CheckSet("training", Data, other.Data, folder);
        CheckSet("validation", Validation, other.Validation, folder);
        CheckEqual(Model, other.Model, folder);
        CheckEqual(Training, other.Training, folder);
        CheckEqual(new { Precision }, new { other.Precision }, folder);
    }

    private static void CheckSet(string role, DataDescription? own, DataDescription? other, string folder)
    {
        if (own?.Hash == other?.Hash) return;
        throw new GlowException(
            $"{folder}: this run's {role} set is {Describe(own)}, not {Describe(other)}; resume it with the same "
                + "images or start another run in a new folder");
    }

    private static string Describe(DataDescription? set) => set is null ? "none"
        : $"{set.Name} (hash {set.Hash}, {set.Images} images)";

    private static void CheckEqual<T>(T own, T other, string folder)
    {
        JsonObject mine = JsonSerializer.SerializeToNode(own, Options)!.AsObject();
        JsonObject theirs = JsonSerializer.SerializeToNode(other, Options)!.AsObject();
        foreach ((string key, JsonNode? value) in mine)
        {
            if (Free.Contains(key)) continue;
            string a = value?.ToJsonString() ?? "unset", b = theirs[key]?.ToJsonString() ?? "unset";
            if (a != b)
                throw new GlowException(
                    $"{folder}: this run was started with {key} {a}, not {b}; resume it with the same value or "
                        + "start another run in a new folder");
        }
    }
}
