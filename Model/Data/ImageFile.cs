using GlowGpu.Engine;
using SkiaSharp;

namespace GlowGpu.Model.Data;

/// <summary>Image files; the only file that names SkiaSharp, which does nothing here but decode and encode.</summary>
public static class ImageFile
{
    /// <summary>Most pixels an image may have: 2^27, half a gigabyte decoded.</summary>
    public const long MaxPixels = 1L << 27;

    /// <summary>Whether a file's name ends like a format that can be read: .png, .jpg, .jpeg or .webp.</summary>
    public static bool HasImageName(string path) => Path.GetExtension(path).ToLowerInvariant() is ".png" or ".jpg"
        or ".jpeg" or ".webp";

    /// <summary>
    /// Decodes PNG, JPEG or WebP to <c>[H,W,3]</c>, upright by its EXIF orientation, transparency over white, grey as
    /// RGB, embedded colour profiles ignored; centre-cropped and resized to size × size (<see cref="ImageResize"/>),
    /// or with null as it is.
    /// </summary>
    /// <exception cref="GlowException">The file is not there, not such an image, or broken.</exception>
    public static (byte[] Pixels, int Height, int Width) Read(string path, int? size)
    {
        using SKCodec codec = Open(path);
        (int height, int width) = (codec.Info.Height, codec.Info.Width);
        byte[] pixels = Orient(Decode(codec, path), ref height, ref width, codec.EncodedOrigin);
        return size is not { } side ? (pixels, height, width)
            : (ImageResize.CropAndResize(pixels, height, width, side), side, side);
    }

    /// <summary>Height and width after EXIF orientation, from the file's header only.</summary>
    /// <exception cref="GlowException">The file is not there, or not such an image.</exception>
    public static (int Height, int Width) ReadSize(string path)
    {
        using SKCodec codec = Open(path);
        (int height, int width) = (codec.Info.Height, codec.Info.Width);
        return SwapsSides(codec.EncodedOrigin) ? (width, height) : (height, width);
    }

    /// <summary>Writes <c>[H,W,C]</c> (C = 1 or 3) as a PNG, atomically.</summary>
    /// <exception cref="GlowException">The file cannot be written.</exception>
    public static void WritePng(string path, ReadOnlySpan<byte> pixels, int height, int width, int channels)
    {
        CheckShape(pixels, 1, height, width, channels);
        using var bitmap = new SKBitmap(new SKImageInfo(
            width, height, channels == 1 ? SKColorType.Gray8 : SKColorType.Rgb888x, SKAlphaType.Opaque));
        Span<byte> target = bitmap.GetPixelSpan();
        for (int y = 0; y < height; y++)
        {
            ReadOnlySpan<byte> from = pixels.Slice(y * width * channels, width * channels);
            Span<byte> to = target[(y * bitmap.RowBytes)..];
            if (channels == 1)
            {
                from.CopyTo(to);
                continue;
            }
            for (int x = 0; x < width; x++)
            {
                from.Slice(3 * x, 3).CopyTo(to[(4 * x)..]);
                to[4 * x + 3] = 255;
            }
        }
        using SKData data = bitmap.Encode(SKEncodedImageFormat.Png, 100)
            ?? throw new GlowException($"{path}: an image of {height}×{width}×{channels} cannot be encoded as PNG");
        AtomicFile.Write(path, data.SaveTo);
    }

    /// <summary>Writes N images <c>[N,H,W,C]</c> as one grid of that many columns with thin gaps, row by row.</summary>
    /// <exception cref="GlowException">The file cannot be written.</exception>
    public static void WriteGrid(string path, ReadOnlySpan<byte> images, int count, int height, int width,
        int channels, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(columns, 1);
        CheckShape(images, count, height, width, channels);
        columns = Math.Min(columns, count);
        int gap = Math.Max(1, Math.Min(height, width) / 16), rows = (count + columns - 1) / columns;
        long gridWidth = (long)columns * (width + gap) + gap, gridHeight = (long)rows * (height + gap) + gap;
        if (gridWidth * gridHeight > MaxPixels)
            throw new GlowException($"{path}: a grid of {gridHeight}×{gridWidth} pixels is too large for one image; "
                + "write the images to a folder or an .npy file instead");
        var grid = new byte[gridHeight * gridWidth * channels];
        Array.Fill(grid, byte.MaxValue);
        for (int i = 0; i < count; i++)
        {
            int top = gap + i / columns * (height + gap), left = gap + i % columns * (width + gap);
            for (int y = 0; y < height; y++)
            {
                images.Slice((i * height + y) * width * channels, width * channels)
                    .CopyTo(grid.AsSpan(((top + y) * (int)gridWidth + left) * channels));
            }
        }
        WritePng(path, grid, (int)gridHeight, (int)gridWidth, channels);
    }

    private static void CheckShape(ReadOnlySpan<byte> images, int count, int height, int width, int channels)
    {
        if (channels is not (1 or 3))
            throw new GlowException(
            $"images of {channels} channels cannot be written as PNG; 1 (grey) or 3 (RGB) can");
        if (height < 1 || width < 1 || images.Length != (long)count * height * width * channels)
            throw new ArgumentException(
                $"{count} images of {height}×{width}×{channels} are not {images.Length} bytes", nameof(images));
    }

    private static SKCodec Open(string path)
    {
        SKCodec? codec = null;
        try
        {
            using (File.OpenHandle(path)) { }
            codec = SKCodec.Create(path);
            if (codec is null || codec.EncodedFormat is not (SKEncodedImageFormat.Png or SKEncodedImageFormat.Jpeg
                or SKEncodedImageFormat.Webp))
                throw new GlowException($"{path}: not a readable PNG, JPEG or WebP image");
            long pixels = (long)codec.Info.Width * codec.Info.Height;
            if (pixels > MaxPixels)
                throw new GlowException($"{path}: {codec.Info.Height}×{codec.Info.Width} pixels are more than an "
                    + $"image may have here ({MaxPixels})");
            return codec;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new GlowException($"{path}: there is no such file", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new GlowException($"{path}: cannot be read ({e.Message.TrimEnd('.')})", e);
        }
        catch (GlowException)
        {
            codec?.Dispose();
            throw;
        }
    }

    // RGB, over white where transparent.
    private static byte[] Decode(SKCodec codec, string path)
    {
        // Without a target colour space Skia leaves the stored values as they are.
        var info = new SKImageInfo(codec.Info.Width, codec.Info.Height, SKColorType.Rgba8888, SKAlphaType.Unpremul,
            null);
        using var bitmap = new SKBitmap();
        if (!bitmap.TryAllocPixels(info))
            throw new GlowException($"{path}: no memory for {info.Height}×{info.Width} pixels");
        if (codec.GetPixels(info, bitmap.GetPixels()) != SKCodecResult.Success)
            throw new GlowException(
                $"{path}: the image is truncated or damaged; it must be copied or downloaded again");
        ReadOnlySpan<byte> rgba = bitmap.GetPixelSpan();
        var rgb = new byte[info.Width * info.Height * 3];
        for (int y = 0, to = 0; y < info.Height; y++)
        {
            ReadOnlySpan<byte> row = rgba.Slice(y * bitmap.RowBytes, info.Width * 4);
            for (int x = 0; x < row.Length; x += 4)
            {
                int alpha = row[x + 3], white = 255 * (255 - alpha) + 127;
                for (int c = 0; c < 3; c++) rgb[to++] = (byte)((row[x + c] * alpha + white) / 255);
            }
        }
        return rgb;
    }

    private static bool SwapsSides(SKEncodedOrigin origin) =>
        origin is SKEncodedOrigin.LeftTop or SKEncodedOrigin.RightTop or SKEncodedOrigin.RightBottom
            or SKEncodedOrigin.LeftBottom;

    // An origin names where the stored first row and first column belong: RightTop = first row at the right, first
    // column at the top.
    private static byte[] Orient(byte[] stored, ref int height, ref int width, SKEncodedOrigin origin)
    {
        if (origin is SKEncodedOrigin.TopLeft or 0) return stored;
        bool swap = SwapsSides(origin);
        bool mirrorX = origin is SKEncodedOrigin.TopRight or SKEncodedOrigin.BottomRight or SKEncodedOrigin.RightTop
            or SKEncodedOrigin.RightBottom;
        bool mirrorY = origin is SKEncodedOrigin.BottomRight or SKEncodedOrigin.BottomLeft
            or SKEncodedOrigin.RightBottom or SKEncodedOrigin.LeftBottom;
        int storedWidth = width;
        if (swap) (height, width) = (width, height);
        var upright = new byte[stored.Length];
        for (int y = 0, to = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++, to += 3)
            {
                int ux = mirrorX ? width - 1 - x : x, uy = mirrorY ? height - 1 - y : y;
                (int row, int column) = swap ? (ux, uy) : (uy, ux);
                stored.AsSpan((row * storedWidth + column) * 3, 3).CopyTo(upright.AsSpan(to));
            }
        }
        return upright;
    }
}
