using GlowGpu.Model.Data;
using SkiaSharp;

namespace GlowGpu.Tests.Model.Data;

/// <summary>Small images made by the tests.</summary>
internal static class Pictures
{
    /// <summary>Bytes that differ from one another: i·step + offset.</summary>
    public static byte[] Ramp(int count, int step = 7, int offset = 3) => Enumerable.Range(0,
        count).Select(i => (byte)(i * step + offset)).ToArray();

    /// <summary>An image whose four quadrants have these grey values, <c>[H,W,3]</c>.</summary>
    public static byte[] Quadrants(int height, int width, byte topLeft, byte topRight,
        byte bottomLeft, byte bottomRight)
    {
        var pixels = new byte[height * width * 3];
        for (int y = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++)
                pixels.AsSpan((y * width + x) * 3, 3).Fill(y < height / 2 ? x < width / 2 ? topLeft : topRight
                    : x < width / 2 ? bottomLeft : bottomRight);
        }
        return pixels;
    }

    public static string WritePng(string path, int height, int width, int step = 7)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        ImageFile.WritePng(path, Ramp(height * width * 3, step), height, width, 3);
        return path;
    }

    /// <summary>Encodes RGBA bytes, not premultiplied.</summary>
    public static byte[] Encode(byte[] rgba, int height, int width, SKEncodedImageFormat format)
    {
        using var bitmap = new SKBitmap(new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Unpremul));
        rgba.CopyTo(bitmap.GetPixelSpan());
        using SKData data = bitmap.Encode(format, 100);
        return data.ToArray();
    }

    public static byte[] Opaque(byte[] rgb)
    {
        var rgba = new byte[rgb.Length / 3 * 4];
        for (int i = 0; i < rgb.Length / 3; i++)
        {
            rgb.AsSpan(3 * i, 3).CopyTo(rgba.AsSpan(4 * i));
            rgba[4 * i + 3] = 255;
        }
        return rgba;
    }

    /// <summary>A JPEG with an EXIF block of one entry, the orientation, put in after its first marker.</summary>
    public static byte[] WithOrientation(byte[] jpeg, byte orientation)
    {
        byte[] exif =
        [
            0xFF, 0xE1, 0, 34, (byte)'E', (byte)'x', (byte)'i', (byte)'f', 0, 0,
            (byte)'M', (byte)'M', 0, 42, 0, 0, 0, 8, // big-endian, first directory at 8
            0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0,
        ];
        return [.. jpeg[..2], .. exif, .. jpeg[2..]];
    }
}
