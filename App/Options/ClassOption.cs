using System.CommandLine;
using System.Globalization;
using GlowGpu.App.Console;
using GlowGpu.Model;
using GlowGpu.Model.Training;

namespace GlowGpu.App.Options;

/// <summary><c>--class</c>: a class of a conditional model by number or name.</summary>
internal static class ClassOption
{
    /// <summary>The option.</summary>
    public static Option<string?> Create(string description) => Value.Path("--class", "K|NAME", description);

    /// <summary>The class that the option names, or null when it is not given.</summary>
    /// <param name="model">checkpoint file or run folder</param>
    /// <param name="config">its config</param>
    /// <param name="word">number or name, or null</param>
    public static int? Index(string model, FlowConfig config, string? word)
    {
        if (word is null) return null;
        if (config.Classes == 0)
            throw new UsageException($"--class is '{word}', but {model} is not conditional; leave it out");
        if (int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int k) && k < config.Classes)
            return k;
        IReadOnlyList<string> names = Names(model);
        for (int i = 0; i < names.Count; i++)
            if (string.Equals(names[i], word, StringComparison.OrdinalIgnoreCase)) return i;
        string known = names.Count == 0 ? "" : $" or one of {string.Join(", ", names)}";
        throw new UsageException($"--class is '{word}'; it must be a number from 0 to {config.Classes - 1}{known}");
    }

    // The run that a checkpoint lies in knows what the classes of its data are called; a checkpoint alone does not.
    private static IReadOnlyList<string> Names(string model)
    {
        string? folder = Directory.Exists(model) ? model : Path.GetDirectoryName(Path.GetFullPath(model));
        if (folder is null || !File.Exists(Path.Combine(folder, "config.json"))) return [];
        return RunFolder.Create(folder, resume: true).ReadConfig()?.Training.Source?.ClassNames ?? [];
    }
}
