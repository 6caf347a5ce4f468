namespace GlowGpu.Kernels.Host;

/// <summary>
/// Where the transformed weights of a <see cref="MinimalFilter"/>, or the sums of their gradients, lie: those of as
/// many wide channels as are taken at a time together, for one point g after the other. A tile takes the wide
/// channels slice by slice, so that it reads weights, more than an L2 cache holds, from beginning to end, often from
/// where another core has just written them: in long runs, which a processor fetches by itself.
/// </summary>
/// <param name="Together">panels of wide channels that lie together</param>
/// <param name="Slice">floats between two lots of them</param>
/// <param name="Point">floats between two g</param>
/// <param name="Length">floats in all</param>
internal readonly record struct FilterWeights(int Together, nint Slice, nint Point, nint Length)
{
    private const int Block = Panels.Width * Panels.Width;

    /// <summary>
    /// From narrow to wide, <c>[width / 16, g, channel, 16]</c>: the right-hand factor of products whose columns are
    /// wide channels, and its gradient.
    /// </summary>
    public static FilterWeights ToWide(MinimalFilter filter, int channels, int width) => Of(filter, width, 1,
        (nint)channels * Panels.Width);

    /// <summary>
    /// From wide to narrow, <c>[width / 64, g, channels / 16, wide channel % 64, 16]</c>: the right-hand factor of
    /// products whose rows are wide channels.
    /// </summary>
    public static FilterWeights ToNarrow(MinimalFilter filter, int width, int channels)
    {
        int together = Math.Min(TileFilter.NarrowSlice, Panels.Count(width));
        return Of(filter, width, together, together * (nint)Panels.Pad(channels) * Panels.Width);
    }

    /// <summary>From wide to narrow: floats between two panels of narrow channels.</summary>
    public nint NarrowPanel => Together * Block;

    /// <summary>Where a panel of wide channels begins.</summary>
    public nint Panel(int panel) => panel / Together * Slice + panel % Together * Block;

    private static FilterWeights Of(MinimalFilter filter, int width, int together, nint point) =>
        new(together, filter.Points * point, point,
            (Panels.Count(width) + together - 1) / together * filter.Points * point);
}
