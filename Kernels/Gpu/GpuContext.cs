using System.Numerics;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.OpenCL;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// What the operations of the GPU backend share: the accelerator, one in-order stream, launch sizes, scratch memory and
/// the list of kernels.
/// </summary>
internal sealed class GpuContext : IDisposable
{
    private const int LargestGroup = 256;

    // Emulated work-items of a CPU's OpenCL cost little more in a small group, and its tiles then fit the first-level cache.
    private const int LargestGroupOnCpu = 64;

    private const int GroupsPerMultiprocessor = 32;

    private readonly List<KernelDeclaration> kernels = [];
    private readonly MemoryBuffer1D<float, Stride1D.Dense> missing;

    /// <summary>On an accelerator; traits and runner are the device's own unless a test stands in for it.</summary>
    public GpuContext(Accelerator accelerator, GpuTraits? traits = null, IKernelRunner? runner = null)
    {
        Accelerator = accelerator;
        Traits = traits ?? GpuTraits.Of(accelerator);
        Runner = runner ?? new DriverRunner(accelerator);
        Stream = accelerator.CreateStream();
        bool cpu = accelerator is CLAccelerator cl && (cl.DeviceType & CLDeviceType.CL_DEVICE_TYPE_CPU) != 0;
        int limit = Math.Min(cpu ? LargestGroupOnCpu : LargestGroup, accelerator.MaxNumThreadsPerGroup);
        GroupSize = 1 << BitOperations.Log2((uint)limit);
        Multiprocessors = Math.Max(accelerator.NumMultiprocessors, 1);
        MaxGroups = Multiprocessors * GroupsPerMultiprocessor;
        missing = accelerator.Allocate1D<float>(1);
        Scratch = new Scratch(this);
        Gemm = new GpuGemm(this);
        Columns = new ColumnSums(this);
        Images = new ImageSums(this);
    }

    public Accelerator Accelerator { get; }

    /// <summary>What the device offers beyond the common.</summary>
    public GpuTraits Traits { get; }

    /// <summary>Compiles kernels and launches them.</summary>
    public IKernelRunner Runner { get; }

    /// <summary>The stream that all work is queued on.</summary>
    public AcceleratorStream Stream { get; }

    /// <summary>Threads of a group in all kernels but the matrix product: a power of two.</summary>
    public int GroupSize { get; }

    public int Multiprocessors { get; }

    /// <summary>Groups that <see cref="Kernel{TArguments}.ForEach"/> launches at most.</summary>
    public int MaxGroups { get; }

    public Scratch Scratch { get; }

    public GpuGemm Gemm { get; }

    public ColumnSums Columns { get; }

    public ImageSums Images { get; }

    /// <summary>Every kernel declared so far.</summary>
    public IReadOnlyList<KernelDeclaration> Kernels => kernels;

    /// <summary>Stands in for an optional argument that is not given; never read or written.</summary>
    public Matrix Missing => new(missing.View, 1);

    /// <summary>
    /// Declares a kernel, launched with groups of at most <paramref name="threads"/> (0: <see cref="GroupSize"/>) and so much
    /// dynamic shared memory; it is compiled when first launched.
    /// </summary>
    public Kernel<TArguments> Declare<TArguments>(Action<TArguments> method, int threads = 0, int dynamicSharedBytes = 0)
        where TArguments : struct
    {
        KernelDeclaration declaration = new(method.Method, threads == 0 ? GroupSize : threads, dynamicSharedBytes);
        kernels.Add(declaration);
        return new Kernel<TArguments>(this, method, declaration);
    }

    /// <summary>The window of device memory behind a view; <see cref="Missing"/> for <see cref="View.None"/>.</summary>
    /// <exception cref="ArgumentException">The view spans more elements than kernels can index.</exception>
    public Matrix Matrix(View view)
    {
        if (view.IsNone || view.Count == 0) return Missing;
        long span = (long)(view.Rows - 1) * view.Stride + view.Cols;
        ThrowIfTooLong(span);
        return new Matrix(((GpuBuffer)view.Buffer).Memory.SubView(view.Offset, span), view.Stride);
    }

    /// <summary>Waits for the queued work.</summary>
    public void Synchronize()
    {
        Accelerator.Bind();
        Stream.Synchronize();
    }

    /// <summary>⌈a/b⌉.</summary>
    public static int CeilingDivide(long a, long b) => checked((int)((a + b - 1) / b));

    public void Dispose()
    {
        Synchronize();
        Scratch.Dispose();
        missing.Dispose();
        Stream.Dispose();
    }

    /// <summary>Kernels count elements in 32 bits, with room for one step of the grid beyond the last.</summary>
    internal void ThrowIfTooLong(long elements)
    {
        long limit = int.MaxValue - (long)MaxGroups * GroupSize;
        if (elements > limit)
            throw new ArgumentException(
                $"gpu: a tensor spans {elements} elements and kernels can index {limit}; the batch must be smaller");
    }
}
