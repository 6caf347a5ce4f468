namespace GlowGpu.Model.Data;

/// <summary>Solid, light and colours of one demo image, and the light that comes back along a ray.</summary>
internal readonly struct DemoScene<TShape>
    where TShape : struct, IDemoShape
{
    // Reach of the contact shadow; how narrow the penumbra of the cast shadow is, and how far it reaches past the
    // solid.
    private const float Contact = 0.9f, Sharpness = 7, Penumbra = 0.45f;

    private readonly DemoSolid<TShape> solid;
    private readonly DemoTexture texture;
    private readonly Vec eye, light, albedo, tint, near, far;

    /// <summary>
    /// The scene whose solid has its centre where <paramref name="ray"/> from the eye meets the centre's height.
    /// </summary>
    public DemoScene(in DemoFactors f, Vec eye, Vec ray)
    {
        float t = (TShape.HalfHeight * f.Size - eye.Y) / ray.Y;
        this.eye = eye;
        solid = new DemoSolid<TShape>(f.Size, f.Rotation, eye.X + ray.X * t, eye.Z + ray.Z * t);
        texture = f.Texture;
        (float sin, float cos) = DemoTrigonometry.SinCos(f.Light / 360);
        light = Vec.Normalize(new Vec(sin, 1.15f, cos));
        albedo = Colour(f.Hue, 0.78f, 0.86f);
        tint = Vec.Lerp(albedo, new Vec(1, 1, 1), 0.55f);
        near = Colour(f.Ground, 0.18f, 0.96f);
        far = Colour(f.Ground + 0.06f, 0.36f, 0.76f);
    }

    /// <summary>Light along a ray from the eye, linear RGB, and whether the ray hits the solid.</summary>
    public Vec Trace(Vec ray, out bool hit)
    {
        hit = Hits(ray, out float t);
        return hit ? Solid(eye + ray * t, ray) : Ground(eye + ray * (-eye.Y / ray.Y));
    }

    /// <summary>
    /// Whether the pixel around a ray (that fraction of the image's side wide) shows nothing but ground in full
    /// light, and its colour then.
    /// </summary>
    public bool IsBareGround(Vec ray, float pixel, out Vec colour)
    {
        // Half a pixel's diagonal where the solid is; twice that on the ground, which is seen at a slant.
        float margin = pixel * 3.5f;
        Vec point = eye + ray * (-eye.Y / ray.Y), off = point - solid.Centre;
        float reach = solid.Bound + Contact + 2 * margin;
        colour = default;
        if (Vec.Dot(off, off) < reach * reach
            || Enters(eye, ray, margin, out _, out _)
            || Enters(point, light, Penumbra + 2 * margin, out _, out _)) return false;
        colour = GroundColour(point);
        return true;
    }

    // Sphere tracing inside the bounding ball.
    private bool Hits(Vec ray, out float t)
    {
        t = 0;
        if (!Enters(eye, ray, 0, out float near, out float far)) return false;
        t = near;
        for (int i = 0; i < 48 && t < far; i++)
        {
            float d = solid.Distance(eye + ray * t);
            if (d < 0.002f) return true;
            t += d;
        }
        return false;
    }

    // Where a ray enters and leaves the bounding ball, widened by a margin.
    private bool Enters(Vec from, Vec ray, float margin, out float near, out float far)
    {
        Vec c = solid.Centre - from;
        float along = Vec.Dot(c, ray), radius = solid.Bound + margin,
            rest = radius * radius - (Vec.Dot(c, c) - along * along);
        near = far = 0;
        if (rest <= 0) return false;
        float half = MathF.Sqrt(rest);
        near = MathF.Max(along - half, 0);
        far = along + half;
        return far > 0;
    }

    // 1 in full light, 0 in full shadow; the penumbra widens with the distance from the solid.
    private float Lit(Vec point, float start)
    {
        if (!Enters(point, light, Penumbra, out float near, out float far)) return 1;
        float lit = 1, last = float.MaxValue, t = MathF.Max(near, start);
        for (int i = 0; i < 24 && t < far; i++)
        {
            float d = solid.Distance(point + light * t), open = Sharpness * d / t;
            if (d < 0.002f) return 0;
            // Along a ray the distance to a convex solid is convex in t, so d/t falls, then rises for good.
            if (open > last && TShape.Shape != DemoShape.Torus) break;
            lit = MathF.Min(lit, open);
            last = open;
            t += MathF.Max(d, 0.02f);
        }
        return lit * lit * (3 - 2 * lit);
    }

    private Vec GroundColour(Vec point)
    {
        float t = Math.Clamp((2.6f - point.Z) / 7f, 0, 1);
        return Vec.Lerp(near, far, t * t * (3 - 2 * t));
    }

    private Vec Ground(Vec point)
    {
        float near = Math.Clamp(solid.Distance(point) / Contact, 0, 1);
        float open = 0.45f + 0.55f * near * (2 - near);
        return GroundColour(point) * (0.34f * open + 0.66f * Lit(point, 0.02f) * (0.85f + 0.15f * open));
    }

    private Vec Solid(Vec point, Vec ray)
    {
        Vec normal = solid.Normal(point);
        Vec surface = Vec.Lerp(albedo, tint, solid.Pattern(texture, point));
        float facing = Vec.Dot(normal, light);
        float direct = Math.Clamp((facing + 0.12f) / 1.12f, 0, 1);
        // The others are convex: they cast no shadow on themselves.
        if (TShape.Shape == DemoShape.Torus && facing > 0) direct *= 0.25f + 0.75f * Lit(point + normal * 0.03f, 0.03f);
        // Sky from above, the ground's colour from below, less of both close to the ground.
        float up = 0.5f + 0.5f * normal.Y, height = Math.Clamp(point.Y / 0.7f, 0, 1);
        Vec ambient = Vec.Lerp(GroundColour(point) * 0.55f, new Vec(0.92f, 0.96f, 1f),
            up) * (0.30f * (0.55f + 0.45f * height));
        float gloss = MathF.Max(Vec.Dot(normal, Vec.Normalize(light - ray)), 0);
        for (int i = 0; i < 5; i++) gloss *= gloss;
        float rim = 1 - MathF.Max(-Vec.Dot(normal, ray), 0);
        rim = rim * rim * rim * 0.18f * up;
        return surface * (ambient + new Vec(1f, 0.97f, 0.92f) * (0.85f * direct)) + new Vec(1, 1,
            1) * (0.45f * gloss * direct + rim);
    }

    // Hue in turns, saturation and value to linear light (gamma 2).
    private static Vec Colour(float hue, float saturation, float value)
    {
        return new Vec(Component(0), Component(2 / 3f), Component(1 / 3f));

        float Component(float shift)
        {
            float x = hue + shift, k = Math.Clamp(MathF.Abs((x - MathF.Floor(x)) * 6 - 3) - 1, 0, 1);
            float v = value * (1 - saturation + saturation * k);
            return v * v;
        }
    }
}
