namespace GlowGpu.Model.Data;

/// <summary>A shape standing on the ground y = 0.</summary>
internal readonly struct DemoSolid<TShape>
    where TShape : struct, IDemoShape
{
    private readonly float size, perSize, cos, sin;

    /// <summary>Centre of the solid.</summary>
    public readonly Vec Centre;

    /// <summary>Radius around the centre that holds the whole solid.</summary>
    public readonly float Bound;

    /// <summary>A solid of that size, turned by that many degrees about the vertical axis through (x, z).</summary>
    public DemoSolid(float size, float rotation, float x, float z)
    {
        this.size = size;
        perSize = 1 / size;
        (sin, cos) = DemoTrigonometry.SinCos(rotation / 360);
        Centre = new Vec(x, TShape.HalfHeight * size, z);
        Bound = TShape.Bound * size;
    }

    /// <summary>Signed distance of a point to the surface.</summary>
    public float Distance(Vec point) => size * TShape.Distance(ToLocal(point));

    /// <summary>
    /// Unit normal of the surface near a point: the gradient of the distance, by differences along a tetrahedron's
    /// corners.
    /// </summary>
    public Vec Normal(Vec point)
    {
        const float h = 0.01f;
        float a = Distance(new Vec(point.X + h, point.Y - h, point.Z - h));
        float b = Distance(new Vec(point.X - h, point.Y - h, point.Z + h));
        float c = Distance(new Vec(point.X - h, point.Y + h, point.Z - h));
        float d = Distance(new Vec(point.X + h, point.Y + h, point.Z + h));
        return Vec.Normalize(new Vec(a - b - c + d, c + d - a - b, b + d - a - c));
    }

    /// <summary>How much of the lighter texture colour a surface point has, 0 to 1.</summary>
    public float Pattern(DemoTexture texture, Vec point) => TShape.Pattern(texture, ToLocal(point));

    private Vec ToLocal(Vec point)
    {
        Vec d = (point - Centre) * perSize;
        return new Vec(cos * d.X - sin * d.Z, d.Y, sin * d.X + cos * d.Z);
    }
}
