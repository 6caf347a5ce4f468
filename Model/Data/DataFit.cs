using GlowGpu.Engine;

namespace GlowGpu.Model.Data;

/// <summary>Whether a model can take the images of a set.</summary>
public static class DataFit
{
    /// <summary>Checks size, channels and classes.</summary>
    /// <exception cref="GlowException">They differ; the sentence says both.</exception>
    public static void Check(FlowConfig config, IImageSource data)
    {
        if (data.Count == 0) throw new GlowException($"{data.Name}: holds no images; at least one is needed");
        if ((data.Height, data.Width, data.Channels) != (config.Height, config.ImageWidth, config.Channels))
            throw new GlowException(
                $"{data.Name}: its images are {data.Height}×{data.Width}×{data.Channels}; the model takes "
                    + $"{config.Height}×{config.ImageWidth}×{config.Channels}");
        if (config.Classes == 0) return;
        if (data.Classes.Count == 0)
            throw new GlowException(
                $"{data.Name}: has no labels; the model is conditional on {config.Classes} classes");
        if (data.Classes.Count > config.Classes)
            throw new GlowException($"{data.Name}: has {data.Classes.Count} classes; the model knows {config.Classes}");
    }
}
