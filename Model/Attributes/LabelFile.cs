using System.Globalization;
using System.Text;
using GlowGpu.Engine;
using GlowGpu.Model.Data;

namespace GlowGpu.Model.Attributes;

/// <summary>
/// Attributes of images in a text file. CSV: a header, then a line for each image with its file name (or its index in
/// the set, counted from 0) and one value for each named column. CelebA's list: the number of images, the names, then
/// a line for each image, spaces between. A
/// value is 1 (has it), or 0 or −1 (has it not). Lines for images that are not in the set are passed over.
/// </summary>
internal static class LabelFile
{
    private sealed record Table(string Path, string[] Names, Dictionary<string, (int Line, string[] Values)> Rows);

    /// <summary>The labels of a set, in its order.</summary>
    /// <exception cref="GlowException">The file is not there, not readable, or lacks an image of the set.</exception>
    public static AttributeLabels Read(string path, IImageSource data)
    {
        string[] lines = InputFile.ReadStream(path, static stream => new StreamReader(stream, Encoding.UTF8)
            .ReadToEnd()).Split('\n');
        string first = lines[0].Trim();
        bool celeba = first.Length > 0 && first.All(char.IsAsciiDigit);
        Table table = celeba ? Parse(path, lines, 1, static line => line.Split((char[]?)null,
            StringSplitOptions.RemoveEmptyEntries), keyed: false)
            : Parse(path, lines, 0, line => Fields(path, line), keyed: true);
        return Match(table, data);
    }

    private static Table Parse(string path, string[] lines, int header, Func<string, string[]> split, bool keyed)
    {
        if (lines.Length <= header || string.IsNullOrWhiteSpace(lines[header]))
            throw new GlowException($"{path}: line {header + 1} names no attributes; a header is needed");
        string[] names = split(lines[header].Trim());
        // A CSV names the column of the images too; CelebA's list does not.
        if (keyed) names = names[1..];
        Dictionary<string, (int, string[])> rows = new(StringComparer.Ordinal);
        for (int i = header + 1; i < lines.Length; i++)
        {
            string line = lines[i].Trim();
            if (line.Length == 0) continue;
            string[] fields = split(line);
            if (fields.Length != names.Length + 1)
                throw new GlowException(
                    $"{path}: line {i + 1} has {fields.Length} values; the header asks for {names.Length + 1}");
            if (!rows.TryAdd(Key(fields[0]), (i + 1, fields[1..])))
                throw new GlowException($"{path}: line {i + 1} describes the image '{fields[0]}' a second time; one "
                    + "line for each image is needed");
        }
        return new Table(path, names, rows);
    }

    private static AttributeLabels Match(Table table, IImageSource data)
    {
        bool[] values = new bool[data.Count * table.Names.Length];
        int missing = 0;
        string? firstMissing = null;
        Dictionary<int, string> taken = [];
        for (int i = 0; i < data.Count; i++)
        {
            if (Find(table, data, i, out string name) is not { } row)
            {
                missing++;
                firstMissing ??= name;
                continue;
            }
            if (!taken.TryAdd(row.Line, name))
                throw new GlowException($"{table.Path}: line {row.Line} fits both '{taken[row.Line]}' and '{name}'; "
                    + "paths below the folder tell images of one name apart");
            for (int a = 0; a < table.Names.Length; a++)
            {
                values[i * table.Names.Length + a] = row.Values[a] switch
                {
                    "1" => true,
                    "0" or "-1" => false,
                    string other => throw new GlowException(
                        $"{table.Path}: line {row.Line}, column '{table.Names[a]}' is '{other}'; it must be 1 (has "
                            + "it), or 0 or -1 (has it not)"),
                };
            }
        }
        if (missing > 0)
            throw new GlowException($"{table.Path}: lacks a line for {missing} of the {data.Count} images of "
                + $"{data.Name}, the first '{firstMissing}'; every image needs one");
        return new AttributeLabels(table.Path, table.Names, values);
    }

    // By the path below the set's folder, then the file name alone, then the index.
    private static (int Line, string[] Values)? Find(Table table, IImageSource data, int image, out string name)
    {
        string index = image.ToString(CultureInfo.InvariantCulture);
        name = index;
        (IImageSource source, int original) = Subset.Origin(data, image);
        if (source is INamedSource named)
        {
            name = named.ImageName(original);
            if (table.Rows.TryGetValue(name, out var byPath)) return byPath;
            if (table.Rows.TryGetValue(Path.GetFileName(name), out var byName)) return byName;
        }
        return table.Rows.TryGetValue(index, out var byIndex) ? byIndex : null;
    }

    private static string Key(string field) => field.Replace('\\', '/');

    // Commas between; a field may stand in double quotes, a quote within doubled (RFC 4180, lines not broken).
    private static string[] Fields(string path, string line)
    {
        List<string> fields = [];
        StringBuilder field = new();
        bool quoted = false;
        for (int i = 0; i < line.Length; i++)
        {
            char c = line[i];
            if (c == '"' && quoted && i + 1 < line.Length && line[i + 1] == '"') field.Append(line[i++]);
            else if (c == '"') quoted = !quoted;
            else if (c == ',' && !quoted)
            {
                fields.Add(field.ToString().Trim());
                field.Clear();
            }
            else field.Append(c);
        }
        if (quoted)
            throw new GlowException(
            $"{path}: the line '{line}' opens a quote that it does not close; a field in quotes ends on its line");
        fields.Add(field.ToString().Trim());
        return [.. fields];
    }
}
