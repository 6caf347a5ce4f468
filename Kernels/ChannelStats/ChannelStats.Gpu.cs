namespace GlowGpu.Kernels.Gpu;

/// <summary><see cref="IChannelStats"/> on a GPU: two passes of compensated column sums.</summary>
internal sealed class GpuChannelStats(GpuContext gpu) : IChannelStats
{
    /// <inheritdoc/>
    public void InitializeActNorm(View x, View bias, View logs)
    {
        Shapes.CheckChannelStats(x, bias, logs);
        gpu.Columns.InitializeActNorm(gpu.Matrix(x), x.Rows, x.Cols, gpu.Matrix(bias), gpu.Matrix(logs));
    }
}
