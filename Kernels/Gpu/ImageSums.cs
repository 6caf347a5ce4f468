using ILGPU;

namespace GlowGpu.Kernels.Gpu;

/// <summary>
/// How the items of an image (elements, or vectors of them) are shared among groups, and where each group leaves its
/// sum: an operation that reduces per image launches Images·Groups groups, group g of image n walks its chunk and
/// calls <see cref="Store"/>.
/// </summary>
internal struct ImageChunks
{
    public Matrix Partials;
    public int Groups, Items, ChunkSize;

    /// <summary>Image of the running group.</summary>
    public readonly int Image => Grid.IdxX / Groups;

    /// <summary>First item of the running thread, counted from the start of its image.</summary>
    public readonly int First => Grid.IdxX % Groups * ChunkSize + Group.IdxX;

    /// <summary>Distance between the items of a thread.</summary>
    public readonly int Step => Group.DimX;

    /// <summary>End of the running group's chunk.</summary>
    public readonly int End => IntrinsicMath.Min((Grid.IdxX % Groups + 1) * ChunkSize, Items);

    /// <summary>Leaves the sum over the running group.</summary>
    public readonly void Store(float value)
    {
        float total = GpuReduce.SumGroup(value);
        if (Group.IdxX == 0) Partials[Grid.IdxX] = total;
    }
}

/// <summary>
/// Per-image sums in a fixed order: compensated per thread, pairwise per group, then over the image's groups.
/// </summary>
internal sealed class ImageSums(GpuContext gpu)
{
    private const int ItemsPerThread = 4;

    private readonly Kernel<Arguments> add = gpu.Declare<Arguments>(Add);

    internal struct Arguments
    {
        public Matrix Partials, Target;
        public int Groups;
        public float Sign;
    }

    /// <summary>Chunks for images of so many items each.</summary>
    public ImageChunks Split(int images, int items)
    {
        int chunk = gpu.GroupSize * ItemsPerThread;
        int groups = GpuContext.CeilingDivide(items, chunk);
        return new()
        {
            Partials = gpu.Scratch.Take(ScratchSlot.Partials, images, groups),
            Groups = groups,
            Items = items,
            ChunkSize = chunk,
        };
    }

    /// <summary>Runs the operation's kernel over all chunks of all images.</summary>
    public void Launch<TArguments>(Kernel<TArguments> kernel, int images, ImageChunks chunks, TArguments arguments)
        where TArguments : struct =>
        kernel.Launch(new Index3D(checked(images * chunks.Groups), 1, 1), new Index3D(gpu.GroupSize, 1, 1), arguments);

    /// <summary>target[n] += sign·Σ of image n.</summary>
    public void AddTo(Matrix target, int images, ImageChunks chunks, float sign) =>
        add.Launch(new Index3D(images, 1, 1), new Index3D(gpu.GroupSize, 1, 1),
            new() { Partials = chunks.Partials, Target = target, Groups = chunks.Groups, Sign = sign });

    private static void Add(Arguments arguments)
    {
        KahanSum sum = default;
        for (int i = Group.IdxX; i < arguments.Groups; i += Group.DimX)
            sum.Add(arguments.Partials[Grid.IdxX * arguments.Groups + i]);
        float total = GpuReduce.SumGroup(sum.Value);
        if (Group.IdxX == 0) arguments.Target[Grid.IdxX] += arguments.Sign * total;
    }
}
