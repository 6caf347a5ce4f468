using ILGPU;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// Makes kernels ready to run. The device's driver does (<see cref="DriverRunner"/>); tests put a machine of their
/// own in its place.
/// </summary>
internal interface IKernelRunner
{
    /// <summary>What a launch calls; <paramref name="method"/> is compiled now.</summary>
    Action<AcceleratorStream, KernelConfig, TArguments> Load<TArguments>(Action<TArguments> method) where TArguments
        : struct;
}

/// <summary>Compiled by ILGPU, run by the device's driver.</summary>
internal sealed class DriverRunner(Accelerator accelerator) : IKernelRunner
{
    // How PTX declares shared memory whose size the launch decides.
    private const string DynamicShared = ".extern .shared";

    /// <inheritdoc/>
    public Action<AcceleratorStream, KernelConfig, TArguments> Load<TArguments>(Action<TArguments> method)
        where TArguments : struct
    {
        Action<AcceleratorStream, KernelConfig, TArguments> launcher = accelerator.LoadKernel(method);
        if (launcher.GetKernel() is CudaKernel { CompiledKernel: PTXCompiledKernel compiled } kernel
            && compiled.PTXAssembly.Contains(DynamicShared, StringComparison.Ordinal))
        {
            CudaDynamicShared.Allow(kernel, GpuTraits.Of(accelerator).SharedBytes);
        }
        return launcher;
    }
}
