using GlowGpu.Kernels;
using GlowGpu.Kernels.Host;

namespace GlowGpu.Bench.Ops;

/// <summary>A host backend and filled memory at the shapes of the published CIFAR-10 model (L=3, K=32, width 512).</summary>
public sealed class HostShape : IDisposable
{
    private readonly Random random = new(1);
    private readonly List<IBuffer> buffers = [];

    /// <summary>Pixels of a level (16², 8², 4² an image) for a batch.</summary>
    public static Pixels Level(int level, int batch) => new(batch, 16 >> level, 16 >> level);

    /// <summary>Channels inside a level.</summary>
    public static int Channels(int level) => 12 << level;

    /// <summary>The backend measured.</summary>
    public HostBackend Backend { get; } = new();

    /// <summary>Memory with values from U[−scale, scale).</summary>
    public View Fill(long rows, int cols, float scale = 1)
    {
        IBuffer buffer = Backend.Allocate(rows * cols);
        buffers.Add(buffer);
        View view = View.Dense(buffer, 0, checked((int)rows), cols);
        float[] values = new float[view.Count];
        for (int i = 0; i < values.Length; i++) values[i] = scale * (2 * random.NextSingle() - 1);
        view.Write(values);
        return view;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (IBuffer buffer in buffers) buffer.Dispose();
        Backend.Dispose();
    }
}
