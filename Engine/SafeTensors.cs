namespace GlowGpu.Engine;

/// <summary>Element types of the safetensors format.</summary>
public enum TensorType
{
    /// <summary>64-bit floating point.</summary>
    F64,

    /// <summary>64-bit signed integer.</summary>
    I64,

    /// <summary>64-bit unsigned integer.</summary>
    U64,

    /// <summary>32-bit floating point.</summary>
    F32,

    /// <summary>32-bit signed integer.</summary>
    I32,

    /// <summary>32-bit unsigned integer.</summary>
    U32,

    /// <summary>16-bit floating point.</summary>
    F16,

    /// <summary>The upper 16 bits of a 32-bit floating point number.</summary>
    BF16,

    /// <summary>16-bit signed integer.</summary>
    I16,

    /// <summary>16-bit unsigned integer.</summary>
    U16,

    /// <summary>8-bit signed integer.</summary>
    I8,

    /// <summary>8-bit unsigned integer.</summary>
    U8,

    /// <summary>One byte, 0 or 1.</summary>
    Bool,
}

/// <summary>A tensor of a file: its type, its shape and its bytes <c>[Begin, End)</c> after the header.</summary>
public sealed record TensorEntry(string Name, TensorType Type, long[] Shape, long Begin, long End)
{
    /// <summary>Number of elements.</summary>
    public long Count => (End - Begin) / SafeTensors.Size(Type);

    /// <summary>Whether the shape is this one.</summary>
    public bool HasShape(ReadOnlySpan<int> shape)
    {
        if (shape.Length != Shape.Length) return false;
        for (int i = 0; i < shape.Length; i++)
            if (shape[i] != Shape[i]) return false;
        return true;
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Name} {SafeTensors.Name(Type)} [{string.Join(",", Shape)}]";
}

/// <summary>
/// The safetensors format: an 8-byte little-endian header length, a JSON header that gives each tensor's type, shape
/// and byte range, and the raw little-endian tensors, without gaps.
/// </summary>
public static class SafeTensors
{
    /// <summary>Key of the header under which a map of strings may stand.</summary>
    public const string MetadataKey = "__metadata__";

    /// <summary>The format allows no longer header.</summary>
    internal const long MaxHeaderBytes = 100_000_000;

    /// <summary>Bytes of the length before the header.</summary>
    internal const int PrefixBytes = 8;

    /// <summary>Bytes of one element.</summary>
    public static int Size(TensorType type) => type switch
    {
        TensorType.F64 or TensorType.I64 or TensorType.U64 => 8,
        TensorType.F32 or TensorType.I32 or TensorType.U32 => 4,
        TensorType.F16 or TensorType.BF16 or TensorType.I16 or TensorType.U16 => 2,
        _ => 1,
    };

    /// <summary>The type as the header spells it.</summary>
    public static string Name(TensorType type) => type == TensorType.Bool ? "BOOL" : type.ToString();

    /// <summary>The type of that spelling, or null.</summary>
    internal static TensorType? Parse(string name)
    {
        foreach (TensorType type in Enum.GetValues<TensorType>())
            if (Name(type) == name) return type;
        return null;
    }

    /// <summary>Product of the dimensions times the element size, or null when it exceeds 2^63 − 1.</summary>
    internal static long? ByteCount(TensorType type, ReadOnlySpan<long> shape)
    {
        Int128 bytes = Size(type);
        if (shape.Contains(0)) return 0;
        foreach (long dimension in shape)
        {
            bytes *= dimension;
            if (bytes > long.MaxValue) return null;
        }
        return (long)bytes;
    }
}
