using GlowGpu.Engine;
using Microsoft.Win32.SafeHandles;

namespace GlowGpu.Model.Data;

/// <summary>A long run of bytes that can be read anywhere, from several threads at once.</summary>
internal abstract class PixelStore
{
    /// <summary>Fills <paramref name="target"/> with the bytes from <paramref name="offset"/> on.</summary>
    /// <exception cref="GlowException">They cannot be read.</exception>
    public abstract void Read(long offset, Span<byte> target);
}

/// <summary>
/// Bytes read from a file when asked for: sets larger than memory work, and the system caches what is in use.
/// </summary>
internal sealed class FilePixels : PixelStore
{
    private readonly string path;
    private readonly long start;
    private readonly SafeFileHandle handle;

    /// <summary>The <paramref name="length"/> bytes of a file from <paramref name="start"/> on.</summary>
    /// <exception cref="GlowException">The file cannot be opened or does not have so many.</exception>
    public FilePixels(string path, long start, long length)
    {
        (this.path, this.start) = (path, start);
        handle = InputFile.Open(path);
        long have = RandomAccess.GetLength(handle) - start;
        if (have >= length) return;
        handle.Dispose();
        throw InputFile.EndsEarly(path, have, length);
    }

    /// <inheritdoc/>
    public override void Read(long offset, Span<byte> target)
    {
        for (int done = 0; done < target.Length;)
        {
            int read;
            try
            {
                read = RandomAccess.Read(handle, target[done..], start + offset + done);
            }
            catch (IOException e)
            {
                throw InputFile.Unreadable(path, e);
            }
            if (read == 0)
                throw new GlowException(
                $"{path}: was cut short while in use; it ends at byte {start + offset + done}");
            done += read;
        }
    }
}

/// <summary>
/// Bytes unpacked into memory, in blocks, so that more than 2 GiB fit and no more is ever allocated than has arrived.
/// </summary>
internal sealed class MemoryPixels : PixelStore
{
    private const int BlockBytes = 1 << 20;

    private readonly List<byte[]> blocks = [];

    /// <summary>Takes <paramref name="length"/> bytes from a stream; returns how many there were.</summary>
    public static (MemoryPixels Pixels, long Length) Load(Stream stream, long length)
    {
        var pixels = new MemoryPixels();
        long done = 0;
        while (done < length)
        {
            var block = new byte[Math.Min(BlockBytes, length - done)];
            int read = stream.ReadAtLeast(block, block.Length, throwOnEndOfStream: false);
            pixels.blocks.Add(block);
            done += read;
            if (read < block.Length) break;
        }
        return (pixels, done);
    }

    /// <inheritdoc/>
    public override void Read(long offset, Span<byte> target)
    {
        while (target.Length > 0)
        {
            ReadOnlySpan<byte> block = blocks[(int)(offset / BlockBytes)].AsSpan((int)(offset % BlockBytes));
            int part = Math.Min(block.Length, target.Length);
            block[..part].CopyTo(target);
            target = target[part..];
            offset += part;
        }
    }
}
