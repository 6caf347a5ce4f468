using GlowGpu.Engine;

namespace GlowGpu.Model.Data;

/// <summary>Single image files as a model takes them.</summary>
public static class ModelImage
{
    /// <summary>
    /// Decodes a file to the model's <c>[H,W,C]</c>: cropped and resized where the model is square, grey where it has
    /// one channel.
    /// </summary>
    /// <exception cref="GlowException">The file cannot be read, or cannot be made to fit.</exception>
    public static byte[] Read(FlowConfig config, string path)
    {
        int? size = config.Height == config.ImageWidth ? config.Height : null;
        (byte[] pixels, int height, int width) = ImageFile.Read(path, size);
        if (height != config.Height || width != config.ImageWidth)
            throw new GlowException($"{path}: the image is {width}×{height}, the model takes "
                + $"{config.ImageWidth}×{config.Height}; both must agree");
        return config.Channels switch
        {
            3 => pixels,
            1 => Grey(pixels),
            int c => throw new GlowException(
                $"{path}: an image file cannot fill the model's {c} channels; use --data with an array file"),
        };
    }

    // Rec. 601 luma, the usual grey of an RGB picture.
    private static byte[] Grey(byte[] rgb)
    {
        byte[] grey = new byte[rgb.Length / 3];
        for (int i = 0; i < grey.Length; i++)
            grey[i] = (byte)Math.Round(0.299 * rgb[3 * i] + 0.587 * rgb[3 * i + 1] + 0.114 * rgb[3 * i + 2]);
        return grey;
    }
}
