using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace GlowGpu.App.Console;

/// <summary>The one JSON object of <c>--json</c>.</summary>
internal static class JsonOutput
{
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DictionaryKeyPolicy = null,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        // File names stay readable; the output goes to programs and terminals, never into HTML.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        // A diverged model has no finite likelihood: that is written as the string "NaN", not refused.
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    /// <summary>
    /// Writes the public properties of <paramref name="result"/> in snake_case as one line; nulls are left out.
    /// </summary>
    public static void Write(Terminal terminal, object result) => terminal.Out.WriteLine(Text(result));

    /// <summary>The same as a string.</summary>
    public static string Text(object result) => JsonSerializer.Serialize(result, result.GetType(), Options);
}
