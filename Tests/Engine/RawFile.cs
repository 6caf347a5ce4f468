using System.Buffers.Binary;
using System.Text;

namespace GlowGpu.Tests.Engine;

/// <summary>Writes safetensors files by hand, right or wrong.</summary>
internal static class RawFile
{
    public static string Write(string path, string header, byte[] data, ulong? headerLength = null)
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        byte[] prefix = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, headerLength ?? (ulong)json.Length);
        File.WriteAllBytes(path, [.. prefix, .. json, .. data]);
        return path;
    }
}
