using GlowGpu.Engine;
using GlowGpu.Kernels;

namespace GlowGpu.Model.Data;

/// <summary>
/// Random changes of training images: horizontal flip with probability ½; shift by up to a tenth of the side each
/// way, edges repeated.
/// </summary>
public sealed record Augmentation(bool Flip, bool Shift)
{
    /// <summary>Reads <c>none</c>, <c>flip</c>, <c>shift</c> or the last two separated by a comma.</summary>
    /// <exception cref="GlowException">It is something else.</exception>
    public static Augmentation Parse(string text)
    {
        string[] parts = text.Split(',', StringSplitOptions.TrimEntries);
        if (parts is ["none"]) return new Augmentation(false, false);
        return parts.All(p => p is "flip" or "shift") && parts.Distinct().Count() == parts.Length
            ? new Augmentation(parts.Contains("flip"), parts.Contains("shift"))
            : throw new GlowException($"augment is '{text}'; it must be none, flip, shift or flip,shift");
    }

    /// <summary>
    /// Writes an image <c>[H,W,C]</c> as floats, changed as block <paramref name="draw"/> of Philox under
    /// <paramref name="key"/> says: the first word's lowest bit flips, the second and third give the vertical and
    /// horizontal shift.
    /// </summary>
    public void Apply(ReadOnlySpan<byte> image, Span<float> target, int height, int width, int channels,
        ulong key, ulong draw)
    {
        if (!Flip && !Shift)
        {
            for (int i = 0; i < image.Length; i++) target[i] = image[i];
            return;
        }
        var (coin, vertical, horizontal, _) = Philox.Block(key, draw);
        bool flip = Flip && (coin & 1) != 0;
        int down = Shift ? Offset(vertical, height / 10) : 0, right = Shift ? Offset(horizontal, width / 10) : 0;
        for (int y = 0, to = 0; y < height; y++)
        {
            int row = Math.Clamp(y - down, 0, height - 1) * width;
            for (int x = 0; x < width; x++)
            {
                int column = Math.Clamp(x - right, 0, width - 1);
                int from = (row + (flip ? width - 1 - column : column)) * channels;
                for (int c = 0; c < channels; c++) target[to++] = image[from++];
            }
        }
    }

    // Uniform in −most … most: a word scaled to 2·most + 1 values; the bias is below 2⁻²⁵ for any image side.
    private static int Offset(uint word, int most) => (int)((ulong)word * (ulong)(2 * most + 1) >> 32) - most;
}
