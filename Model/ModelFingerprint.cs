using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using GlowGpu.Engine;

namespace GlowGpu.Model;

/// <summary>
/// Tells whether two models have the same weights: what is derived from one model's latents means nothing to another.
/// </summary>
public static class ModelFingerprint
{
    /// <summary>
    /// First 16 hex digits of the SHA-256 over every trainable tensor (name, then float32 values, in layout order),
    /// then every fixed tensor in ordinal order of the names.
    /// </summary>
    public static string Of(FlowModel model)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (Parameter p in model.Parameters.All)
        {
            hash.AppendData(Encoding.UTF8.GetBytes(p.Name));
            hash.AppendData(MemoryMarshal.AsBytes(model.Parameters.Value(p.Name).ToArray().AsSpan()));
        }
        foreach ((string name, Array values) in model.Constants.OrderBy(static c => c.Key, StringComparer.Ordinal))
        {
            hash.AppendData(Encoding.UTF8.GetBytes(name));
            hash.AppendData(values is int[] order ? MemoryMarshal.AsBytes(order.AsSpan())
                : MemoryMarshal.AsBytes(((float[])values).AsSpan()));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..16];
    }
}
