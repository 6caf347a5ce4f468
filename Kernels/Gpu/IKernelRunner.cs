using ILGPU;
using ILGPU.Runtime;

namespace GlowGpu.Kernels.Gpu;

/// <summary>Makes kernels ready to run. The device's driver does (<see cref="DriverRunner"/>); tests put a machine of their own in its place.</summary>
internal interface IKernelRunner
{
    /// <summary>What a launch calls; <paramref name="method"/> is compiled now.</summary>
    Action<AcceleratorStream, KernelConfig, TArguments> Load<TArguments>(Action<TArguments> method) where TArguments : struct;
}

/// <summary>Compiled by ILGPU, run by the device's driver.</summary>
internal sealed class DriverRunner(Accelerator accelerator) : IKernelRunner
{
    /// <inheritdoc/>
    public Action<AcceleratorStream, KernelConfig, TArguments> Load<TArguments>(Action<TArguments> method) where TArguments : struct =>
        accelerator.LoadKernel(method);
}
