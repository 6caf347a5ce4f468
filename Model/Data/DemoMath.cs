namespace GlowGpu.Model.Data;

/// <summary>
/// A point or direction. Not <see cref="System.Numerics.Vector3"/>, whose dot product may add in another order on
/// another processor: the demo images are the same bytes everywhere.
/// </summary>
internal readonly struct Vec(float x, float y, float z)
{
    public readonly float X = x, Y = y, Z = z;

    public static Vec operator +(Vec a, Vec b) => new(a.X + b.X, a.Y + b.Y, a.Z + b.Z);

    public static Vec operator -(Vec a, Vec b) => new(a.X - b.X, a.Y - b.Y, a.Z - b.Z);

    public static Vec operator *(Vec a, float s) => new(a.X * s, a.Y * s, a.Z * s);

    public static Vec operator *(Vec a, Vec b) => new(a.X * b.X, a.Y * b.Y, a.Z * b.Z);

    public static float Dot(Vec a, Vec b) => a.X * b.X + a.Y * b.Y + a.Z * b.Z;

    public static Vec Cross(Vec a, Vec b) => new(a.Y * b.Z - a.Z * b.Y, a.Z * b.X - a.X * b.Z, a.X * b.Y - a.Y * b.X);

    public static Vec Lerp(Vec a, Vec b, float t) => a + (b - a) * t;

    public static Vec Normalize(Vec a) => a * (1 / MathF.Sqrt(Dot(a, a)));
}

/// <summary>
/// Sine, cosine and arc tangent from additions and multiplications only, so that the last bit is the same on every
/// platform.
/// </summary>
internal static class DemoTrigonometry
{
    /// <summary>Sine and cosine of an angle in turns.</summary>
    public static (float Sin, float Cos) SinCos(float turns) => (Sin(turns), Sin((double)turns + 0.25));

    private static float Sin(double turns)
    {
        double t = turns - Math.Floor(turns + 0.5);
        if (t > 0.25) t = 0.5 - t;
        if (t < -0.25) t = -0.5 - t;
        double x = t * (2 * Math.PI), s = x * x;
        return (float)(x * (1 - s / 6 * (1 - s / 20 * (1 - s / 42 * (1 - s / 72 * (1 - s / 110 * (1 - s / 156)))))));
    }

    /// <summary>Angle of (x, y) in turns, [−½, ½]; accurate to 10⁻⁵ turns.</summary>
    public static float Turns(float y, float x)
    {
        float ax = MathF.Abs(x), ay = MathF.Abs(y), larger = MathF.Max(ax, ay);
        if (larger == 0) return 0;
        float a = MathF.Min(ax, ay) / larger, s = a * a;
        float t = ((-0.0464964749f * s + 0.15931422f) * s - 0.327622764f) * s * a + a;
        t *= 1 / (2 * MathF.PI);
        if (ay > ax) t = 0.25f - t;
        if (x < 0) t = 0.5f - t;
        return y < 0 ? -t : t;
    }
}
