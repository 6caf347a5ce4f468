namespace GlowGpu.Model.Data;

/// <summary>
/// A shape as a signed distance function in its own axes, y up, centred, of size 1. A struct with static members, so
/// that the renderer is compiled for each shape with the function inlined.
/// </summary>
internal interface IDemoShape
{
    /// <summary>Which shape it is.</summary>
    static abstract DemoShape Shape { get; }

    /// <summary>Height of the centre above the ground it stands on.</summary>
    static abstract float HalfHeight { get; }

    /// <summary>Radius around the centre that holds the whole shape.</summary>
    static abstract float Bound { get; }

    /// <summary>Distance of a point to the surface, negative inside.</summary>
    static abstract float Distance(Vec p);

    /// <summary>How much of the lighter texture colour a surface point has, 0 to 1.</summary>
    static abstract float Pattern(DemoTexture texture, Vec p);
}

internal readonly struct Sphere : IDemoShape
{
    public static DemoShape Shape => DemoShape.Sphere;

    public static float HalfHeight => 0.95f;

    public static float Bound => 0.96f;

    public static float Distance(Vec p) => MathF.Sqrt(Vec.Dot(p, p)) - 0.95f;

    public static float Pattern(DemoTexture texture, Vec p) => DemoPattern.Round(texture, p);
}

internal readonly struct Cube : IDemoShape
{
    public static DemoShape Shape => DemoShape.Cube;

    public static float HalfHeight => 0.8f;

    public static float Bound => 1.35f;

    public static float Distance(Vec p)
    {
        const float half = 0.8f, round = 0.09f;
        float x = MathF.Abs(p.X) - (half - round), y = MathF.Abs(p.Y) - (half - round),
            z = MathF.Abs(p.Z) - (half - round);
        float ox = MathF.Max(x, 0), oy = MathF.Max(y, 0), oz = MathF.Max(z, 0);
        return MathF.Sqrt(ox * ox + oy * oy + oz * oz) + MathF.Min(MathF.Max(x, MathF.Max(y, z)), 0) - round;
    }

    public static float Pattern(DemoTexture texture, Vec p) => texture switch
    {
        DemoTexture.Bands => DemoPattern.Wave(p.Y * 1.4f + 0.25f),
        DemoTexture.Checks => DemoPattern.Check(
            DemoPattern.Check(DemoPattern.Wave(p.X * 0.625f + 0.25f), DemoPattern.Wave(p.Y * 0.625f + 0.25f)),
                DemoPattern.Wave(p.Z * 0.625f + 0.25f)),
        _ => 0,
    };
}

internal readonly struct Cylinder : IDemoShape
{
    public static DemoShape Shape => DemoShape.Cylinder;

    public static float HalfHeight => 0.9f;

    public static float Bound => 1.15f;

    public static float Distance(Vec p)
    {
        const float radius = 0.75f, half = 0.9f, round = 0.07f;
        float x = MathF.Sqrt(p.X * p.X + p.Z * p.Z) - (radius - round), y = MathF.Abs(p.Y) - (half - round);
        float ox = MathF.Max(x, 0), oy = MathF.Max(y, 0);
        return MathF.Sqrt(ox * ox + oy * oy) + MathF.Min(MathF.Max(x, y), 0) - round;
    }

    public static float Pattern(DemoTexture texture, Vec p) => DemoPattern.Round(texture, p);
}

internal readonly struct Cone : IDemoShape
{
    public static DemoShape Shape => DemoShape.Cone;

    public static float HalfHeight => 0.95f;

    public static float Bound => 1.3f;

    public static float Distance(Vec p)
    {
        // In the half plane (distance from the axis, height) the cone is the triangle (0, top), (radius, bottom), (0,
        // bottom).
        const float round = 0.06f, radius = 0.86f - round, bottom = -0.95f + round, top = 0.95f - round,
            height = top - bottom;
        float q = MathF.Sqrt(p.X * p.X + p.Z * p.Z), y = p.Y;
        float t = Math.Clamp((q * radius + (top - y) * height) * (1 / (radius * radius + height * height)), 0, 1);
        float sx = q - radius * t, sy = y - (top - height * t);
        float bx = q - MathF.Min(q, radius), by = y - bottom;
        float nearest = MathF.Sqrt(MathF.Min(sx * sx + sy * sy, bx * bx + by * by));
        bool inside = y > bottom && q * height < radius * (top - y);
        return (inside ? -nearest : nearest) - round;
    }

    public static float Pattern(DemoTexture texture, Vec p) => DemoPattern.Round(texture, p);
}

internal readonly struct Torus : IDemoShape
{
    private const float Ring = 0.7f, Tube = 0.32f;

    public static DemoShape Shape => DemoShape.Torus;

    public static float HalfHeight => Ring + Tube;

    public static float Bound => Ring + Tube + 0.01f;

    public static float Distance(Vec p)
    {
        float q = MathF.Sqrt(p.X * p.X + p.Y * p.Y) - Ring;
        return MathF.Sqrt(q * q + p.Z * p.Z) - Tube;
    }

    public static float Pattern(DemoTexture texture, Vec p)
    {
        float around = DemoTrigonometry.Turns(p.Y, p.X);
        return texture switch
        {
            DemoTexture.Bands => DemoPattern.Wave(around * 6),
            DemoTexture.Checks => DemoPattern.Check(DemoPattern.Wave(around * 4),
                DemoPattern.Wave(DemoTrigonometry.Turns(p.Z, MathF.Sqrt(p.X * p.X + p.Y * p.Y) - Ring) * 2 + 0.25f)),
            _ => 0,
        };
    }
}

/// <summary>Soft periodic patterns.</summary>
internal static class DemoPattern
{
    /// <summary>The pattern of a shape that is round about its vertical axis.</summary>
    public static float Round(DemoTexture texture, Vec p) => texture switch
    {
        DemoTexture.Bands => Wave(p.Y * 1.4f + 0.25f),
        DemoTexture.Checks => Check(Wave(DemoTrigonometry.Turns(p.X, p.Z) * 4), Wave(p.Y * 0.7f + 0.25f)),
        _ => 0,
    };

    /// <summary>
    /// 0 and 1 in turn with period 1 and soft flanks: a hard edge would alias, and cost a flow many bits.
    /// </summary>
    public static float Wave(float x)
    {
        float triangle = MathF.Abs(x - MathF.Floor(x) - 0.5f) * 2;
        float t = Math.Clamp((triangle - 0.5f) * 4 + 0.5f, 0, 1);
        return t * t * (3 - 2 * t);
    }

    /// <summary>Exclusive or of two soft waves.</summary>
    public static float Check(float a, float b) => a + b - 2 * a * b;
}
