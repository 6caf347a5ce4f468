using System.Runtime.InteropServices;
using GlowGpu.Kernels;
using GlowGpu.Kernels.Gpu;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using Device = GlowGpu.Engine.Device;

namespace GlowGpu.Bench.Gpu;

/// <summary>
/// Blocks of device memory that a library is handed: their addresses, and values of two types in them.
/// </summary>
internal sealed class DeviceMemory(IBackend backend) : IDisposable
{
    private readonly List<IBuffer> buffers = [];

    /// <summary>Bytes that nobody holds on a CUDA device; null elsewhere, where no driver tells.</summary>
    public static long? FreeBytes(Device device)
    {
        if (device.Backend is not GpuBackend { Accelerator: CudaAccelerator cuda }) return null;
        cuda.Bind();
        return CudaDriver.FreeBytes();
    }

    /// <summary>The address of a view's first element.</summary>
    public static nint Address(View view) => ((GpuBuffer)view.Buffer).Memory.SubView(view.Offset,
        view.Count).LoadEffectiveAddressAsPtr();

    /// <summary>A block of bytes.</summary>
    public View Bytes(long bytes)
    {
        long length = Math.Max(1, (bytes + sizeof(float) - 1) / sizeof(float));
        IBuffer buffer = backend.Allocate(length);
        buffers.Add(buffer);
        return View.Dense(buffer, 0, 1, checked((int)length));
    }

    /// <summary>A block of so many elements.</summary>
    public View Elements(long count, bool bf16) => Bytes(count * (bf16 ? 2 : 4));

    /// <summary>A block that holds values, rounded to nearest even in bfloat16.</summary>
    public View Upload(ReadOnlySpan<float> values, bool bf16)
    {
        View view = Elements(values.Length, bf16);
        Write(view, values, bf16);
        return view;
    }

    /// <summary>Writes values into a block of as many elements.</summary>
    public static void Write(View view, ReadOnlySpan<float> values, bool bf16)
    {
        float[] raw = new float[view.Count];
        if (bf16) Bf16.Round(values, MemoryMarshal.Cast<float, ushort>(raw.AsSpan()));
        else values.CopyTo(raw);
        view.Write(raw);
    }

    /// <summary>The values of a block.</summary>
    public static float[] Download(View view, int count, bool bf16)
    {
        float[] raw = new float[view.Count];
        view.Read(raw);
        if (!bf16) return raw[..count];
        float[] values = new float[count];
        Bf16.Widen(MemoryMarshal.Cast<float, ushort>(raw.AsSpan())[..count], values);
        return values;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (IBuffer buffer in buffers) buffer.Dispose();
        buffers.Clear();
    }
}

/// <summary>bfloat16: the upper half of a float32.</summary>
internal static class Bf16
{
    /// <summary>To nearest, ties to even.</summary>
    public static void Round(ReadOnlySpan<float> values, Span<ushort> halves)
    {
        for (int i = 0; i < values.Length; i++)
        {
            uint bits = BitConverter.SingleToUInt32Bits(values[i]);
            halves[i] = float.IsNaN(values[i]) ? (ushort)0x7FC0 : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
        }
    }

    /// <summary>Exactly.</summary>
    public static void Widen(ReadOnlySpan<ushort> halves, Span<float> values)
    {
        for (int i = 0; i < halves.Length; i++) values[i] = BitConverter.UInt32BitsToSingle((uint)halves[i] << 16);
    }
}
