using System.CommandLine;
using System.Globalization;

namespace GlowGpu.App.Options;

/// <summary><c>--alpha</c>: strengths as FROM:TO:COUNT or as a list.</summary>
internal static class AlphaOption
{
    private const int Most = 1000;

    /// <summary>The option.</summary>
    public static Option<double[]?> Create() => new("--alpha")
    {
        HelpName = "FROM:TO:N|A1,A2,…",
        Description = "Strengths, evenly spaced or listed; 1 moves as far as the class means lie apart. [-2:2:9]",
        CustomParser = static result =>
        {
            string text = result.Tokens[0].Value;
            if (Parse(text) is { } values) return values;
            result.AddError($"--alpha is '{text}'; it must be FROM:TO:N with N from 2 to {Most}, as in -2:2:9, or "
                + "numbers with commas between");
            return null;
        },
    };

    /// <summary>The strengths that a text names, or null when it names none.</summary>
    public static double[]? Parse(string text)
    {
        string[] parts = text.Split(':');
        if (parts.Length == 3)
        {
            if (Number(parts[0]) is not double from || Number(parts[1]) is not double to
                || !int.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out int count)
                || count is < 2 or > Most) return null;
            return [.. Enumerable.Range(0, count).Select(i => from + (to - from) * i / (count - 1))];
        }
        double?[] list = [.. text.Split(',').Select(Number)];
        return list.Length <= Most && list.All(static v => v is not null) ? [.. list.Select(static v => v!.Value)]
            : null;
    }

    private static double? Number(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
            && double.IsFinite(value) ? value : null;
}
