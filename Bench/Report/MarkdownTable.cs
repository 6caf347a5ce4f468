using System.Globalization;
using System.Text;

namespace GlowGpu.Bench.Report;

/// <summary>A table of a report; the first column is text, the others are numbers.</summary>
public sealed class MarkdownTable(params string[] head)
{
    private readonly List<string[]> rows = [];

    /// <summary>Adds a row of as many cells as the head has.</summary>
    public void Add(params object[] cells)
    {
        if (cells.Length != head.Length)
            throw new ArgumentException($"table: a row of {cells.Length} cells does not fit a head of {head.Length}");
        rows.Add(Array.ConvertAll(cells, static c => Text(c)));
    }

    /// <summary>A cell: numbers with three significant digits, null as a dash.</summary>
    public static string Text(object? cell) => cell switch
    {
        null => "–",
        double.NaN => "–",
        double v when Math.Abs(v) >= 100 => v.ToString("#,0", CultureInfo.InvariantCulture),
        double v when Math.Abs(v) >= 10 => v.ToString("0.0", CultureInfo.InvariantCulture),
        double v when Math.Abs(v) >= 1 || v == 0 => v.ToString("0.00", CultureInfo.InvariantCulture),
        double v => v.ToString("0.####", CultureInfo.InvariantCulture),
        _ => Convert.ToString(cell, CultureInfo.InvariantCulture)!,
    };

    /// <summary>A share as a percentage.</summary>
    public static string Percent(double share) =>
        double.IsNaN(share) ? "–" : (100 * share).ToString("0", CultureInfo.InvariantCulture) + " %";

    /// <inheritdoc/>
    public override string ToString()
    {
        StringBuilder text = new();
        Line(text, head);
        Line(text, [.. head.Select(static (_, i) => i == 0 ? "---" : "---:")]);
        foreach (string[] row in rows) Line(text, row);
        return text.ToString();
    }

    private static void Line(StringBuilder text, string[] cells) => text.Append("| ").AppendJoin(" | ",
        cells).Append(" |\n");
}
