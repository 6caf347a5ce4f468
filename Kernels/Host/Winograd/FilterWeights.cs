namespace GlowGpu.Kernels.Host;

/// <summary>
/// Where the transformed weights of a <see cref="MinimalFilter"/>, or the sums of their gradients, lie: those of 16 wide channels
/// together, for one point g after the other. A tile takes the wide channels slice by slice, so that it reads weights, more than an
/// L2 cache holds, from beginning to end.
/// </summary>
/// <param name="WidePanel">floats between two panels of wide channels</param>
/// <param name="Point">floats between two g</param>
/// <param name="Length">floats in all</param>
internal readonly record struct FilterWeights(nint WidePanel, nint Point, nint Length)
{
    /// <summary>From narrow to wide, <c>[width / 16, g, channel, 16]</c>: the right-hand factor of products whose columns are wide channels, and its gradient.</summary>
    public static FilterWeights ToWide(MinimalFilter filter, int channels, int width) => Of(filter, width, (nint)channels * Panels.Width);

    /// <summary>From wide to narrow, <c>[width / 16, g, channels / 16, wide channel % 16, 16]</c>: the right-hand factor of products whose rows are wide channels.</summary>
    public static FilterWeights ToNarrow(MinimalFilter filter, int width, int channels) => Of(filter, width, (nint)Panels.Pad(channels) * Panels.Width);

    private static FilterWeights Of(MinimalFilter filter, int width, nint point) =>
        new(filter.Points * point, point, Panels.Count(width) * filter.Points * point);
}
