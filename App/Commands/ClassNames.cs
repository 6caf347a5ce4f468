using System.Globalization;
using GlowGpu.App.Console;
using GlowGpu.Model;

namespace GlowGpu.App.Commands;

/// <summary>Classes of a conditional model by number or name.</summary>
internal static class ClassNames
{
    /// <summary>The class that <c>--class</c> names, or null when it is not given.</summary>
    /// <param name="model">checkpoint file or run folder</param>
    /// <param name="config">its config</param>
    /// <param name="word">number or name, or null</param>
    public static int? Index(string model, GlowConfig config, string? word)
    {
        if (word is null) return null;
        if (config.Classes == 0) throw new UsageException($"--class is '{word}', but {model} is not conditional; leave it out");
        if (int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int k) && k < config.Classes) return k;
        IReadOnlyList<string> names = Of(model);
        for (int i = 0; i < names.Count; i++)
            if (string.Equals(names[i], word, StringComparison.OrdinalIgnoreCase)) return i;
        string known = names.Count == 0 ? "" : $" or {Readable.OneOf(names)}";
        throw new UsageException($"--class is '{word}'; it must be 0 to {config.Classes - 1}{known}");
    }
}
