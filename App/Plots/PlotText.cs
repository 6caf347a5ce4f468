using ScottPlot;

namespace GlowGpu.App.Plots;

/// <summary>
/// Text in plots. The image library is built without system dependencies and looks for no fonts itself, so that a
/// plot's text needs a font file; without one a plot is drawn without its text.
/// </summary>
internal static class PlotText
{
    private const string Name = "plot text";
    private static readonly string[] Preferred = ["DejaVuSans.ttf", "LiberationSans-Regular.ttf",
        "NotoSans-Regular.ttf", "arial.ttf", "Arial.ttf"];

    /// <summary>
    /// Lets plots use a font of this machine; null when that worked, else the sentence to print beside the plot.
    /// </summary>
    public static string? Prepare()
    {
        if (FindFont(Folders()) is not { } file)
            return "This machine has no TrueType font, so the plot has no text; any font package (fonts-dejavu-core "
                + "on Debian) brings it.";
        Fonts.AddFontFile(Name, file, bold: false, italic: false);
        Fonts.AddFontFile(Name, file, bold: true, italic: false);
        Fonts.Default = Name;
        return null;
    }

    /// <summary>Draws text with the font found.</summary>
    public static void Apply(Plot plot) => plot.Font.Set(Name);

    internal static string? FindFont(IEnumerable<string> folders)
    {
        EnumerationOptions everything = new() { RecurseSubdirectories = true, IgnoreInaccessible = true };
        List<string> files = [.. folders.Where(Directory.Exists).SelectMany(f => Directory.EnumerateFiles(f,
            "*.ttf", everything))];
        return Preferred.Select(name => files.Find(f => Path.GetFileName(f) == name))
            .FirstOrDefault(static f => f is not null)
            ?? files.Order(StringComparer.Ordinal).FirstOrDefault();
    }

    private static IEnumerable<string> Folders()
    {
        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        yield return "/usr/share/fonts";
        yield return "/usr/local/share/fonts";
        yield return Path.Combine(home, ".local/share/fonts");
        yield return "/Library/Fonts";
        yield return "/System/Library/Fonts";
        if (Environment.GetFolderPath(Environment.SpecialFolder.Fonts) is { Length: > 0 } fonts) yield return fonts;
    }
}
