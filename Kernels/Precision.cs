namespace GlowGpu.Kernels;

/// <summary>
/// How coupling networks are multiplied. Sums, parameters and flow variables are float32 in every case; a network is
/// evaluated forward and backward through the flow with the same rounding, so none of them costs invertibility.
/// </summary>
public enum Precision
{
    /// <summary>Factors in float32.</summary>
    Fp32,

    /// <summary>Factors rounded to 10 bits of mantissa (relative error 2⁻¹¹), on tensor cores.</summary>
    Tf32,

    /// <summary>
    /// Factors rounded to 7 bits of mantissa (relative error 2⁻⁸), on tensor cores; hidden activations take half the
    /// memory.
    /// </summary>
    Bf16,
}
