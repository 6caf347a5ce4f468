namespace GlowGpu.Model.Data;

/// <summary>Where published data sets are looked for and kept.</summary>
public static class DataFolders
{
    /// <summary>Environment variable that names a folder of data sets.</summary>
    public const string Variable = "GLOW_DATA";

    /// <summary>
    /// Where downloads are kept: <c>glow/data</c> in <c>$XDG_CACHE_HOME</c>, else in <c>.cache</c> of the home
    /// folder.
    /// </summary>
    public static string Cache
    {
        get
        {
            string? caches = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
            if (string.IsNullOrEmpty(caches)) caches = Path.Combine(
                Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
            return Path.Combine(caches, "glow", "data");
        }
    }

    /// <summary>
    /// The folders to look in, in that order: the given one, the one in <see cref="Variable"/>, the cache.
    /// </summary>
    public static IReadOnlyList<string> Searched(string? given) =>
        new[] { given, Environment.GetEnvironmentVariable(Variable), Cache }.Where(f => !string.IsNullOrEmpty(f))
            .Select(f => f!).ToArray();
}
