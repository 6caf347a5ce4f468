namespace GlowGpu.Model.Data;

/// <summary>
/// What can be seen of a demo image's factors in its pixels alone, for images that nobody rendered: samples and
/// edited images. A pixel belongs to the solid when its chromaticity is not that of the ground at the two ends of its
/// row (a shadow darkens, but does not tint); each row is filled from its first such pixel to its last, which closes
/// highlights and the hole of a ring.
/// </summary>
/// <param name="Hue">mean hue of the solid, strong colours first, in turns, [0, 1)</param>
/// <param name="Area">fraction of the image that the solid covers; grows as the square of the size</param>
/// <param name="X">centre of the solid as a fraction of the width</param>
/// <param name="Y">centre of the solid as a fraction of the height</param>
/// <param name="Light">brightness of the solid's right half less that of its left, relative to their sum: positive
/// with light from the right</param>
/// <param name="Ground">mean hue of the ground in the lowest eighth of the image, in turns</param>
public readonly record struct DemoEstimate(double Hue, double Area, double X, double Y, double Light, double Ground)
{
    // Distance of two chromaticities (shares of R, G and B). Paint and ground of one hue lie 0.12 apart; five bits a
    // colour round by 0.02.
    private const double Apart = 0.06;

    // Below this the colour of a pixel of few bits is mostly rounding.
    private const int Dark = 40;

    /// <summary>Names of the factors, in the order of <see cref="Values"/>.</summary>
    public static IReadOnlyList<string> Names { get; } = ["hue", "size", "x", "y", "light", "ground"];

    /// <summary>Whether a factor is an angle in turns.</summary>
    public static bool IsTurn(int factor) => factor is 0 or 5;

    /// <summary>
    /// The estimates in the order of <see cref="Names"/>; size as the side of a square of the solid's area.
    /// </summary>
    public double[] Values => [Hue, Math.Sqrt(Area), X, Y, Light, Ground];

    /// <summary>Difference b − a of a factor; of angles the shorter way round, (−½, ½].</summary>
    public static double Difference(int factor, double a, double b)
    {
        double d = b - a;
        return IsTurn(factor) ? d - Math.Ceiling(d - 0.5) : d;
    }

    /// <summary>Estimates from RGB bytes <c>[size,size,3]</c>; null when no solid is to be seen.</summary>
    public static DemoEstimate? Of(ReadOnlySpan<byte> pixels, int size)
    {
        if (pixels.Length != size * size * 3)
            throw new ArgumentException($"needs {size}·{size}·3 bytes, not {pixels.Length}", nameof(pixels));
        (double hueSin, double hueCos, double groundSin, double groundCos) = (0, 0, 0, 0);
        double area = 0, sumX = 0, sumY = 0;
        int[] first = new int[size], last = new int[size];
        for (int y = 0; y < size; y++)
        {
            (first[y], last[y]) = (size, -1);
            (double R, double G, double B) ground = Chromaticity(pixels, y * size * 3, (y * size + size - 1) * 3);
            for (int x = 0; x < size; x++)
            {
                int at = (y * size + x) * 3;
                (double hue, double saturation, int value) = Colour(pixels, at);
                if (value < Dark) continue;
                (double sin, double cos) = Math.SinCos(2 * Math.PI * hue);
                double weight = saturation * value;
                if (Distance(Chromaticity(pixels, at, at), ground) > Apart)
                {
                    first[y] = Math.Min(first[y], x);
                    last[y] = x;
                    (hueSin, hueCos) = (hueSin + weight * saturation * sin, hueCos + weight * saturation * cos);
                }
                else if (y >= size - size / 8)
                {
                    (groundSin, groundCos) = (groundSin + weight * sin, groundCos + weight * cos);
                }
            }
            int length = Math.Max(last[y] - first[y] + 1, 0);
            area += length;
            sumX += length * ((first[y] + last[y] + 1) / 2.0);
            sumY += length * (y + 0.5);
        }
        if (area == 0) return null;
        double centre = sumX / area;
        return new DemoEstimate(Turns(hueSin, hueCos), area / (size * size), centre / size, sumY / area / size,
            Lighting(pixels, size, first, last, centre), Turns(groundSin, groundCos));
    }

    private static double Lighting(ReadOnlySpan<byte> pixels, int size, int[] first, int[] last, double centre)
    {
        (double left, double right, int leftCount, int rightCount) = (0, 0, 0, 0);
        for (int y = 0; y < size; y++)
        {
            for (int x = first[y]; x <= last[y]; x++)
            {
                int at = (y * size + x) * 3;
                double light = pixels[at] + pixels[at + 1] + pixels[at + 2];
                if (x + 0.5 < centre) (left, leftCount) = (left + light, leftCount + 1);
                else (right, rightCount) = (right + light, rightCount + 1);
            }
        }
        if (leftCount == 0 || rightCount == 0 || left + right == 0) return 0;
        (left, right) = (left / leftCount, right / rightCount);
        return (right - left) / (right + left);
    }

    private static (double R, double G, double B) Chromaticity(ReadOnlySpan<byte> pixels, int a, int b)
    {
        double red = pixels[a] + pixels[b], green = pixels[a + 1] + pixels[b + 1], blue = pixels[a + 2] + pixels[b + 2];
        double sum = Math.Max(red + green + blue, 1);
        return (red / sum, green / sum, blue / sum);
    }

    private static double Distance((double R, double G, double B) a, (double R, double G, double B) b) =>
        Math.Sqrt((a.R - b.R) * (a.R - b.R) + (a.G - b.G) * (a.G - b.G) + (a.B - b.B) * (a.B - b.B));

    private static (double Hue, double Saturation, int Value) Colour(ReadOnlySpan<byte> pixels, int at)
    {
        int r = pixels[at], g = pixels[at + 1], b = pixels[at + 2];
        int max = Math.Max(r, Math.Max(g, b)), span = max - Math.Min(r, Math.Min(g, b));
        if (span == 0) return (0, 0, max);
        double sixths = max == r ? (g - b) / (double)span : max == g ? 2 + (b - r) / (double)span
            : 4 + (r - g) / (double)span;
        return (sixths / 6, span / (double)max, max);
    }

    private static double Turns(double sin, double cos)
    {
        double turns = Math.Atan2(sin, cos) / (2 * Math.PI);
        return turns < 0 ? turns + 1 : turns;
    }
}
