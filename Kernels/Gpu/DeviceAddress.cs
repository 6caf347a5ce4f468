using ILGPU.Runtime;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// Where a matrix lies in device memory, for kernels written in PTX: ILGPU offers no address of a view inside a kernel.
/// </summary>
internal readonly struct DeviceAddress(ulong value)
{
    public readonly ulong Value = value;

    /// <summary>The address of the first element.</summary>
    public static DeviceAddress Of(Matrix matrix) => new((ulong)matrix.Data.LoadEffectiveAddressAsPtr());
}
