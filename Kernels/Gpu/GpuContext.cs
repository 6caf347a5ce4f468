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

    // Emulated work-items of a CPU's OpenCL cost little more in a small group, and its tiles then fit the first-level
    // cache.
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
        missing = GpuBuffer.AllocateMemory(this, 1);
        Uploads = new UploadArea(this);
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

    /// <summary>Where copies to the device start from.</summary>
    public UploadArea Uploads { get; }

    /// <summary>Number of times that the host has waited for the device.</summary>
    public long Waits { get; private set; }

    /// <summary>Number of blocks of device or page-locked memory allocated so far.</summary>
    public long Allocations { get; private set; }

    /// <summary>Number of blocks of device memory released so far: the addresses in them are no longer good.</summary>
    public long Releases { get; private set; }

    public GpuGemm Gemm { get; }

    public ColumnSums Columns { get; }

    public ImageSums Images { get; }

    /// <summary>Every kernel declared so far.</summary>
    public IReadOnlyList<KernelDeclaration> Kernels => kernels;

    /// <summary>Stands in for an optional argument that is not given; never read or written.</summary>
    public Matrix Missing => new(missing.View, 1);

    /// <summary>
    /// Declares a kernel, launched with groups of at most <paramref name="threads"/> (0: <see cref="GroupSize"/>) and
    /// so much dynamic shared memory; it is compiled when first launched.
    /// </summary>
    public Kernel<TArguments> Declare<TArguments>(Action<TArguments> method, int threads = 0,
        int dynamicSharedBytes = 0)
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

    /// <summary>What work is recorded into instead of being run, or null.</summary>
    public GraphRecorder? Recording { get; set; }

    /// <summary>
    /// Waits for the queued work. While work is recorded nothing is queued, and the recording is spoilt.
    /// </summary>
    public void Synchronize()
    {
        if (Recording is not null)
        {
            Recording.Spoil("the host had to wait for the device");
            return;
        }
        Accelerator.Bind();
        Stream.Synchronize();
        Uploads.Clear();
        Waits++;
    }

    /// <summary>Device memory with these values; waits for the copy, so it is for what is made once.</summary>
    public MemoryBuffer1D<int, Stride1D.Dense> AllocateInts(int[] values)
    {
        MemoryBuffer1D<int, Stride1D.Dense> memory = Accelerator.Allocate1D<int>(values.Length);
        CountAllocation();
        memory.View.CopyFromCPU(Stream, values);
        Synchronize();
        return memory;
    }

    /// <summary>Frees device memory once the queued work, which may use it, is done.</summary>
    public void Release(MemoryBuffer memory)
    {
        if (memory.IsDisposed) return;
        // Also while recording: what was queued before may use it.
        if (Recording is null) Synchronize();
        else Recording.Spoil("device memory was released");
        memory.Dispose();
        Releases++;
    }

    /// <summary>A block has been allocated.</summary>
    public void CountAllocation()
    {
        Allocations++;
        Recording?.Spoil("device memory was allocated");
    }

    /// <summary>⌈a/b⌉.</summary>
    public static int CeilingDivide(long a, long b) => checked((int)((a + b - 1) / b));

    /// <summary>Whether the device is closed.</summary>
    public bool Disposed { get; private set; }

    public void Dispose()
    {
        Synchronize();
        Disposed = true;
        Scratch.Dispose();
        Uploads.Dispose();
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
