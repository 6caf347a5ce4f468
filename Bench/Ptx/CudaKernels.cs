using GlowGpu.Kernels;
using GlowGpu.Kernels.Gpu;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace GlowGpu.Bench.Ptx;

/// <summary>
/// Every kernel that the GPU backend declares on an NVIDIA GPU of some compute capability, compiled without one.
/// </summary>
internal sealed class CudaKernels : IDisposable
{
    /// <summary>What kernels are checked for: A100 and H100.</summary>
    public static readonly IReadOnlyList<int> Capabilities = [80, 90];

    /// <summary>Threads a group as on every CUDA device.</summary>
    private const int GroupSize = 256;

    /// <summary>The first instruction set that knows compute capability 9.0.</summary>
    private static readonly CudaInstructionSet InstructionSet = new(7, 8);

    // Each precision multiplies coupling networks with kernels of its own.
    private readonly GpuBackend[] backends;
    private readonly PTXBackend compiler;

    /// <param name="capability">compute capability times ten</param>
    public CudaKernels(int capability)
    {
        Capability = capability;
        backends = [.. Enum.GetValues<Precision>().Select(p => DeviceProbe.Emulated(GroupSize)
            .Open(GpuTraits.OfCuda(capability), runner: null, p))];
        compiler = new PTXBackend(
            backends[0].Accelerator.Context, new CudaArchitecture(capability / 10, capability % 10),
                InstructionSet, null!);
    }

    /// <summary>Compute capability times ten.</summary>
    public int Capability { get; }

    /// <summary>The kernels, by name.</summary>
    public IReadOnlyList<KernelDeclaration> All => [.. backends.SelectMany(static b => b.Kernels)
        .DistinctBy(static k => k.Name).OrderBy(static k => k.Name, StringComparer.Ordinal)];

    /// <summary>The kernel's PTX.</summary>
    public string Compile(KernelDeclaration kernel)
    {
        EntryPointDescription entry = EntryPointDescription.FromExplicitlyGroupedKernel(kernel.Method);
        return ((PTXCompiledKernel)compiler.Compile(entry, default(KernelSpecialization))).PTXAssembly;
    }

    /// <summary>All kernels in machine code, in the order of <see cref="All"/>.</summary>
    public IReadOnlyList<(KernelDeclaration Kernel, AssembledKernel Code)> Assemble(NvidiaTools tools)
    {
        // ILGPU compiles one kernel at a time; the tools are processes of their own.
        (KernelDeclaration Kernel, string Ptx)[] sources = [.. All.Select(k => (k, Compile(k)))];
        return [.. sources.AsParallel().AsOrdered().Select(s => (s.Kernel, tools.Assemble(s.Ptx, Capability)))];
    }

    /// <summary>Releases compiler and context.</summary>
    public void Dispose()
    {
        compiler.Dispose();
        foreach (GpuBackend backend in backends) backend.Dispose();
    }
}
