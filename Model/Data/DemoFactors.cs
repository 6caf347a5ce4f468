namespace GlowGpu.Model.Data;

/// <summary>Shape of a demo solid; its number is the class label.</summary>
public enum DemoShape
{
    /// <summary>A ball.</summary>
    Sphere,

    /// <summary>A cube with rounded edges.</summary>
    Cube,

    /// <summary>An upright cylinder with rounded rims.</summary>
    Cylinder,

    /// <summary>An upright cone.</summary>
    Cone,

    /// <summary>A ring standing on the ground.</summary>
    Torus,
}

/// <summary>Pattern on a demo solid.</summary>
public enum DemoTexture
{
    /// <summary>One colour.</summary>
    Plain,

    /// <summary>Light bands around the vertical axis (around the tube of a torus).</summary>
    Bands,

    /// <summary>Light and dark fields in turn.</summary>
    Checks,
}

/// <summary>
/// Everything a demo image is made from: the ground truth for conditional sampling and attribute editing.
/// </summary>
/// <param name="Shape">the solid, and the class label</param>
/// <param name="Hue">hue of the solid in turns, [0, 1): 0 red, ⅓ green, ⅔ blue</param>
/// <param name="Size">scale of the solid, 1 on average</param>
/// <param name="X">where the solid's centre is in the image, as a fraction of the width from the left</param>
/// <param name="Y">where the solid's centre is in the image, as a fraction of the height from the top</param>
/// <param name="Rotation">turn about the vertical axis in degrees, [−45, 45)</param>
/// <param name="Light">direction that the light comes from in degrees, [−70, 70): negative from the left, 0 from
/// behind the viewer</param>
/// <param name="Texture">pattern on the solid</param>
/// <param name="Ground">hue of the ground in turns, [0, 1)</param>
public readonly record struct DemoFactors(
    DemoShape Shape, float Hue, float Size, float X, float Y, float Rotation, float Light, DemoTexture Texture,
        float Ground);

/// <summary>A set of images whose generating factors are known.</summary>
public interface IFactorSource : IImageSource
{
    /// <summary>What image <paramref name="index"/> was made from.</summary>
    DemoFactors Factors(int index);
}
