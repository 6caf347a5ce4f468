using System.CommandLine;
using System.CommandLine.Parsing;
using GlowGpu.App.Console;
using GlowGpu.App.Options;

namespace GlowGpu.App.Commands;

/// <summary>Turns what the parser found wrong into one sentence.</summary>
internal static class UsageErrors
{
    /// <summary>The first error, as what was wrong and what would be right.</summary>
    public static string Describe(ParseResult parse)
    {
        Command command = parse.CommandResult.Command;
        if (parse.UnmatchedTokens.Count > 0) return Unknown(command, parse.UnmatchedTokens[0]);
        if (command.Subcommands.Count > 0)
            return $"a verb is needed: {Readable.OneOf([.. command.Subcommands.Select(static c => c.Name)])}";
        ParseError error = parse.Errors[0];
        if (error.SymbolResult is OptionResult { Tokens.Count: 0, IdentifierToken: not null } bare)
            return $"{bare.IdentifierToken.Value} needs a value: {bare.Option.HelpName}";
        if (error.SymbolResult is OptionResult { IdentifierTokenCount: > 1 } repeated)
            return $"{repeated.Option.Name} is given {Readable.Whole(repeated.IdentifierTokenCount)} times; once is "
                + "enough";
        foreach (Option option in command.Options.Where(o => o.Required && !parse.IsGiven(o)))
            return $"{option.Name} {option.HelpName} is missing";
        foreach (Argument argument in command.Arguments)
            if (argument.Arity.MinimumNumberOfValues > 0 && parse.GetResult(argument) is not { Tokens.Count: > 0 })
                return $"{argument.HelpName ?? argument.Name} is missing";
        return error.Message.TrimEnd('.');
    }

    /// <summary>The words from the program's name to the verb, e.g. <c>glow attribute fit</c>.</summary>
    public static string PathOf(CommandResult result)
    {
        List<string> words = [];
        for (SymbolResult? at = result; at is CommandResult { Command: not RootCommand } command;
            at = at.Parent) words.Add(command.Command.Name);
        words.Add("glow");
        words.Reverse();
        return string.Join(' ', words);
    }

    private static string Unknown(Command command, string token)
    {
        bool verb = command.Subcommands.Count > 0 && !token.StartsWith('-');
        bool option = token.StartsWith('-');
        string kind = verb ? "verb" : option ? "option" : "argument";
        IEnumerable<string> known = verb
            ? command.Subcommands.Select(static c => c.Name)
            : option ? command.Options.Select(static o => o.Name) : [];
        string? close = known
            .Select(name => (Name: name, Distance: Distance(name, token)))
            .Where(pair => pair.Distance <= Math.Max(2, token.Length / 3))
            .OrderBy(static pair => pair.Distance)
            .Select(static pair => pair.Name)
            .FirstOrDefault();
        return $"there is no {kind} '{token}'" + (close is null ? "" : $"; did you mean {close}?");
    }

    // Levenshtein distance, one row at a time.
    private static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int above = row[j];
                row[j] = Math.Min(Math.Min(above, row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }
        return row[b.Length];
    }
}
