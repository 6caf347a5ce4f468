using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using GlowGpu.Kernels;

namespace GlowGpu.Engine;

/// <summary>
/// Gathers tensors and writes them as one safetensors file. Nothing is copied before the file is written, and device
/// memory passes through the host in pieces. The same contents always give the same bytes: wide types first, so that
/// every tensor is aligned, then by name.
/// </summary>
public sealed class SafeTensorsWriter
{
    private const int PieceElements = 1 << 20;

    private static readonly JsonWriterOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly SortedDictionary<string, Item> items = new(StringComparer.Ordinal);

    private sealed record Item(TensorType Type, int[] Shape, long Bytes, Action<Stream> Write);

    /// <summary>The map of strings that goes under <c>__metadata__</c>.</summary>
    public SortedDictionary<string, string> Metadata { get; } = new(StringComparer.Ordinal);

    /// <summary>Adds a float32 tensor.</summary>
    /// <exception cref="ArgumentException">The name is taken, or shape and count differ.</exception>
    public void Add(string name, int[] shape, float[] values) => AddArray(name, TensorType.F32, shape, values);

    /// <summary>Adds a float64 tensor.</summary>
    /// <exception cref="ArgumentException">The name is taken, or shape and count differ.</exception>
    public void Add(string name, int[] shape, double[] values) => AddArray(name, TensorType.F64, shape, values);

    /// <summary>Adds an int32 tensor.</summary>
    /// <exception cref="ArgumentException">The name is taken, or shape and count differ.</exception>
    public void Add(string name, int[] shape, int[] values) => AddArray(name, TensorType.I32, shape, values);

    /// <summary>Adds a tensor of bytes.</summary>
    /// <exception cref="ArgumentException">The name is taken, or shape and count differ.</exception>
    public void Add(string name, int[] shape, byte[] values) => AddArray(name, TensorType.U8, shape, values);

    /// <summary>Adds a float32 tensor that is read from a dense view when the file is written.</summary>
    /// <exception cref="ArgumentException">The name is taken, shape and count differ, or the view is not
    /// dense.</exception>
    public void Add(string name, int[] shape, View values)
    {
        if (!values.IsDense) throw new ArgumentException($"safetensors: '{name}' is a view with gaps between its rows");
        Add(name, TensorType.F32, shape, values.Count, stream =>
        {
            float[] piece = new float[Math.Min(values.Count, PieceElements)];
            for (long done = 0; done < values.Count; done += piece.Length)
            {
                Span<float> part = piece.AsSpan(0, (int)Math.Min(piece.Length, values.Count - done));
                values.Buffer.Read(values.Offset + done, part);
                WriteElements<float>(stream, part);
            }
        });
    }

    /// <summary>Writes the file in one step (<see cref="AtomicFile"/>).</summary>
    /// <exception cref="GlowException">The file cannot be written; the sentence names it.</exception>
    public void Save(string path) => AtomicFile.Write(path, WriteTo);

    /// <summary>Writes header and tensors.</summary>
    public void WriteTo(Stream stream)
    {
        KeyValuePair<string, Item>[] order = [.. items.OrderByDescending(static i => SafeTensors.Size(i.Value.Type))];
        byte[] header = Header(order);
        // Spaces up to a multiple of 8 keep the widest tensors aligned in the file.
        int padded = (header.Length + 7) / 8 * 8;
        Span<byte> prefix = stackalloc byte[SafeTensors.PrefixBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, (ulong)padded);
        stream.Write(prefix);
        stream.Write(header);
        for (int i = header.Length; i < padded; i++) stream.WriteByte((byte)' ');
        foreach ((_, Item item) in order) item.Write(stream);
    }

    private byte[] Header(KeyValuePair<string, Item>[] order)
    {
        using MemoryStream buffer = new();
        using (Utf8JsonWriter json = new(buffer, Json))
        {
            json.WriteStartObject();
            if (Metadata.Count > 0)
            {
                json.WriteStartObject(SafeTensors.MetadataKey);
                foreach ((string key, string value) in Metadata) json.WriteString(key, value);
                json.WriteEndObject();
            }
            long offset = 0;
            foreach ((string name, Item item) in order)
            {
                json.WriteStartObject(name);
                json.WriteString("dtype", SafeTensors.Name(item.Type));
                json.WriteStartArray("shape");
                foreach (int dimension in item.Shape) json.WriteNumberValue(dimension);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset += item.Bytes);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        return buffer.ToArray();
    }

    private void AddArray<T>(string name, TensorType type, int[] shape, T[] values) where T : unmanaged =>
        Add(name, type, shape, values.LongLength, stream =>
        {
            for (int done = 0; done < values.Length; done += PieceElements)
                WriteElements<T>(stream, values.AsSpan(done, Math.Min(PieceElements, values.Length - done)));
        });

    private void Add(string name, TensorType type, int[] shape, long count, Action<Stream> write)
    {
        long product = shape.Aggregate(1L, static (a, b) => checked(a * b));
        if (name == SafeTensors.MetadataKey || shape.Any(static d => d < 0) || product != count)
            throw new ArgumentException(
                $"safetensors: {count} values do not fill '{name}' [{string.Join(",", shape)}]");
        if (!items.TryAdd(name, new Item(type, shape, count * SafeTensors.Size(type), write)))
            throw new ArgumentException($"safetensors: there are two tensors '{name}'");
    }

    // Host arrays are written as they lie in memory; the format is little-endian.
    private static void WriteElements<T>(Stream stream, ReadOnlySpan<T> values) where T : unmanaged
    {
        if (!BitConverter.IsLittleEndian)
            throw new PlatformNotSupportedException("safetensors: a little-endian machine is needed");
        stream.Write(MemoryMarshal.AsBytes(values));
    }
}
