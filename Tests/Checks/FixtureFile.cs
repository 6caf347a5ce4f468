using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using GlowGpu.Model;

namespace GlowGpu.Tests.Checks;

/// <summary>
/// Golden values of one configuration, from <c>Fixtures/*.safetensors</c>. The reader is written for the tests alone,
/// so that the product's own reader and writer of the format are checked against something independent.
/// </summary>
public sealed class FixtureFile
{
    private readonly byte[] bytes;
    private readonly Dictionary<string, Entry> entries = [];

    private readonly record struct Entry(string Type, int[] Shape, int Begin, int End);

    private FixtureFile(string name, byte[] bytes)
    {
        Name = name;
        this.bytes = bytes;
        int headerLength = checked((int)BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        using JsonDocument header = JsonDocument.Parse(bytes.AsMemory(8, headerLength));
        foreach (JsonProperty tensor in header.RootElement.EnumerateObject())
        {
            if (tensor.Name == "__metadata__")
            {
                Model = FlowConfig.FromJson(tensor.Value.GetProperty("config").GetString()!);
                ClassWeight = double.Parse(tensor.Value.GetProperty("weight_y").GetString()!,
                    CultureInfo.InvariantCulture);
                continue;
            }
            int[] offsets = [.. tensor.Value.GetProperty("data_offsets").EnumerateArray()
                .Select(static o => o.GetInt32())];
            entries.Add(tensor.Name, new Entry(
                tensor.Value.GetProperty("dtype").GetString()!,
                [.. tensor.Value.GetProperty("shape").EnumerateArray().Select(static d => d.GetInt32())],
                8 + headerLength + offsets[0],
                8 + headerLength + offsets[1]));
        }
    }

    /// <summary>Every configuration of a Glow that there are golden values of.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        "affine-dense", "additive-reverse-noedge", "affine-plu", "affine-shuffle-5bit", "conditional",
        "grey-3levels", "wide-rectangle",
    ];

    /// <summary>The configuration's name.</summary>
    public string Name { get; }

    /// <summary>Shape of the model.</summary>
    public FlowConfig Model { get; private set; } = new GlowConfig();

    /// <summary>The same of a Glow.</summary>
    public GlowConfig Config => (GlowConfig)Model;

    /// <summary>Weight of the class term in <c>f64.loss</c>.</summary>
    public double ClassWeight { get; private set; }

    /// <summary>Number of images.</summary>
    public int Count => Shape("images")[0];

    /// <summary>Class indices as the model takes them, or null.</summary>
    public float[]? Labels => Has("labels") ? Floats("labels") : null;

    /// <summary>Reads one fixture.</summary>
    public static FixtureFile Open(string name) => new(name, File.ReadAllBytes(
        Path.Combine(AppContext.BaseDirectory, "Fixtures", name + ".safetensors")));

    /// <summary>Whether there is such a tensor.</summary>
    public bool Has(string tensor) => entries.ContainsKey(tensor);

    /// <summary>Names of the tensors that start with a prefix, the prefix removed.</summary>
    public IEnumerable<string> Under(string prefix) =>
        entries.Keys.Where(k => k.StartsWith(prefix, StringComparison.Ordinal)).Select(k => k[prefix.Length..]);

    /// <summary>Shape of a tensor.</summary>
    public int[] Shape(string tensor) => Find(tensor).Shape;

    /// <summary>Whether a tensor holds integers.</summary>
    public bool IsInteger(string tensor) => Find(tensor).Type is "I32" or "U8";

    /// <summary>A tensor of any type in double precision.</summary>
    public double[] Doubles(string tensor)
    {
        Entry entry = Find(tensor);
        ReadOnlySpan<byte> data = bytes.AsSpan(entry.Begin, entry.End - entry.Begin);
        return entry.Type switch
        {
            "F64" => MemoryMarshal.Cast<byte, double>(data).ToArray(),
            "F32" => Array.ConvertAll(MemoryMarshal.Cast<byte, float>(data).ToArray(), static v => (double)v),
            "I32" => Array.ConvertAll(MemoryMarshal.Cast<byte, int>(data).ToArray(), static v => (double)v),
            "U8" => Array.ConvertAll(data.ToArray(), static v => (double)v),
            _ => throw new InvalidDataException($"fixture {Name}: {tensor} has type {entry.Type}"),
        };
    }

    /// <summary>A tensor of any type in single precision.</summary>
    public float[] Floats(string tensor) => Array.ConvertAll(Doubles(tensor), static v => (float)v);

    /// <summary>An integer tensor.</summary>
    public int[] Integers(string tensor) => Array.ConvertAll(Doubles(tensor), static v => (int)v);

    /// <summary>Every parameter and fixed tensor by its name in a checkpoint.</summary>
    public Dictionary<string, double[]> Parameters() => Under("param.").ToDictionary(static n => n,
        n => Doubles("param." + n));

    /// <inheritdoc/>
    public override string ToString() => Name;

    private Entry Find(string tensor) => entries.TryGetValue(tensor, out Entry entry)
        ? entry
        : throw new ArgumentException($"fixture {Name}: there is no tensor '{tensor}'");
}
