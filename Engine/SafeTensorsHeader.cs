using System.Text.Json;

namespace GlowGpu.Engine;

/// <summary>
/// Reads the JSON header of a safetensors file and checks every claim in it against the size of the file.
/// </summary>
internal sealed class SafeTensorsHeader
{
    private readonly string file;
    private readonly Dictionary<string, string> metadata = [];
    private readonly List<TensorEntry> tensors = [];

    private SafeTensorsHeader(string file) => this.file = file;

    /// <summary>The map under <see cref="SafeTensors.MetadataKey"/>.</summary>
    public IReadOnlyDictionary<string, string> Metadata => metadata;

    /// <summary>Every tensor, in the order of its bytes.</summary>
    public IReadOnlyList<TensorEntry> Tensors => tensors;

    /// <summary>Parses a header that <paramref name="dataBytes"/> of tensors follow.</summary>
    /// <exception cref="GlowException">Something in it is wrong; the sentence names
    /// <paramref name="file"/>.</exception>
    public static SafeTensorsHeader Parse(string file, ReadOnlySpan<byte> json, long dataBytes)
    {
        SafeTensorsHeader header = new(file);
        try
        {
            header.ReadObject(json);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string holds bytes that are not UTF-8.
            throw new GlowException(
                $"{file}: its header is not valid JSON ({e.Message.TrimEnd('.')}); a safetensors file is needed", e);
        }
        header.CheckRanges(dataBytes);
        return header;
    }

    private void ReadObject(ReadOnlySpan<byte> json)
    {
        HashSet<string> names = [];
        Utf8JsonReader reader = new(json);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            throw Wrong("its header is not a JSON object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            if (!names.Add(name)) throw Wrong($"its header names '{name}' twice");
            reader.Read();
            if (name == SafeTensors.MetadataKey) ReadMetadata(ref reader);
            else tensors.Add(ReadEntry(ref reader, name));
        }
        // Only white space may follow; the reader throws at anything else.
        while (reader.Read()) { }
    }

    private void ReadMetadata(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject) throw Wrong("its __metadata__ is not a JSON object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String) throw Wrong($"its __metadata__.{key} is not a string");
            metadata[key] = reader.GetString()!;
        }
    }

    private TensorEntry ReadEntry(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw Wrong($"tensor '{name}' is not described by a JSON object");
        string? dtype = null;
        long[]? shape = null, offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            switch (key)
            {
                case "dtype" when reader.TokenType == JsonTokenType.String: dtype = reader.GetString(); break;
                case "shape": shape = ReadNumbers(ref reader, name, key); break;
                case "data_offsets": offsets = ReadNumbers(ref reader, name, key); break;
                default: throw Wrong($"tensor '{name}' has an unknown or ill-typed field '{key}'");
            }
        }
        if (dtype is null || shape is null || offsets is null)
            throw Wrong($"tensor '{name}' lacks one of dtype, shape and data_offsets");
        TensorType type = SafeTensors.Parse(dtype)
            ?? throw Wrong($"tensor '{name}' has the unknown dtype '{dtype}'; "
            + $"{string.Join(", ", Enum.GetValues<TensorType>().Select(SafeTensors.Name))} are known");
        if (offsets.Length != 2 || offsets[1] < offsets[0])
            throw Wrong($"tensor '{name}' has data_offsets [{string.Join(",", offsets)}]; a begin and an end not "
                + "before it are needed");
        long? bytes = SafeTensors.ByteCount(type, shape);
        if (bytes != offsets[1] - offsets[0])
            throw Wrong($"tensor '{name}' spans {offsets[1] - offsets[0]} bytes, but {dtype} "
                + $"[{string.Join(",", shape)}] takes {bytes?.ToString() ?? "more than 2^63"}");
        return new TensorEntry(name, type, shape, offsets[0], offsets[1]);
    }

    private long[] ReadNumbers(ref Utf8JsonReader reader, string name, string key)
    {
        if (reader.TokenType != JsonTokenType.StartArray) throw Wrong($"tensor '{name}': {key} is not an array");
        List<long> numbers = [];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long number) || number < 0)
                throw Wrong($"tensor '{name}': {key} holds something other than whole numbers from 0 to 2^63 - 1");
            numbers.Add(number);
        }
        return [.. numbers];
    }

    private void CheckRanges(long dataBytes)
    {
        tensors.Sort(static (a, b) => a.Begin != b.Begin ? a.Begin.CompareTo(b.Begin) : a.End.CompareTo(b.End));
        long end = 0;
        foreach (TensorEntry tensor in tensors)
        {
            if (tensor.End > dataBytes)
                throw Wrong($"tensor '{tensor.Name}' ends at byte {tensor.End} of the tensor data, but the file "
                    + $"holds only {dataBytes}; it is truncated or its header is wrong");
            if (tensor.Begin < end)
                throw Wrong($"tensor '{tensor.Name}' overlaps another one at byte {tensor.Begin} of the tensor data");
            if (tensor.Begin > end) throw Wrong($"no tensor owns the bytes {end} to {tensor.Begin} of the tensor data");
            end = tensor.End;
        }
        if (end != dataBytes) throw Wrong($"no tensor owns the last {dataBytes - end} bytes");
    }

    private GlowException Wrong(string what) => new($"{file}: {what}");
}
