using System.Collections.Concurrent;
using System.Reflection;
using GlowGpu.Kernels.Gpu;
using ILGPU;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace GlowGpu.Tests.Ptx;

/// <summary>
/// Runs kernels as a CUDA device would, without one: ILGPU compiles them to PTX, and this machine executes that.
/// Memory and streams are those of ILGPU's CPU accelerator, whose own threads never run a kernel.
/// </summary>
internal sealed class PtxRunner(Accelerator accelerator) : IKernelRunner
{
    /// <summary>Compute capability 8.0, whose tensor cores and asynchronous copies the machine knows.</summary>
    public static readonly GpuTraits Traits = new(80, 163 * 1024);

    // The one that the tests of compilation use, too.
    private static readonly CudaInstructionSet InstructionSet = new(7, 8);

    private readonly DeviceBuffers buffers = new(accelerator);
    private readonly ConcurrentDictionary<string, PtxReport> reports = [];

    /// <summary>Whether launches count what their memory accesses cost.</summary>
    public bool CountsAccesses { get; set; }

    /// <summary>Host threads that run groups side by side.</summary>
    public int Threads { get; set; } = Math.Min(Environment.ProcessorCount, 2);

    /// <summary>What was counted, by the kernel: <c>Type.Method&lt;type arguments&gt;</c>.</summary>
    public IReadOnlyDictionary<string, PtxReport> Reports => reports;

    /// <inheritdoc/>
    public Action<AcceleratorStream, KernelConfig, TArguments> Load<TArguments>(Action<TArguments> method)
        where TArguments : struct
    {
        EntryPointDescription entry = EntryPointDescription.FromExplicitlyGroupedKernel(method.Method);
        using PTXBackend compiler = new(accelerator.Context, new CudaArchitecture(8, 0), InstructionSet, null!);
        PTXCompiledKernel compiled = (PTXCompiledKernel)compiler.Compile(entry, default);
        PtxProgram program = new(PtxParser.Parse(compiled.PTXAssembly));
        KernelArguments layout = KernelArguments.Of(typeof(TArguments));
        PtxReport report = reports.GetOrAdd(Name(method.Method), _ => new PtxReport(program.Kernel));
        return (_, config, arguments) =>
        {
            (byte[] bytes, IReadOnlyList<MemoryRange> memory) = layout.Flatten(arguments, buffers);
            PtxLaunch launch = new(program, config.GridDim, config.GroupDim, config.SharedMemoryConfig.ArraySize,
                Traits.SharedBytes, bytes, memory)
            {
                CountsAccesses = CountsAccesses,
            };
            Counts[] counts = launch.Run(Threads);
            report.Add(counts);
        };
    }

    private static string Name(MethodInfo method)
    {
        string types = string.Join(",", method.GetGenericArguments().Select(static t => t.Name));
        return $"{method.DeclaringType!.Name}.{method.Name}{(types.Length > 0 ? $"<{types}>" : "")}";
    }
}
