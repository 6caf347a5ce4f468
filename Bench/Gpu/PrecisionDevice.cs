using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Bench.Gpu;

/// <summary>The one place where a precision of the report becomes a device of ours.</summary>
internal static class PrecisionDevice
{
    /// <summary>Float32 factors, the only precision of devices without tensor cores.</summary>
    public const string Single = "fp32";

    /// <summary>Everything that products can be asked for: of ours, of the libraries and of PyTorch.</summary>
    public static IReadOnlyList<string> All { get; } = [Single, "tf32", "bf16"];

    /// <summary>
    /// Those that a device offers: all with tensor cores, which are what it multiplies by unless told otherwise.
    /// </summary>
    /// <exception cref="GlowException">There is no such device.</exception>
    public static IReadOnlyList<string> Ours(string kind)
    {
        using Device device = DeviceFactory.Open(kind);
        return device.Precision == Precision.Fp32 ? [Single] : All;
    }

    /// <summary>Opens a device for a precision.</summary>
    /// <exception cref="GlowException">There is no such device, or it does not compute in that precision.</exception>
    public static Device Open(string kind, string precision) => DeviceFactory.Open(kind,
        precision: Enum.Parse<Precision>(precision, ignoreCase: true));

    /// <summary>
    /// Largest relative error allowed to a result in that precision: ten times the rounding of one factor, which a
    /// sum of products of both signs and a ReLU whose argument changed its sign may add up to.
    /// </summary>
    public static double Tolerance(string precision) => precision switch
    {
        "bf16" => 0.04,
        "tf32" => 0.01,
        _ => 1e-3,
    };
}
