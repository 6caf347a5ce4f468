using System.Reflection;
using ILGPU;

namespace GlowGpu.Tests.Ptx;

/// <summary>
/// The bytes of a kernel's argument struct as ILGPU passes them: fields in order, aligned as in C, a view as its
/// address and its length.
/// </summary>
internal sealed class KernelArguments
{
    private readonly List<Leaf> leaves = [];

    private KernelArguments(Type type)
    {
        (int bytes, int align) = Add(type, [], 0, "");
        Bytes = (bytes + align - 1) / align * align;
    }

    private sealed record Leaf(IReadOnlyList<FieldInfo> Path, int Offset, Type Type, string Name);

    /// <summary>Number of bytes.</summary>
    public int Bytes { get; }

    /// <summary>The layout of a struct.</summary>
    public static KernelArguments Of(Type type) => new(type);

    /// <summary>
    /// The bytes of a struct, and the memory that its views span; raw addresses open the buffers that they lie in.
    /// </summary>
    public (byte[] Bytes, IReadOnlyList<MemoryRange> Memory) Flatten(object arguments, DeviceBuffers buffers)
    {
        byte[] bytes = new byte[Bytes];
        List<MemoryRange> memory = [];
        foreach (Leaf leaf in leaves)
        {
            object value = leaf.Path.Aggregate(arguments, static (holder, field) => field.GetValue(holder)!);
            Span<byte> to = bytes.AsSpan(leaf.Offset);
            if (IsView(leaf.Type))
            {
                (ulong start, long length, long size) = Extent((IContiguousArrayView)value);
                BitConverter.TryWriteBytes(to, start);
                BitConverter.TryWriteBytes(to[8..], length);
                if (size > 0) memory.Add(new MemoryRange(start, start + (ulong)size, leaf.Name));
                continue;
            }
            if (value is Enum) value = Convert.ChangeType(value, Enum.GetUnderlyingType(leaf.Type), null);
            switch (value)
            {
                case int v: BitConverter.TryWriteBytes(to, v); break;
                case uint v: BitConverter.TryWriteBytes(to, v); break;
                case float v: BitConverter.TryWriteBytes(to, v); break;
                case long v: BitConverter.TryWriteBytes(to, v); break;
                case ulong v:
                    BitConverter.TryWriteBytes(to, v);
                    if (buffers.Around(v, leaf.Name) is { } buffer) memory.Add(buffer);
                    break;
                case bool v: to[0] = v ? (byte)1 : (byte)0; break;
                case byte v: to[0] = v; break;
                case short v: BitConverter.TryWriteBytes(to, v); break;
                case ushort v: BitConverter.TryWriteBytes(to, v); break;
                default:
                    throw new PtxException(
                    $"argument {leaf.Name} of type {leaf.Type.Name} is not known to the PTX machine");
            }
        }
        return (bytes, memory);
    }

    private static (ulong Start, long Length, long Bytes) Extent(IContiguousArrayView view) => view.IsValid
        ? ((ulong)(view.Buffer.NativePtr + (nint)view.IndexInBytes), view.Length, view.LengthInBytes)
        : (0, 0, 0);

    private static bool IsView(Type type) => type.IsGenericType
        && type.GetGenericTypeDefinition() == typeof(ArrayView<>);

    // Size so far and alignment of the struct.
    private (int End, int Align) Add(Type type, IReadOnlyList<FieldInfo> path, int at, string name)
    {
        int align = 1;
        foreach (FieldInfo field in type.GetFields(BindingFlags.Instance | BindingFlags.Public
            | BindingFlags.NonPublic).OrderBy(static f => f.MetadataToken))
        {
            Type inner = field.FieldType;
            IReadOnlyList<FieldInfo> to = [.. path, field];
            string member = $"{name}{(name.Length > 0 ? "." : "")}{field.Name.Split('>')[0].TrimStart('<')}";
            bool isLeaf = IsView(inner) || inner.IsPrimitive || inner.IsEnum;
            int size = isLeaf ? Size(inner) : 0, own = IsView(inner) ? sizeof(long) : isLeaf ? size : Alignment(inner);
            at = (at + own - 1) / own * own;
            if (isLeaf)
            {
                leaves.Add(new Leaf(to, at, inner, member));
                at += size;
            }
            else
            {
                (int end, int innerAlign) = Add(inner, to, at, member);
                at = (end + innerAlign - 1) / innerAlign * innerAlign;
            }
            align = Math.Max(align, own);
        }
        return (at, align);
    }

    private static int Alignment(Type type) =>
        IsView(type) ? sizeof(long)
        : type.IsPrimitive || type.IsEnum ? Size(type)
        : type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic)
        .Max(static f => Alignment(f.FieldType));

    private static int Size(Type type) =>
        IsView(type) ? 2 * sizeof(long)
        : Type.GetTypeCode(type) switch
        {
            TypeCode.Boolean or TypeCode.Byte or TypeCode.SByte => 1,
            TypeCode.Int16 or TypeCode.UInt16 => 2,
            TypeCode.Int32 or TypeCode.UInt32 or TypeCode.Single => 4,
            TypeCode.Int64 or TypeCode.UInt64 or TypeCode.Double => 8,
            _ => throw new PtxException($"an argument of type {type.Name} is not known to the PTX machine"),
        };
}
