namespace GlowGpu.Model.Data;

/// <summary>A set of images that lie in files of their own.</summary>
public interface INamedSource : IImageSource
{
    /// <summary>Path of an image below the set's folder, with forward slashes.</summary>
    string ImageName(int index);
}
