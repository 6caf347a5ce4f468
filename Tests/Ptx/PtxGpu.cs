using GlowGpu.Kernels;
using GlowGpu.Kernels.Gpu;
using GlowGpu.Tests.Kernels.Gpu;
using ILGPU;
using ILGPU.Runtime.CPU;

namespace GlowGpu.Tests.Ptx;

/// <summary>
/// Opens the GPU backend on the PTX machine: groups of 256 threads in warps of 32, two multiprocessors, compute
/// capability 8.0.
/// </summary>
internal static class PtxGpu
{
    /// <summary>The backend in its default precision.</summary>
    public static GpuBackend Open() => Open(null);

    /// <summary>The backend; it owns the accelerator. The machine is its <see cref="GpuContext.Runner"/>.</summary>
    public static GpuBackend Open(Precision? precision) => Open(precision, static _ => null);

    /// <summary>The backend with graphs, whose driver is made around the machine and runs its kernels.</summary>
    public static GpuBackend Open(Precision? precision, Func<IKernelRunner, FakeGraphs?> graphs)
    {
        // As for a device: the next level up has miscompiled kernels before.
        Context context = Context.Create(static builder => builder.Optimize(OptimizationLevel.O1));
        CPUAccelerator accelerator = new CPUDevice(Warp.Lanes, 8, 2).CreateCPUAccelerator(context);
        PtxRunner machine = new(accelerator);
        FakeGraphs? driver = graphs(machine);
        return new GpuBackend(accelerator, PtxRunner.Traits, (IKernelRunner?)driver ?? machine, precision, driver);
    }
}
