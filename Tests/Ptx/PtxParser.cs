using System.Globalization;
using System.Text.RegularExpressions;

namespace GlowGpu.Tests.Ptx;

/// <summary>
/// Reads a PTX source with one kernel: declarations of registers and shared memory, labels, nested scopes,
/// instructions.
/// </summary>
internal sealed partial class PtxParser
{
    private readonly string text;
    private readonly List<PtxParameter> parameters = [];
    private readonly List<PtxShared> shared = [];
    private readonly List<PtxInstruction> instructions = [];
    private readonly Stack<PtxScope> scopes = [];
    private int position;
    private int registerBytes;
    private int predicates;
    private string name = "";
    private string target = "";

    private PtxParser(string source) => text = Comment().Replace(source,
        static m => new string('\n', m.Value.Count(static c => c == '\n')));

    /// <summary>Parses a source.</summary>
    /// <exception cref="PtxException">Something in it is not known.</exception>
    public static PtxKernel Parse(string source)
    {
        PtxParser parser = new(source);
        parser.Module();
        if (parser.name.Length == 0) throw new PtxException("the source has no .entry");
        return new PtxKernel(parser.name, parser.target, parser.parameters, parser.shared, parser.instructions,
            parser.registerBytes, parser.predicates);
    }

    private int Line => 1 + text.AsSpan(0, Math.Min(position, text.Length)).Count('\n');

    private void Module()
    {
        for (SkipSpace(); position < text.Length; SkipSpace())
        {
            if (At(".version") || At(".target") || At(".address_size"))
            {
                string line = Until('\n');
                if (line.StartsWith(".target", StringComparison.Ordinal)) target = line[".target".Length..].Trim();
                continue;
            }
            Match entry = Entry().Match(text, position);
            if (entry.Success)
            {
                if (name.Length > 0) throw Error("a second .entry");
                name = entry.Groups[1].Value;
                position += entry.Length;
                SkipSpace();
                if (At("("))
                {
                    position++;
                    Parameters(Until(')'));
                }
                SkipSpace();
                while (!At("{")) Directive(Until('\n'));
                Body();
                continue;
            }
            Directive(Until(';'));
        }
    }

    private void Body()
    {
        for (SkipSpace(); position < text.Length; SkipSpace())
        {
            if (At("{"))
            {
                scopes.Push(new PtxScope(scopes.Count == 0 ? null : scopes.Peek()));
                position++;
            }
            else if (At("}"))
            {
                scopes.Pop();
                position++;
                if (scopes.Count == 0) return;
            }
            else if (At(";"))
            {
                position++;
            }
            else if (Label().Match(text, position) is { Success: true } label)
            {
                scopes.Peek().Mark(label.Groups[1].Value, instructions.Count);
                position += label.Length;
            }
            else
            {
                int line = Line;
                string statement = Until(';');
                if (statement.StartsWith('.')) Directive(statement);
                else Instruction(statement, line);
            }
        }
        throw Error("the body does not end");
    }

    private void Parameters(string list)
    {
        foreach (string declared in Split(list))
        {
            Match match = Variable().Match(declared);
            if (!match.Success || !declared.StartsWith(".param", StringComparison.Ordinal))
                throw Error($"parameter '{declared}'");
            int size = PtxTypes.Bytes(match.Groups["type"].Value);
            int align = match.Groups["align"].Success ? Number(match.Groups["align"].Value) : size;
            int bytes = match.Groups["count"].Success ? size * Number(match.Groups["count"].Value) : size;
            int from = parameters.Count == 0 ? 0 : parameters[^1].Offset + parameters[^1].Bytes;
            parameters.Add(new PtxParameter(match.Groups["name"].Value, align, (from + align - 1) / align * align,
                bytes));
        }
    }

    private void Directive(string statement)
    {
        statement = statement.Trim();
        if (statement.StartsWith(".reg", StringComparison.Ordinal))
        {
            Registers(statement);
            return;
        }
        Match match = Variable().Match(statement);
        if (match.Success && match.Groups["space"].Value == "shared")
        {
            int size = PtxTypes.Bytes(match.Groups["type"].Value);
            int align = match.Groups["align"].Success ? Number(match.Groups["align"].Value) : size;
            bool isDynamic = match.Groups["array"].Success && !match.Groups["count"].Success;
            int bytes = isDynamic ? -1 : match.Groups["count"].Success ? size * Number(match.Groups["count"].Value)
                : size;
            shared.Add(new PtxShared(match.Groups["name"].Value, align, bytes));
            return;
        }
        if (statement.StartsWith(".maxntid", StringComparison.Ordinal) || statement.StartsWith(".minnctapersm",
            StringComparison.Ordinal)
            || statement.StartsWith(".reqntid", StringComparison.Ordinal) || statement.StartsWith(".pragma",
            StringComparison.Ordinal)
            || statement.StartsWith(".loc", StringComparison.Ordinal) || statement.Length == 0) return;
        throw Error($"directive '{statement}'");
    }

    private void Registers(string statement)
    {
        Match match = RegisterList().Match(statement);
        if (!match.Success) throw Error($"directive '{statement}'");
        string type = match.Groups[1].Value;
        foreach (string item in Split(match.Groups[2].Value))
        {
            Match range = RegisterRange().Match(item);
            if (!range.Success)
            {
                scopes.Peek().Declare(item, Allocate(type));
                continue;
            }
            for (int i = 0; i < Number(range.Groups[2].Value); i++) scopes.Peek().Declare(range.Groups[1].Value + i,
                Allocate(type));
        }
    }

    private PtxRegister Allocate(string type)
    {
        if (type == "pred") return new PtxRegister(predicates++, 0, true);
        // Registers of fewer than 32 bits occupy a whole one, as on the device.
        int bytes = Math.Max(PtxTypes.Bytes(type), 4);
        PtxRegister register = new(registerBytes, bytes, false);
        registerBytes += bytes * Warp.Lanes;
        return register;
    }

    private void Instruction(string statement, int line)
    {
        Match match = Statement().Match(statement);
        if (!match.Success) throw Error($"statement '{statement}'");
        instructions.Add(new PtxInstruction(match.Groups["opcode"].Value, Split(match.Groups["operands"].Value),
            match.Groups["guard"].Success ? match.Groups["guard"].Value : null, match.Groups["not"].Success,
                scopes.Peek(), line));
    }

    /// <summary>The parts between the commas that stand outside brackets and braces.</summary>
    public static IReadOnlyList<string> Split(string list)
    {
        List<string> parts = [];
        int depth = 0, from = 0;
        for (int i = 0; i <= list.Length; i++)
        {
            if (i == list.Length || (list[i] == ',' && depth == 0))
            {
                string part = list[from..i].Trim();
                if (part.Length > 0) parts.Add(part);
                from = i + 1;
            }
            else if (list[i] is '[' or '{')
            {
                depth++;
            }
            else if (list[i] is ']' or '}')
            {
                depth--;
            }
        }
        return parts;
    }

    private void SkipSpace()
    {
        while (position < text.Length && char.IsWhiteSpace(text[position])) position++;
    }

    private bool At(string word) => string.CompareOrdinal(text, position, word, 0, word.Length) == 0;

    private string Until(char end)
    {
        int stop = text.IndexOf(end, position);
        if (stop < 0) throw Error($"'{end}' is missing");
        string found = text[position..stop].Trim();
        position = stop + 1;
        return found;
    }

    private PtxException Error(string what) => new($"PTX line {Line}: {what} is not understood") { Line = Line };

    private static int Number(string digits) => int.Parse(digits, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"//[^\n]*|/\*.*?\*/", RegexOptions.Singleline)]
    private static partial Regex Comment();

    [GeneratedRegex(@"\G(?:\.visible\s+)?\.entry\s+([\w$]+)")]
    private static partial Regex Entry();

    [GeneratedRegex(@"\G([\w$%]+)\s*:(?!:)")]
    private static partial Regex Label();

    [GeneratedRegex(@"^(?:\.extern\s+|\.visible\s+)?\.(?<space>param|shared)\s+(?:\.align\s+(?<align>\d+)\s+)?\.(?<type>\w+)\s+(?<name>[\w$]+)\s*(?<array>\[\s*(?<count>\d+)?\s*\])?$")]
    private static partial Regex Variable();

    [GeneratedRegex(@"^\.reg\s+\.(\w+)\s+(.*)$", RegexOptions.Singleline)]
    private static partial Regex RegisterList();

    [GeneratedRegex(@"^([\w$%]+)<(\d+)>$")]
    private static partial Regex RegisterRange();

    [GeneratedRegex(
        @"^(?:@(?<not>!)?\s*(?<guard>[\w$%]+)\s+)?(?<opcode>[a-z]\w*(?:\.\w+(?:::\w+)*)*)\s*(?<operands>.*)$",
        RegexOptions.Singleline)]
    private static partial Regex Statement();
}

/// <summary>The fundamental types of PTX.</summary>
internal static class PtxTypes
{
    /// <summary>Bytes of a value in memory.</summary>
    public static int Bytes(string type) => type switch
    {
        "b8" or "u8" or "s8" => 1,
        "b16" or "u16" or "s16" or "f16" or "bf16" => 2,
        "b32" or "u32" or "s32" or "f32" or "f16x2" or "bf16x2" or "tf32" => 4,
        "b64" or "u64" or "s64" or "f64" => 8,
        _ => throw new PtxException($"type .{type} is not known to the PTX machine"),
    };

    /// <summary>Whether a value is widened with its sign.</summary>
    public static bool IsSigned(string type) => type[0] == 's';
}
