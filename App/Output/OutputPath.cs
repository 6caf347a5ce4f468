using GlowGpu.App.Console;

namespace GlowGpu.App.Output;

/// <summary>Checks on paths that a command is about to write.</summary>
internal static class OutputPath
{
    /// <summary>Refuses to write a file where a folder is.</summary>
    public static void CheckFile(string path)
    {
        if (Directory.Exists(path) || Path.EndsInDirectorySeparator(path))
            throw new UsageException($"--out is '{path}', which is a folder; a file name is needed");
    }

    /// <summary>Makes the folder that a file is to be in.</summary>
    public static void CreateParent(string path)
    {
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is string parent) Directory.CreateDirectory(parent);
    }

    /// <summary>The path, or with -2, -3 … appended the first that does not exist.</summary>
    public static string Free(string path)
    {
        string free = path;
        for (int i = 2; Directory.Exists(free) || File.Exists(free); i++) free = FormattableString.Invariant($"{path}-{i}");
        return free;
    }
}
