namespace GlowGpu.Kernels.Host;

/// <summary>The factor exp(3·logs) of an actnorm or a zero convolution.</summary>
internal static unsafe class LayerScale
{
    /// <summary>scale[c] = exp(3·logs[c]) of a parameter.</summary>
    public static void Of(View logs, float* scale)
    {
        float* from = HostBuffer.Address(logs);
        for (int c = 0; c < logs.Count; c++) scale[c] = 3 * from[c];
        Span<float> all = new(scale, (int)logs.Count);
        Elementwise.Map<Exp>(all, all);
    }
}
