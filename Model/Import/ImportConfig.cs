using GlowGpu.Engine;

namespace GlowGpu.Model.Import;

/// <summary>The config that was deduced from a file of another program.</summary>
internal static class ImportConfig
{
    /// <summary>Checks it, naming the file.</summary>
    /// <exception cref="GlowException">Its values do not fit together, or not the size of the images.</exception>
    public static GlowConfig Validate(string path, GlowConfig config)
    {
        try
        {
            return config.Validate();
        }
        catch (GlowException e)
        {
            throw new GlowException($"{path}: {e.Message}", e);
        }
    }
}
