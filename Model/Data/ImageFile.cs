namespace GlowGpu.Model.Data;

/// <summary>Image files through SkiaSharp; the only file that names it besides the demo renderer.</summary>
public static class ImageFile
{
    /// <summary>Decodes PNG, JPEG or WebP to <c>[H,W,3]</c>, centre-cropped and resized with a high-quality filter to size × size (null: as it is).</summary>
    public static (byte[] Pixels, int Height, int Width) Read(string path, int? size) => throw new NotImplementedException();

    /// <summary>Writes <c>[H,W,C]</c> (C = 1 or 3) as a PNG, atomically.</summary>
    public static void WritePng(string path, ReadOnlySpan<byte> pixels, int height, int width, int channels) => throw new NotImplementedException();

    /// <summary>Writes N images <c>[N,H,W,C]</c> as one grid of that many columns with thin gaps, row by row.</summary>
    public static void WriteGrid(string path, ReadOnlySpan<byte> images, int count, int height, int width, int channels, int columns) => throw new NotImplementedException();
}
