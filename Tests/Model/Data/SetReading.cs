using GlowGpu.Model.Data;

namespace GlowGpu.Tests.Model.Data;

/// <summary>Shorthands over a set.</summary>
internal static class SetReading
{
    public static byte[] Image(this IImageSource source, int index)
    {
        var pixels = new byte[source.Height * source.Width * source.Channels];
        source.Read(index, pixels);
        return pixels;
    }

    public static (int N, int H, int W, int C) Shape(this IImageSource source) => (source.Count, source.Height,
        source.Width, source.Channels);

    public static int[] Labels(this IImageSource source) => Enumerable.Range(0, source.Count).Select(source.Label)
        .ToArray();
}
