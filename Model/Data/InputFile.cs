using System.IO.Compression;
using GlowGpu.Engine;
using Microsoft.Win32.SafeHandles;

namespace GlowGpu.Model.Data;

/// <summary>Opens the user's files, and says in one sentence why one cannot be read.</summary>
internal static class InputFile
{
    /// <summary>Opens for reads anywhere.</summary>
    /// <exception cref="GlowException">The file is not there or may not be read.</exception>
    public static SafeFileHandle Open(string path)
    {
        try
        {
            return File.OpenHandle(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, e);
        }
    }

    /// <summary>Runs <paramref name="read"/> over the file's bytes, unpacked when its name ends in .gz.</summary>
    /// <exception cref="GlowException">The file is not there, may not be read or is not valid gzip.</exception>
    public static T ReadStream<T>(string path, Func<Stream, T> read)
    {
        bool packed = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase);
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
            if (!packed) return read(file);
            using GZipStream unpacked = new(file, CompressionMode.Decompress);
            return read(unpacked);
        }
        catch (InvalidDataException e)
        {
            throw new GlowException($"{path}: not a whole gzip file; it must be copied or downloaded again", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, e);
        }
    }

    /// <summary>The sentence for a file that the system would not open or read.</summary>
    public static GlowException Unreadable(string path, Exception e) => new(
        e is FileNotFoundException or DirectoryNotFoundException
            ? $"{path}: there is no such file"
            : $"{path}: cannot be read ({e.Message.TrimEnd('.')})", e);

    /// <summary>The sentence for a file with less data than its header says.</summary>
    public static GlowException EndsEarly(string what, long have, long need) =>
        new($"{what}: ends after {have} of {need} bytes of data; the file is truncated");
}
