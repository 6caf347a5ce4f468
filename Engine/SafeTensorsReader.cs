using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace GlowGpu.Engine;

/// <summary>
/// Reads a safetensors file tensor by tensor, or any part of a tensor. Opening reads the header only, and nothing is
/// ever allocated on the file's word alone: every claim is checked against the size of the file first. Reads may come
/// from several threads at once.
/// </summary>
public sealed class SafeTensorsReader : IDisposable
{
    private const int ChunkBytes = 1 << 16;

    private readonly SafeFileHandle handle;
    private readonly Dictionary<string, TensorEntry> byName;
    private readonly long dataStart;

    private SafeTensorsReader(string path, SafeFileHandle handle, SafeTensorsHeader header, long dataStart)
    {
        Path = path;
        Metadata = header.Metadata;
        Tensors = header.Tensors;
        byName = header.Tensors.ToDictionary(static t => t.Name);
        this.handle = handle;
        this.dataStart = dataStart;
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>The map of strings under <c>__metadata__</c>; empty without one.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Every tensor, in the order of its bytes.</summary>
    public IReadOnlyList<TensorEntry> Tensors { get; }

    /// <summary>Opens a file and checks its header.</summary>
    /// <exception cref="GlowException">There is no such file, or it is not a whole safetensors file; the sentence
    /// names it.</exception>
    public static SafeTensorsReader Open(string path)
    {
        SafeFileHandle? handle = null;
        try
        {
            if (Directory.Exists(path)) throw new GlowException($"{path}: is a folder; a safetensors file is needed");
            handle = File.OpenHandle(path);
            long length = RandomAccess.GetLength(handle);
            if (length < SafeTensors.PrefixBytes)
                throw new GlowException(
                    $"{path}: has only {length} bytes; a safetensors file begins with an 8-byte header length");
            byte[] prefix = new byte[SafeTensors.PrefixBytes];
            Fill(path, handle, prefix, 0);
            ulong claimed = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
            long room = length - SafeTensors.PrefixBytes;
            if (claimed > (ulong)room || claimed > SafeTensors.MaxHeaderBytes)
                throw new GlowException(
                    $"{path}: claims a header of {claimed} bytes, but only "
                        + $"{Math.Min(room, SafeTensors.MaxHeaderBytes)} are possible; it is truncated or not a "
                        + "safetensors file");
            byte[] json = new byte[(int)claimed];
            Fill(path, handle, json, SafeTensors.PrefixBytes);
            SafeTensorsHeader header = SafeTensorsHeader.Parse(path, json, room - json.Length);
            return new SafeTensorsReader(path, handle, header, SafeTensors.PrefixBytes + json.Length);
        }
        catch (Exception e)
        {
            handle?.Dispose();
            if (e is FileNotFoundException or DirectoryNotFoundException)
                throw new GlowException($"{path}: there is no such file", e);
            if (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
                throw new GlowException($"{path}: cannot be read ({e.Message.TrimEnd('.')})", e);
            throw;
        }
    }

    /// <summary>The tensor of that name, or null.</summary>
    public TensorEntry? Find(string name) => byName.GetValueOrDefault(name);

    /// <summary>All elements as float32; other types are rounded to it.</summary>
    /// <exception cref="GlowException">There is no such tensor, or the file ends early.</exception>
    public float[] ReadFloats(string name) => ReadAll<float>(name);

    /// <summary>Elements from <paramref name="first"/> on as float32; other types are rounded to it.</summary>
    /// <exception cref="GlowException">There is no such tensor, or the file ends early.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The tensor has no such elements.</exception>
    public void ReadFloats(string name, long first, Span<float> target) => Read(Get(name), first, target);

    /// <summary>All elements as float64.</summary>
    /// <exception cref="GlowException">There is no such tensor, or the file ends early.</exception>
    public double[] ReadDoubles(string name) => ReadAll<double>(name);

    /// <summary>All elements of an integer tensor.</summary>
    /// <exception cref="GlowException">There is no such tensor, it does not hold integers, one does not fit 32 bits,
    /// or the file ends early.</exception>
    public int[] ReadInts(string name)
    {
        TensorEntry entry = Get(name);
        if (entry.Type is TensorType.F64 or TensorType.F32 or TensorType.F16 or TensorType.BF16)
            throw new GlowException($"{Path}: tensor '{name}' is {entry.Type}; integers are needed");
        try
        {
            return ReadAll<int>(name);
        }
        catch (OverflowException e)
        {
            throw new GlowException($"{Path}: tensor '{name}' holds a number that does not fit 32 bits", e);
        }
    }

    /// <summary>Elements from <paramref name="first"/> on of a tensor of bytes.</summary>
    /// <exception cref="GlowException">There is no such tensor, its type is not U8, or the file ends early.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The tensor has no such elements.</exception>
    public void ReadBytes(string name, long first, Span<byte> target)
    {
        TensorEntry entry = Get(name);
        if (entry.Type != TensorType.U8)
            throw new GlowException($"{Path}: tensor '{name}' is {SafeTensors.Name(entry.Type)}; U8 is needed");
        CheckRange(entry, first, target.Length);
        Fill(Path, handle, target, dataStart + entry.Begin + first);
    }

    /// <inheritdoc/>
    public void Dispose() => handle.Dispose();

    private TensorEntry Get(string name) => Find(name) ?? throw new GlowException($"{Path}: holds no tensor '{name}'");

    private T[] ReadAll<T>(string name) where T : unmanaged, INumberBase<T>
    {
        TensorEntry entry = Get(name);
        if (entry.Count > Array.MaxLength)
            throw new GlowException($"{Path}: tensor '{name}' has {entry.Count} elements; at most {Array.MaxLength} "
                + "can be read at once");
        T[] values = new T[entry.Count];
        Read<T>(entry, 0, values);
        return values;
    }

    private void Read<T>(TensorEntry entry, long first, Span<T> target) where T : unmanaged, INumberBase<T>
    {
        CheckRange(entry, first, target.Length);
        int size = SafeTensors.Size(entry.Type);
        long position = dataStart + entry.Begin + first * size;
        if (BitConverter.IsLittleEndian && IsStored<T>(entry.Type))
        {
            // In pieces, because a span of bytes cannot be longer than 2 GiB.
            int piece = (1 << 30) / size;
            for (int done = 0; done < target.Length; done += piece)
            {
                Span<T> part = target.Slice(done, Math.Min(piece, target.Length - done));
                Fill(Path, handle, MemoryMarshal.AsBytes(part), position + (long)done * size);
            }
            return;
        }
        byte[] chunk = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        try
        {
            int capacity = ChunkBytes / size;
            for (int done = 0; done < target.Length; done += capacity)
            {
                Span<T> part = target.Slice(done, Math.Min(capacity, target.Length - done));
                Span<byte> bytes = chunk.AsSpan(0, part.Length * size);
                Fill(Path, handle, bytes, position + (long)done * size);
                Convert(entry.Type, bytes, part);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(chunk);
        }
    }

    private static bool IsStored<T>(TensorType type) => type switch
    {
        TensorType.F32 => typeof(T) == typeof(float),
        TensorType.F64 => typeof(T) == typeof(double),
        TensorType.I32 => typeof(T) == typeof(int),
        _ => false,
    };

    private static void Convert<T>(TensorType type, ReadOnlySpan<byte> bytes, Span<T> target) where T : unmanaged,
        INumberBase<T>
    {
        for (int i = 0; i < target.Length; i++)
        {
            ReadOnlySpan<byte> element = bytes[(i * SafeTensors.Size(type))..];
            target[i] = type switch
            {
                TensorType.F64 => T.CreateChecked(BinaryPrimitives.ReadDoubleLittleEndian(element)),
                TensorType.F32 => T.CreateChecked(BinaryPrimitives.ReadSingleLittleEndian(element)),
                TensorType.F16 => T.CreateChecked(BinaryPrimitives.ReadHalfLittleEndian(element)),
                TensorType.BF16 => T.CreateChecked(
                    BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(element) << 16)),
                TensorType.I64 => T.CreateChecked(BinaryPrimitives.ReadInt64LittleEndian(element)),
                TensorType.U64 => T.CreateChecked(BinaryPrimitives.ReadUInt64LittleEndian(element)),
                TensorType.I32 => T.CreateChecked(BinaryPrimitives.ReadInt32LittleEndian(element)),
                TensorType.U32 => T.CreateChecked(BinaryPrimitives.ReadUInt32LittleEndian(element)),
                TensorType.I16 => T.CreateChecked(BinaryPrimitives.ReadInt16LittleEndian(element)),
                TensorType.U16 => T.CreateChecked(BinaryPrimitives.ReadUInt16LittleEndian(element)),
                TensorType.I8 => T.CreateChecked((sbyte)element[0]),
                _ => T.CreateChecked(element[0]),
            };
        }
    }

    private static void CheckRange(TensorEntry entry, long first, int count)
    {
        if (first < 0 || first > entry.Count - count)
            throw new ArgumentOutOfRangeException(nameof(first),
                $"safetensors: elements [{first}, {first + count}) do not lie inside {entry}");
    }

    private static void Fill(string path, SafeFileHandle handle, Span<byte> target, long position)
    {
        while (target.Length > 0)
        {
            int read = ReadAt(path, handle, target, position);
            if (read == 0) throw new GlowException($"{path}: ends at byte {position}, before its tensors do");
            target = target[read..];
            position += read;
        }
    }

    private static int ReadAt(string path, SafeFileHandle handle, Span<byte> target, long position)
    {
        try
        {
            return RandomAccess.Read(handle, target, position);
        }
        catch (IOException e)
        {
            throw new GlowException($"{path}: cannot be read ({e.Message.TrimEnd('.')})", e);
        }
    }
}
