using System.Runtime.CompilerServices;

namespace GlowGpu.Tests.Architecture;

/// <summary>The source files that the tests were built from.</summary>
internal static class SourceTree
{
    /// <summary>Folder of the solution.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>
    /// C# files under a folder, build output excluded, with paths relative to the root and forward slashes.
    /// </summary>
    public static IEnumerable<(string Path, string Text)> Code(string folder) =>
        from file in Directory.EnumerateFiles(Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories)
        let path = Path.GetRelativePath(Root, file).Replace('\\', '/')
        where !path.Contains("/obj/", StringComparison.Ordinal) && !path.Contains("/bin/", StringComparison.Ordinal)
        select (path, File.ReadAllText(file));

    /// <summary>Code without comments and without the text of strings.</summary>
    public static string Bare(string code)
    {
        string withoutStrings = System.Text.RegularExpressions.Regex.Replace(code, "\"(\\\\.|[^\"\\\\\\n])*\"", "\"\"");
        return System.Text.RegularExpressions.Regex.Replace(withoutStrings, "//[^\n]*|/\\*.*?\\*/", "",
            System.Text.RegularExpressions.RegexOptions.Singleline);
    }

    private static string FindRoot([CallerFilePath] string here = "")
    {
        foreach (string start in new[] { Path.GetDirectoryName(here) ?? "", AppContext.BaseDirectory })
            for (DirectoryInfo? folder = new(start.Length == 0 ? "." : start); folder is not null;
                folder = folder.Parent)
                if (File.Exists(Path.Combine(folder.FullName, "GlowGpu.sln"))) return folder.FullName;
        throw new DirectoryNotFoundException("the tests were moved away from the sources that these checks read");
    }
}
