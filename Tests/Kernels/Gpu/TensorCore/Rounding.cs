using GlowGpu.Kernels;

namespace GlowGpu.Tests.Kernels.Gpu.TensorCore;

/// <summary>What a factor becomes on tensor cores, computed without looking at its bits.</summary>
internal static class Rounding
{
    /// <summary>Significant bits of a factor.</summary>
    public static int Bits(Precision precision) => precision == Precision.Bf16 ? 8 : 11;

    /// <summary>Largest relative error of a rounded factor.</summary>
    public static double Unit(Precision precision) => Math.ScaleB(1, -Bits(precision));

    /// <summary>The nearest factor; ties go to the even one in bfloat16 and away from zero in TF32.</summary>
    public static float Round(Precision precision, double value)
    {
        if (value == 0 || !double.IsFinite(value)) return (float)value;
        // Exponents of factors are those of float32; below the smallest, the step stays the same.
        double step = Math.ScaleB(1, Math.Max(Math.ILogB(value), -126) - Bits(precision) + 1);
        return (float)(step * Math.Round(value / step, precision == Precision.Bf16 ? MidpointRounding.ToEven
            : MidpointRounding.AwayFromZero));
    }
}
