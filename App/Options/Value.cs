using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;
using GlowGpu.App.Console;

namespace GlowGpu.App.Options;

/// <summary>
/// Options with one value. Each knows what is allowed, reads numbers in the invariant culture, and refuses anything
/// else with a sentence that names the option, the value and what would be right.
/// </summary>
internal static class Value
{
    /// <summary>A number within bounds; null when not given.</summary>
    /// <param name="name">the option</param>
    /// <param name="letter">what the help calls the value</param>
    /// <param name="description">what it does</param>
    /// <param name="min">smallest value allowed</param>
    /// <param name="max">largest value allowed, or null</param>
    /// <param name="above">true when <paramref name="min"/> itself is not allowed</param>
    public static Option<T?> Number<T>(string name, string letter, string description, T min,
        T? max = null, bool above = false)
        where T : struct, INumber<T> => new(name)
        {
            HelpName = letter,
            Description = description,
            CustomParser = result => Parse(result, Bounds(min, max, above), text => Inside(text, min, max, above)),
        };

    /// <summary>A number within bounds, with a default.</summary>
    public static Option<T> NumberOr<T>(string name, string letter, string description, T standard, T min,
        T? max, bool above = false)
        where T : struct, INumber<T> => new(name)
        {
            HelpName = letter,
            Description = description,
            DefaultValueFactory = _ => standard,
            CustomParser = result =>
                Parse(result, Bounds(min, max, above), text => Inside(text, min, max, above)).GetValueOrDefault(),
        };

    /// <summary>One of a few words; null when not given and there is no default.</summary>
    public static Option<string?> Choice(string name, string description, string? standard, params string[] words)
    {
        Option<string?> option = new(name)
        {
            HelpName = string.Join('|', words),
            Description = description,
            CustomParser = result =>
            {
                string text = result.Tokens[0].Value;
                if (words.Contains(text)) return text;
                result.AddError($"{name} is '{text}'; it must be {Readable.OneOf(words)}");
                return null;
            },
        };
        if (standard is not null) option.DefaultValueFactory = _ => standard;
        option.CompletionSources.Add(words);
        return option;
    }

    /// <summary>A path or other text that may not be empty; null when not given.</summary>
    public static Option<string?> Path(string name, string letter, string description, bool required = false) =>
        new(name)
        {
            HelpName = letter,
            Description = description,
            Required = required,
            CustomParser = result =>
            {
                string text = result.Tokens[0].Value;
                if (!string.IsNullOrWhiteSpace(text)) return text;
                result.AddError($"{name} is empty; it must be {letter}");
                return null;
            },
        };

    /// <summary>A comma-separated list of numbers within bounds; null when not given.</summary>
    public static Option<T[]?> List<T>(string name, string letter, string description, T min,
        T? max = null, int? count = null)
        where T : struct, INumber<T> => new(name)
        {
            HelpName = letter,
            Description = description,
            CustomParser = result =>
            {
                string text = result.Tokens[0].Value;
                T?[] values = [.. text.Split(',').Select(part => Inside(part, min, max, above: false))];
                if (values.All(static v => v is not null) && (count is null || values.Length == count))
                    return [.. values.Select(static v => v!.Value)];
                string many = count is null ? "numbers" : string.Create(CultureInfo.InvariantCulture,
                    $"{count} numbers");
                result.AddError($"{name} is '{text}'; it must be {many} with commas between, each "
                    + $"{Bounds(min, max, above: false)}");
                return null;
            },
        };

    /// <summary>A switch.</summary>
    public static Option<bool> Flag(string name, string description) => new(name) { Description = description };

    /// <summary>Whether the user gave the option.</summary>
    public static bool IsGiven(this ParseResult parse, Option option) => parse.GetResult(option) is { Implicit: false };

    /// <summary>The values of a <see cref="List{T}"/>, or null when the option is not given.</summary>
    public static T[]? Listed<T>(this ParseResult parse, Option<T[]?> option) =>
        // The parser's own answer for a list that is not given is an empty one.
        parse.IsGiven(option) ? parse.GetValue(option) : null;

    private static T? Parse<T>(ArgumentResult result, string bounds, Func<string, T?> read) where T : struct
    {
        string text = result.Tokens[0].Value;
        T? value = read(text);
        if (value is null) result.AddError(
            $"{((OptionResult)result.Parent!).Option.Name} is '{text}'; it must be {bounds}");
        return value;
    }

    private static T? Inside<T>(string text, T min, T? max, bool above) where T : struct, INumber<T>
    {
        NumberStyles style = IsWhole<T>() ? NumberStyles.AllowLeadingSign : NumberStyles.Float;
        if (!T.TryParse(text, style, CultureInfo.InvariantCulture, out T value)) return null;
        if (!T.IsFinite(value) || value < min || (above && value == min) || value > max) return null;
        return value;
    }

    private static string Bounds<T>(T min, T? max, bool above) where T : struct, INumber<T>
    {
        string kind = IsWhole<T>() ? "a whole number" : "a number";
        string low = min.ToString(null, CultureInfo.InvariantCulture);
        string? high = max?.ToString(null, CultureInfo.InvariantCulture);
        return (above, high) switch
        {
            (true, null) => $"{kind} above {low}",
            (true, _) => $"{kind} above {low} and at most {high}",
            (false, null) => $"{kind} of at least {low}",
            (false, _) => $"{kind} from {low} to {high}",
        };
    }

    private static bool IsWhole<T>() where T : INumber<T> => T.IsZero(T.One / (T.One + T.One));
}
