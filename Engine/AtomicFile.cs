using System.Runtime.InteropServices;
using System.Text;

namespace GlowGpu.Engine;

/// <summary>
/// Files that are either whole or not there: written under another name in the same folder, flushed to the disk, then
/// renamed. A kill at any moment leaves the previous file as it was.
/// </summary>
public static partial class AtomicFile
{
    private const string Suffix = ".tmp";

    /// <summary>Writes a file in one step, making its folder if need be.</summary>
    /// <exception cref="GlowException">The file cannot be written; the sentence names it.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        if (IsDevice(path))
        {
            Guard(path, () =>
            {
                using FileStream device = new(path, FileMode.Open, FileAccess.Write);
                write(device);
            });
            return;
        }
        Stage(path, write);
        Commit(path);
    }

    /// <summary>Writes a text file in one step, as UTF-8.</summary>
    /// <exception cref="GlowException">The file cannot be written; the sentence names it.</exception>
    public static void WriteText(string path, string text) => Write(path,
        stream => stream.Write(Encoding.UTF8.GetBytes(text)));

    /// <summary>
    /// First half of <see cref="Write"/>: the new contents lie complete and flushed beside the old file; returns
    /// their path.
    /// </summary>
    /// <exception cref="GlowException">The file cannot be written; the sentence names it.</exception>
    public static string Stage(string path, Action<Stream> write)
    {
        string target = Target(path);
        string staged = target + Suffix;
        Guard(path, () =>
        {
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            try
            {
                using FileStream stream = new(staged, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 16);
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            catch
            {
                Discard(path);
                throw;
            }
        });
        return staged;
    }

    /// <summary>
    /// Second half: puts the staged contents in place. With <paramref name="keepAs"/> the file that was there before,
    /// if any, stays under that path; the file itself is there at every moment.
    /// </summary>
    /// <exception cref="GlowException">The file cannot be replaced; the sentence names it.</exception>
    public static void Commit(string path, string? keepAs = null)
    {
        string target = Target(path);
        Guard(path, () =>
        {
            if (keepAs is not null && File.Exists(target)) File.Replace(target + Suffix, target, keepAs);
            else File.Move(target + Suffix, target, overwrite: true);
            FlushFolder(Path.GetDirectoryName(target)!);
        });
    }

    /// <summary>Removes staged contents that were never put in place, e.g. after a kill.</summary>
    public static void Discard(string path)
    {
        try
        {
            File.Delete(Target(path) + Suffix);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Only litter: the next write replaces it, or reports why it cannot.
        }
    }

    /// <summary>Renames over whatever is there and makes that durable.</summary>
    /// <exception cref="GlowException">The file cannot be renamed; the sentence names it.</exception>
    public static void Rename(string from, string to) => Guard(to, () =>
    {
        File.Move(from, to, overwrite: true);
        FlushFolder(Path.GetDirectoryName(Path.GetFullPath(to))!);
    });

    // A link stays a link: what it points to is replaced.
    private static string Target(string path)
    {
        string full = Path.GetFullPath(path);
        return File.Exists(full) ? File.ResolveLinkTarget(full, returnFinalTarget: true)?.FullName ?? full : full;
    }

    // Renaming a file over /dev/null or /dev/stdout would destroy it for everyone.
    private static bool IsDevice(string path) =>
        !OperatingSystem.IsWindows() && path.StartsWith("/dev/", StringComparison.Ordinal)
        && !path.StartsWith("/dev/shm/", StringComparison.Ordinal);

    private static void Guard(string path, Action action)
    {
        try
        {
            action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new GlowException($"{path}: cannot be written ({e.Message.TrimEnd('.')})", e);
        }
    }

    // A rename is durable only once the folder itself is on the disk. Some file systems refuse this; nothing is lost
    // then but the guarantee against a power cut.
    private static void FlushFolder(string folder)
    {
        if (OperatingSystem.IsWindows()) return;
        int descriptor = OpenFolder(folder, 0);
        if (descriptor < 0) return;
        _ = Flush(descriptor);
        _ = Close(descriptor);
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFolder(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync")]
    private static partial int Flush(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
