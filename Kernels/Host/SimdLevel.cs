using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace GlowGpu.Kernels.Host;

/// <summary>Vector instruction sets that the host's matrix kernels are written for.</summary>
public enum SimdLevel
{
    /// <summary>
    /// 128-bit vectors that every .NET target has (SSE, NEON, WebAssembly), in software where it has none.
    /// </summary>
    Portable,

    /// <summary>256-bit vectors with fused multiply-add.</summary>
    Avx2,

    /// <summary>512-bit vectors.</summary>
    Avx512,
}

/// <summary>What this processor can run.</summary>
public static class SimdLevels
{
    /// <summary>The widest level of this processor.</summary>
    public static SimdLevel Best =>
        IsSupported(SimdLevel.Avx512) ? SimdLevel.Avx512 : IsSupported(SimdLevel.Avx2) ? SimdLevel.Avx2
            : SimdLevel.Portable;

    /// <summary>True when this processor can run a level's instructions.</summary>
    public static bool IsSupported(SimdLevel level) => level switch
    {
        // IsHardwareAccelerated is false on chips that lower their clock for 512-bit vectors: there AVX2 is the
        // better choice.
        SimdLevel.Avx512 => Avx512F.IsSupported && Vector512.IsHardwareAccelerated,
        SimdLevel.Avx2 => Avx2.IsSupported && Fma.IsSupported,
        _ => true,
    };

    /// <summary>
    /// Whether 512-bit arithmetic is carried out in two halves, as on AMD's Zen 4 (family 19h). There a broadcast to
    /// 512 bits costs as much as it feeds, and two vectors of 256 bits that share one are faster than a single one of
    /// 512.
    /// </summary>
    public static bool IsHalved { get; } = IsFamily19();

    private static bool IsFamily19()
    {
        if (!X86Base.IsSupported) return false;
        const int Auth = 0x68747541, Base = 0xF;
        if (X86Base.CpuId(0, 0).Ebx != Auth) return false;
        int signature = X86Base.CpuId(1, 0).Eax;
        return ((signature >> 8) & Base) + ((signature >> 20) & 0xFF) == 0x19;
    }
}
