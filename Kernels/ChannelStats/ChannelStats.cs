namespace GlowGpu.Kernels;

/// <summary>
/// Per-channel statistics over a batch, for actnorm's data-dependent initialisation (Kingma &amp; Dhariwal 2018,
/// section 3.1).
/// </summary>
public interface IChannelStats
{
    /// <summary>
    /// Sets bias = −mean_p x and logs = ln(1/(sqrt(mean_p (x + bias)²) + 1e-6))/3, each <c>[1,C]</c>, from x
    /// <c>[P,C]</c>
    /// (may be strided). Two passes, sums in double or pairwise.
    /// </summary>
    void InitializeActNorm(View x, View bias, View logs);
}
