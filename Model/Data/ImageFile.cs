using SkiaSharp;

namespace GlowGpu.Model.Data;

public static class ImageFile
{
    public static (byte[] Pixels, int Height, int Width) Read(string path, int? size) => throw new NotImplementedException();
    public static void WritePng(string path, ReadOnlySpan<byte> pixels, int height, int width, int channels)
    {
        using var bmp = new SKBitmap(new SKImageInfo(width, height, SKColorType.Rgb888x, SKAlphaType.Opaque));
        unsafe
        {
            byte* p = (byte*)bmp.GetPixels();
            for (int i = 0; i < width * height; i++) { p[4 * i] = pixels[3 * i]; p[4 * i + 1] = pixels[3 * i + 1]; p[4 * i + 2] = pixels[3 * i + 2]; p[4 * i + 3] = 255; }
        }
        using var d = bmp.Encode(SKEncodedImageFormat.Png, 100);
        File.WriteAllBytes(path, d.ToArray());
    }
    public static void WriteGrid(string path, ReadOnlySpan<byte> images, int count, int height, int width, int channels, int columns) => throw new NotImplementedException();
}
