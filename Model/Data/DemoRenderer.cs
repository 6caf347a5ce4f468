namespace GlowGpu.Model.Data;

/// <summary>
/// Draws one demo image: a lit, textured solid on a coloured ground, by sphere tracing of its distance function with
/// soft shadow, contact shadow and highlight, in linear light, supersampled. Uses only operations that IEEE 754
/// rounds exactly (+ − × ÷ √), so the bytes are the same on every machine.
/// </summary>
public static class DemoRenderer
{
    /// <summary>Smallest image side.</summary>
    public const int MinSize = 16;

    /// <summary>Largest image side.</summary>
    public const int MaxSize = 256;

    // Camera: raised, looking down at the stage, a tele lens.
    private const float FieldOfView = 0.155f;
    private static readonly Vec Eye = new(0, 6.4f, 11.6f);
    private static readonly Vec Forward = Vec.Normalize(new Vec(0, 0.75f, 0) - Eye);
    private static readonly Vec Right = Vec.Normalize(Vec.Cross(Forward, new Vec(0, 1, 0)));
    private static readonly Vec Up = Vec.Cross(Right, Forward);

    /// <summary>Renders the RGB bytes <c>[size,size,3]</c>.</summary>
    /// <exception cref="ArgumentException">A side outside <see cref="MinSize"/> to <see cref="MaxSize"/>, or another
    /// number of bytes.</exception>
    public static void Render(in DemoFactors factors, int size, Span<byte> pixels)
    {
        CheckSize(size);
        if (pixels.Length != size * size * 3)
            throw new ArgumentException($"needs {size}·{size}·3 bytes, not {pixels.Length}", nameof(pixels));
        Render(factors, size, pixels, []);
    }

    /// <summary>The fraction of each pixel that the solid covers, <c>[size,size]</c>, 0 to 1.</summary>
    /// <exception cref="ArgumentException">A side outside <see cref="MinSize"/> to <see cref="MaxSize"/>.</exception>
    public static float[] Coverage(in DemoFactors factors, int size)
    {
        CheckSize(size);
        var coverage = new float[size * size];
        Render(factors, size, [], coverage);
        return coverage;
    }

    private static void CheckSize(int size)
    {
        if (size is < MinSize or > MaxSize) throw new ArgumentOutOfRangeException(nameof(size), size,
            $"a demo image's side is {MinSize} to {MaxSize}");
    }

    private static void Render(in DemoFactors factors, int size, Span<byte> pixels, Span<float> coverage)
    {
        switch (factors.Shape)
        {
            case DemoShape.Sphere: Render<Sphere>(factors, size, pixels, coverage); break;
            case DemoShape.Cube: Render<Cube>(factors, size, pixels, coverage); break;
            case DemoShape.Cylinder: Render<Cylinder>(factors, size, pixels, coverage); break;
            case DemoShape.Cone: Render<Cone>(factors, size, pixels, coverage); break;
            case DemoShape.Torus: Render<Torus>(factors, size, pixels, coverage); break;
            default: throw new ArgumentOutOfRangeException(nameof(factors), factors.Shape, "not a demo shape");
        }
    }

    private static void Render<TShape>(in DemoFactors factors, int size, Span<byte> pixels, Span<float> coverage)
        where TShape : struct, IDemoShape
    {
        var scene = new DemoScene<TShape>(factors, Eye, Ray(factors.X * size, factors.Y * size, size));
        for (int y = 0, i = 0; y < size; y++)
        {
            for (int x = 0; x < size; x++, i++)
            {
                Vec colour = Pixel(scene, x, y, size, out float covered);
                if (!coverage.IsEmpty) coverage[i] = covered;
                if (pixels.IsEmpty) continue;
                pixels[3 * i] = ToByte(colour.X);
                pixels[3 * i + 1] = ToByte(colour.Y);
                pixels[3 * i + 2] = ToByte(colour.Z);
            }
        }
    }

    // One ray where there is only bare ground, else 2×2; where some of them hit the solid and some the ground, or the
    // colours differ, 3×3 more.
    private static Vec Pixel<TShape>(in DemoScene<TShape> scene, int x, int y, int size, out float coverage)
        where TShape : struct, IDemoShape
    {
        coverage = 0;
        if (scene.IsBareGround(Ray(x + 0.5f, y + 0.5f, size), 1f / size, out Vec bare)) return bare;
        Vec coarse = Grid(scene, x, y, size, 2, out int hits, out float spread);
        coverage = hits / 4f;
        if (hits is 0 or 4 && spread < 0.1f) return coarse * (1 / 4f);
        Vec fine = Grid(scene, x, y, size, 3, out int more, out _);
        coverage = (hits + more) / 13f;
        return (coarse + fine) * (1 / 13f);
    }

    private static Vec Grid<TShape>(in DemoScene<TShape> scene, int x, int y, int size, int side,
        out int hits, out float spread)
        where TShape : struct, IDemoShape
    {
        Vec sum = new(0, 0, 0);
        float low = float.MaxValue, high = 0;
        hits = 0;
        for (int i = 0; i < side * side; i++)
        {
            Vec colour = scene.Trace(Ray(x + (i % side + 0.5f) / side, y + (i / side + 0.5f) / side, size),
                out bool hit);
            if (hit) hits++;
            sum += colour;
            // Green stands for brightness, on the scale of the bytes.
            float green = MathF.Sqrt(colour.Y);
            low = MathF.Min(low, green);
            high = MathF.Max(high, green);
        }
        spread = high - low;
        return sum;
    }

    // Direction through the point (x, y) of an image of size × size pixels, y from the top.
    private static Vec Ray(float x, float y, int size) =>
        Vec.Normalize(Forward + (Right * (x / size * 2 - 1) + Up * (1 - y / size * 2)) * FieldOfView);

    // Linear light to bytes with gamma 2: √ is exactly rounded everywhere, a power function is not.
    private static byte ToByte(float linear) => (byte)(MathF.Sqrt(Math.Clamp(linear, 0, 1)) * 255 + 0.5f);
}
