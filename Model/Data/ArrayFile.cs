using GlowGpu.Engine;

namespace GlowGpu.Model.Data;

/// <summary>
/// A safetensors file as an image set: <c>images</c> U8 <c>[N,H,W,C]</c> or <c>[N,H,W]</c> and, if there, integer
/// <c>labels [N]</c>.
/// </summary>
public static class ArrayFile
{
    /// <summary>Opens a <c>.safetensors</c> file; images are read from it when asked for.</summary>
    /// <exception cref="GlowException">The file is missing, broken or holds something else.</exception>
    public static IImageSource Open(string path, string? name = null)
    {
        SafeTensorsReader file = SafeTensorsReader.Open(path);
        try
        {
            TensorEntry images = file.Find("images") ?? throw new GlowException(
                $"{path}: holds no tensor 'images'; a data set needs images U8 [N,H,W,C] and, if it has classes, "
                    + "labels [N]");
            if (images.Type != TensorType.U8)
                throw new GlowException($"{path}: images is {SafeTensors.Name(images.Type)}; images must be U8");
            ArrayShape shape = ArrayShape.Of($"{path}: images", images.Shape);
            int[]? labels = null;
            if (file.Find("labels") is { } entry)
            {
                if (entry.Shape is not [var n] || n != shape.Count)
                    throw new GlowException($"{path}: labels has shape [{string.Join(",", entry.Shape)}]; there are "
                        + $"{shape.Count} images, so labels need [{shape.Count}]");
                labels = file.ReadInts("labels");
            }
            return new ImageArray(name ?? Path.GetFileName(path), new TensorPixels(file), shape.Count, shape.Height,
                shape.Width, shape.Channels,
                labels, ClassNames.Numbers(path, labels));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private sealed class TensorPixels(SafeTensorsReader file) : PixelStore
    {
        public override void Read(long offset, Span<byte> target) => file.ReadBytes("images", offset, target);
    }
}
