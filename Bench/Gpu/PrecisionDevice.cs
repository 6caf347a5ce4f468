using GlowGpu.Engine;

namespace GlowGpu.Bench.Gpu;

/// <summary>The one place where a precision of the report becomes a device of ours.</summary>
internal static class PrecisionDevice
{
    /// <summary>Float32 factors, the only precision of devices without tensor cores.</summary>
    public const string Single = "fp32";

    /// <summary>Everything that products can be asked for: of ours, of the libraries and of PyTorch.</summary>
    public static IReadOnlyList<string> All { get; } = [Single, "tf32", "bf16"];

    /// <summary>Those that this engine has.</summary>
    public static IReadOnlyList<string> Ours { get; } = [Single];

    /// <summary>Opens a device for a precision.</summary>
    /// <exception cref="GlowException">There is no such device, or it does not compute in that precision.</exception>
    public static Device Open(string kind, string precision)
    {
        if (!Ours.Contains(precision))
            throw new GlowException($"gpu: precision '{precision}' is not one of ours; there {(Ours.Count == 1 ? "is" : "are")} {string.Join(", ", Ours)}");
        return DeviceFactory.Open(kind);
    }

    /// <summary>
    /// Largest relative error allowed to a result in that precision: ten times the rounding of one factor, which a sum of products of
    /// both signs and a ReLU whose argument changed its sign may add up to.
    /// </summary>
    public static double Tolerance(string precision) => precision switch
    {
        "bf16" => 0.04,
        "tf32" => 0.01,
        _ => 1e-3,
    };
}
