using System.Globalization;
using System.Text.Json;
using GlowGpu.Engine;

namespace GlowGpu.Model.Attributes;

/// <summary>One attribute of a model's latent space.</summary>
/// <param name="Name">its name</param>
/// <param name="Positives">images with it that it was fitted on</param>
/// <param name="Negatives">images without it</param>
/// <param name="Midpoint">the direction's product with the point half way between the two class means</param>
/// <param name="Direction">z_pos − z_neg, <c>[h,w,c]</c> of every level</param>
public sealed record AttributeDirection(string Name, int Positives, int Negatives, double Midpoint, float[][] Direction)
{
    /// <summary>
    /// Product of the direction with the latents of image <paramref name="index"/>, all levels together.
    /// </summary>
    public double Project(Latents latents, int index)
    {
        double sum = 0;
        for (int l = 0; l < Direction.Length; l++)
        {
            float[] d = Direction[l];
            ReadOnlySpan<float> z = latents.Eps[l].AsSpan(index * d.Length, d.Length);
            for (int i = 0; i < d.Length; i++) sum += (double)d[i] * z[i];
        }
        return sum;
    }

    /// <summary>Length of the direction over all levels.</summary>
    public double Norm => Math.Sqrt(Direction.Sum(static level => level.Sum(static v => (double)v * v)));
}

/// <summary>
/// Directions of attributes in a model's latent space (Kingma &amp; Dhariwal 2018, section 6.1): z_pos − z_neg of
/// each, and the fingerprint of the weights that they belong to.
/// </summary>
/// <param name="Fingerprint">of the model (<see cref="ModelFingerprint"/>)</param>
/// <param name="Config">shape of the model</param>
/// <param name="Data">name of the set they were fitted on</param>
/// <param name="DataHash">its hash</param>
/// <param name="All">the attributes</param>
public sealed record AttributeDirections(
    string Fingerprint, FlowConfig Config, string Data, string DataHash, IReadOnlyList<AttributeDirection> All)
{
    private const string NamesKey = "attributes", FingerprintKey = "fingerprint", ConfigKey = "config",
        DataKey = "data", HashKey = "data_hash";

    /// <summary>The attribute of that name.</summary>
    /// <param name="name">its name</param>
    /// <param name="origin">file, for the message</param>
    /// <exception cref="GlowException">There is none.</exception>
    public AttributeDirection Get(string name, string origin) => All.FirstOrDefault(a => a.Name == name)
        ?? throw new GlowException($"{origin}: has no attribute '{name}'; it has "
        + $"{AttributeLabels.Listed([.. All.Select(static a => a.Name)])}");

    /// <summary>Refuses a model with other weights.</summary>
    /// <exception cref="GlowException">The weights are not those that the directions were fitted on.</exception>
    public void CheckModel(FlowModel model, string origin, string modelPath)
    {
        string fingerprint = ModelFingerprint.Of(model);
        if (fingerprint != Fingerprint)
            throw new GlowException(
                $"{origin}: was fitted on a model with the weights {Fingerprint}, but those of {modelPath} are "
                    + $"{fingerprint}; fit the attributes again on that model");
    }

    /// <summary>
    /// Writes one safetensors file: <c>direction{l}</c> <c>[A,h,w,c]</c>, <c>midpoint</c>, <c>positives</c> and
    /// <c>negatives</c> <c>[A]</c>; names, fingerprint and data in the metadata.
    /// </summary>
    /// <exception cref="GlowException">The file cannot be written.</exception>
    public void Save(string path)
    {
        SafeTensorsWriter writer = new();
        writer.Metadata[NamesKey] = JsonSerializer.Serialize(All.Select(static a => a.Name));
        writer.Metadata[FingerprintKey] = Fingerprint;
        writer.Metadata[ConfigKey] = Config.ToJson();
        writer.Metadata[DataKey] = Data;
        writer.Metadata[HashKey] = DataHash;
        for (int l = 0; l < Config.Levels; l++)
        {
            (int h, int w, int c) = Config.LatentShape(l);
            writer.Add(Name(l), [All.Count, h, w, c], All.SelectMany(a => a.Direction[l]).ToArray());
        }
        writer.Add("midpoint", [All.Count], All.Select(static a => a.Midpoint).ToArray());
        writer.Add("positives", [All.Count], All.Select(static a => a.Positives).ToArray());
        writer.Add("negatives", [All.Count], All.Select(static a => a.Negatives).ToArray());
        writer.Save(path);
    }

    /// <summary>Whether a file holds attributes.</summary>
    /// <exception cref="GlowException">It is no safetensors file.</exception>
    public static bool IsIn(string path)
    {
        using SafeTensorsReader reader = SafeTensorsReader.Open(path);
        return reader.Find(Name(0)) is not null && reader.Metadata.ContainsKey(NamesKey);
    }

    /// <summary>Reads a file.</summary>
    /// <exception cref="GlowException">It is not there, not whole, or holds something else.</exception>
    public static AttributeDirections Load(string path)
    {
        using SafeTensorsReader reader = SafeTensorsReader.Open(path);
        string[] names = Names(reader);
        FlowConfig config = ConfigOf(reader);
        float[][] levels = new float[config.Levels][];
        int[] lengths = new int[config.Levels];
        for (int l = 0; l < levels.Length; l++)
        {
            (int h, int w, int c) = config.LatentShape(l);
            Check(reader, Name(l), [names.Length, h, w, c]);
            lengths[l] = h * w * c;
            levels[l] = reader.ReadFloats(Name(l));
            if (levels[l].Any(static v => !float.IsFinite(v)))
                throw new GlowException(
                    $"{path}: tensor '{Name(l)}' holds values that are not finite; fit the attributes again");
        }
        foreach (string name in new[] { "midpoint", "positives", "negatives" }) Check(reader, name, [names.Length]);
        double[] midpoints = reader.ReadDoubles("midpoint");
        int[] positives = reader.ReadInts("positives"), negatives = reader.ReadInts("negatives");
        return new AttributeDirections(Metadata(reader, FingerprintKey), config, Metadata(reader, DataKey),
            Metadata(reader, HashKey),
        [
            .. names.Select((name, a) => new AttributeDirection(name, positives[a], negatives[a], midpoints[a],
                [.. levels.Select((values, l) => values.AsSpan(a * lengths[l], lengths[l]).ToArray())])),
        ]);
    }

    private static FlowConfig ConfigOf(SafeTensorsReader reader)
    {
        try
        {
            return FlowConfig.FromJson(Metadata(reader, ConfigKey));
        }
        catch (GlowException e)
        {
            throw new GlowException($"{reader.Path}: {e.Message}", e);
        }
    }

    private static string[] Names(SafeTensorsReader reader)
    {
        try
        {
            return JsonSerializer.Deserialize<string[]>(Metadata(reader, NamesKey)) is { Length: > 0 } names ? names
                : throw new GlowException($"{reader.Path}: names no attribute; fit them again");
        }
        catch (JsonException e)
        {
            throw new GlowException($"{reader.Path}: its list of attributes is not readable; fit them again", e);
        }
    }

    private static string Metadata(SafeTensorsReader reader, string key) => reader.Metadata.GetValueOrDefault(key)
        ?? throw new GlowException(
        $"{reader.Path}: holds no attributes (its metadata lack '{key}'); a file of glow attribute fit is needed");

    private static void Check(SafeTensorsReader reader, string name, int[] shape)
    {
        if (reader.Find(name) is not { } tensor || !tensor.HasShape(shape))
            throw new GlowException($"{reader.Path}: lacks the tensor '{name}' [{string.Join(",", shape)}]; a whole "
                + "file of glow attribute fit is needed");
    }

    private static string Name(int level) => string.Create(CultureInfo.InvariantCulture, $"direction{level}");
}
