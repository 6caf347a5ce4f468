using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace GlowGpu.Kernels.Gpu;

/// <summary>What a device offers beyond what every kernel may count on.</summary>
/// <param name="ComputeCapability">NVIDIA's, times ten (80: sm_80), or 0 on other devices: tensor cores and
/// asynchronous copies from 80 on</param>
/// <param name="SharedBytes">shared memory that one group may ask for, in bytes, dynamic memory beyond 48 KiB
/// included</param>
internal sealed record GpuTraits(int ComputeCapability, int SharedBytes)
{
    /// <summary>mma.sync in BF16 and TF32, ldmatrix and cp.async.</summary>
    public bool HasTensorCores => ComputeCapability >= 80;

    /// <summary>Those of an accelerator.</summary>
    public static GpuTraits Of(Accelerator accelerator) => accelerator is CudaAccelerator cuda
        ? OfCuda(Capability(cuda.Architecture))
        : new(0, accelerator.MaxSharedMemoryPerGroup);

    /// <summary>Those of an NVIDIA GPU, be it present or not.</summary>
    public static GpuTraits OfCuda(int capability) => new(capability, OptInSharedBytes(capability));

    /// <summary>Whether a device that is not open yet has tensor cores.</summary>
    public static bool DeviceHasTensorCores(Device device) =>
        device is CudaDevice { Architecture: CudaArchitecture architecture }
            && OfCuda(Capability(architecture)).HasTensorCores;

    private static int Capability(CudaArchitecture architecture) => architecture.Major * 10 + architecture.Minor;

    // CUDA programming guide, technical specifications per compute capability: the most a group may opt in to.
    private static int OptInSharedBytes(int capability) => 1024 * capability switch
    {
        // The workstation and consumer cards of a generation whose data-centre cards (100 to 119) have as much as
        // Hopper.
        >= 120 => 99,
        >= 90 => 227,
        80 or 87 => 163,
        >= 80 => 99,
        >= 75 => 64,
        >= 70 => 96,
        _ => 48,
    };
}
