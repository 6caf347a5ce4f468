using GlowGpu.App.Console;
using GlowGpu.Engine;
using GlowGpu.Model.Attributes;

namespace GlowGpu.App.Output;

/// <summary>Checks on paths that a command is about to write.</summary>
internal static class OutputPath
{
    /// <summary>Refuses to write a file where a folder is.</summary>
    public static void CheckFile(string path, string option = "--out")
    {
        if (Directory.Exists(path) || Path.EndsInDirectorySeparator(path))
            throw new UsageException($"{option} is '{path}', which is a folder; a file name is needed");
    }

    /// <summary>
    /// Checks a path that latents are to be written to: what is there already must be latents too, so that a slip
    /// cannot replace a checkpoint.
    /// </summary>
    public static string Latents(string path)
    {
        SafeTensors(path);
        if (!File.Exists(path)) return path;
        using SafeTensorsReader reader = SafeTensorsReader.Open(path);
        if (reader.Find("eps0") is null)
            throw new UsageException(
                $"--out is '{path}', which holds no latents but something else; a new file name is needed");
        return path;
    }

    /// <summary>Checks a path that weights are to be written to, made from those of another file.</summary>
    public static string Model(string path, string source)
    {
        SafeTensors(path);
        if (Path.GetFullPath(path) == Path.GetFullPath(source))
            throw new UsageException($"--out is '{path}', which is the file that is read; another name is needed");
        return path;
    }

    /// <summary>
    /// Checks a path that attributes are to be written to; what is there already must be attributes too.
    /// </summary>
    public static string Attributes(string path)
    {
        SafeTensors(path);
        if (File.Exists(path) && !AttributeDirections.IsIn(path))
            throw new UsageException(
                $"--out is '{path}', which holds no attributes but something else; a new file name is needed");
        return path;
    }

    private static void SafeTensors(string path)
    {
        if (!path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase))
            throw new UsageException($"--out is '{path}'; it must end in .safetensors");
        CheckFile(path);
    }

    /// <summary>The path, or with -2, -3 … appended the first that does not exist.</summary>
    public static string Free(string path)
    {
        string free = path;
        for (int i = 2; Directory.Exists(free) || File.Exists(free);
            i++) free = FormattableString.Invariant($"{path}-{i}");
        return free;
    }
}
