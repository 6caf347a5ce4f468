using GlowGpu.App.Console;
using GlowGpu.Model.Data;

namespace GlowGpu.App.Output;

/// <summary>
/// Where images go, by the ending of <c>--out</c>: <c>.png</c> one grid, <c>.npy</c> an array <c>uint8 [N,H,W,C]</c>,
/// no ending a folder of numbered PNG files. Checked before any work is done, so that a long run does not end in a
/// refusal.
/// </summary>
internal sealed class ImageOutput
{
    private enum Kind { Grid, Array, Folder }

    private readonly Kind kind;

    private ImageOutput(string path, Kind kind)
    {
        Path = path;
        this.kind = kind;
    }

    /// <summary>What <c>--out</c> said.</summary>
    public string Path { get; }

    /// <summary>What <c>--out</c> may be, for help and messages.</summary>
    public const string Letter = "GRID.png|DIR|X.npy";

    /// <summary>Reads a path's kind.</summary>
    /// <exception cref="UsageException">Its ending is none of those, or something else is in the way.</exception>
    public static ImageOutput Of(string path, int count, int channels)
    {
        bool directory = Directory.Exists(path) || System.IO.Path.EndsInDirectorySeparator(path);
        Kind kind = System.IO.Path.GetExtension(path).ToLowerInvariant() switch
        {
            ".png" => Kind.Grid,
            ".npy" => Kind.Array,
            _ when directory => Kind.Folder,
            "" => Kind.Folder,
            string other => throw new UsageException($"--out is '{path}', and '{other}' is not a kind of output; it "
                + "must end in .png or .npy, or name a folder"),
        };
        ImageOutput output = new(path, kind);
        if (kind == Kind.Folder) output.CheckFolder(count);
        else OutputPath.CheckFile(path);
        if (kind != Kind.Array && channels is not (1 or 3))
            throw new UsageException(
                $"--out is '{path}', but images of {channels} channels are no pictures; it must end in .npy");
        return output;
    }

    /// <summary>A single PNG, for verbs that make one strip.</summary>
    public static string Picture(string path, int channels, string option = "--out")
    {
        if (!path.EndsWith(".png", StringComparison.OrdinalIgnoreCase))
            throw new UsageException($"{option} is '{path}'; it must end in .png");
        OutputPath.CheckFile(path, option);
        if (channels is not (1 or 3))
            throw new UsageException($"{option} is '{path}', but images of {channels} channels are no pictures; 1 "
                + "or 3 channels are needed");
        return path;
    }

    /// <summary>Writes <c>[N,H,W,C]</c>; each file atomically.</summary>
    public void Write(byte[] images, int count, int height, int width, int channels, int columns)
    {
        switch (kind)
        {
            case Kind.Grid:
                ImageFile.WriteGrid(Path, images, count, height, width, channels, columns);
                break;
            case Kind.Array:
                NumpyFile.Write(Path, images, count, height, width, channels);
                break;
            default:
                int size = height * width * channels;
                for (int i = 0; i < count; i++)
                    ImageFile.WritePng(System.IO.Path.Combine(Path, Name(i)), images.AsSpan(i * size, size), height,
                        width, channels);
                break;
        }
    }

    private static string Name(int index) => FormattableString.Invariant($"{index:000000}.png");

    // Images of an earlier, larger run would pass for this one's, and a run folder is no place for loose pictures.
    private void CheckFolder(int count)
    {
        if (File.Exists(Path))
            throw new UsageException($"--out is '{Path}', which is a file; a folder, .png or .npy is needed");
        if (!Directory.Exists(Path)) return;
        HashSet<string> ours = [.. Enumerable.Range(0, count).Select(Name)];
        string? other = Directory.EnumerateFileSystemEntries(Path).Select(System.IO.Path.GetFileName)
            .FirstOrDefault(name => !ours.Contains(name!));
        if (other is not null)
            throw new UsageException(
                $"--out is the folder '{Path}', which already holds '{other}'; an empty or new folder is needed");
    }
}
