using System.Globalization;
using System.Text.RegularExpressions;
using GlowGpu.Engine;

namespace GlowGpu.Model.Import;

/// <summary>
/// The state dict of a PyTorch module, saved as safetensors. Tensors are asked for by name and shape; what was never
/// asked for is reported in the end, so that nothing of a model is lost in silence. A prefix that all names share is
/// dropped.
/// </summary>
internal sealed class StateDict : IDisposable
{
    private readonly SafeTensorsReader reader;
    private readonly string program;
    private readonly string prefix;
    private readonly HashSet<string> used = new(StringComparer.Ordinal);

    private StateDict(SafeTensorsReader reader, string program, string prefix)
    {
        this.reader = reader;
        this.program = program;
        this.prefix = prefix;
    }

    /// <summary>The file.</summary>
    public string Path => reader.Path;

    /// <summary>
    /// Opens a file that must hold <paramref name="anchor"/>, a tensor that every model of the program has.
    /// </summary>
    /// <exception cref="GlowException">There is no such file, it is not safetensors, or it is of another
    /// program.</exception>
    public static StateDict Open(string path, string program, string anchor)
    {
        SafeTensorsReader reader = SafeTensorsReader.Open(path);
        string? name = reader.Tensors.Select(static t => t.Name)
            .FirstOrDefault(n => n == anchor || n.EndsWith("." + anchor, StringComparison.Ordinal));
        if (name is not null) return new StateDict(reader, program, name[..^anchor.Length]);
        reader.Dispose();
        throw new GlowException($"{path}: holds no tensor '{anchor}'; a state dict of {program} is needed");
    }

    /// <summary>Whether there is such a tensor.</summary>
    public bool Has(string name) => reader.Find(prefix + name) is not null;

    /// <summary>
    /// One more than the largest number that the group of the pattern takes among all names; 0 when none matches.
    /// </summary>
    public int Count(Regex pattern)
    {
        int count = 0;
        foreach (TensorEntry tensor in reader.Tensors)
        {
            if (!tensor.Name.StartsWith(prefix, StringComparison.Ordinal)) continue;
            Match match = pattern.Match(tensor.Name[prefix.Length..]);
            if (match.Success && int.TryParse(match.Groups[1].Value, NumberStyles.None, CultureInfo.InvariantCulture,
                out int index)
                && index < int.MaxValue)
                count = Math.Max(count, index + 1);
        }
        return count;
    }

    /// <summary>How many names match the pattern.</summary>
    public int Matches(Regex pattern) => reader.Tensors.Count(t =>
        t.Name.StartsWith(prefix, StringComparison.Ordinal) && pattern.IsMatch(t.Name[prefix.Length..]));

    /// <summary>One dimension of a tensor of that rank.</summary>
    /// <exception cref="GlowException">There is no such tensor, or it has another rank.</exception>
    public int Dimension(string name, int axis, int rank)
    {
        TensorEntry tensor = Find(name, $"of {rank} dimensions");
        if (tensor.Shape.Length != rank || tensor.Shape.Any(static d => d is < 1 or > int.MaxValue))
            throw new GlowException($"{Path}: tensor '{tensor.Name}' is [{string.Join(",", tensor.Shape)}]; {rank} "
                + "dimensions of at least 1 are needed");
        return (int)tensor.Shape[axis];
    }

    /// <summary>All values of a tensor of that shape.</summary>
    /// <exception cref="GlowException">There is no such tensor, its shape or type is another, or a value is not
    /// finite.</exception>
    public double[] Read(string name, params int[] shape)
    {
        TensorEntry tensor = Find(name, $"[{string.Join(",", shape)}]");
        if (!tensor.HasShape(shape))
            throw new GlowException(
                $"{Path}: tensor '{tensor.Name}' is [{string.Join(",", tensor.Shape)}]; [{string.Join(",", shape)}] "
                    + "is needed");
        if (tensor.Type is not (TensorType.F64 or TensorType.F32 or TensorType.F16 or TensorType.BF16))
            throw new GlowException(
                $"{Path}: tensor '{tensor.Name}' is {tensor.Type}; a floating-point type is needed");
        used.Add(tensor.Name);
        double[] values = reader.ReadDoubles(tensor.Name);
        int bad = Array.FindIndex(values, static v => !double.IsFinite(v));
        if (bad >= 0)
            throw new GlowException($"{Path}: tensor '{tensor.Name}' holds "
                + $"{values[bad].ToString(CultureInfo.InvariantCulture)}; every value must be finite");
        return values;
    }

    /// <summary>A buffer that the program never trains, which must have the one value it is built with.</summary>
    /// <exception cref="GlowException">As <see cref="Read"/>, or a value is another.</exception>
    public void ReadFixed(string name, Func<int, double> expected, string what, params int[] shape)
    {
        double[] values = Read(name, shape);
        for (int i = 0; i < values.Length; i++)
            if (values[i] != expected(i))
                throw new GlowException($"{Path}: tensor '{prefix}{name}' is not {what}, as {program} builds it");
    }

    /// <summary>A single number of any type, as true or false.</summary>
    /// <exception cref="GlowException">There is no such tensor, or it holds several values.</exception>
    public bool ReadFlag(string name)
    {
        TensorEntry tensor = Find(name, "[]");
        if (tensor.Count != 1)
            throw new GlowException(
                $"{Path}: tensor '{tensor.Name}' is [{string.Join(",", tensor.Shape)}]; a single value is needed");
        used.Add(tensor.Name);
        return reader.ReadDoubles(tensor.Name)[0] != 0;
    }

    /// <summary>Call after everything was read.</summary>
    /// <exception cref="GlowException">There is a tensor that nobody asked for.</exception>
    public void CheckNothingLeft(GlowConfig config)
    {
        if (reader.Tensors.FirstOrDefault(t => !used.Contains(t.Name)) is { } extra)
            throw new GlowException(
                $"{Path}: holds a tensor '{extra.Name}' that {program} with {config.Levels} levels of "
                    + $"{config.Depth} steps does not have");
    }

    /// <summary>The name with the prefix of this file, for messages.</summary>
    public string FullName(string name) => prefix + name;

    /// <inheritdoc/>
    public void Dispose() => reader.Dispose();

    private TensorEntry Find(string name, string shape) => reader.Find(prefix + name)
        ?? throw new GlowException(
        $"{Path}: lacks the tensor '{prefix}{name}' {shape} that a state dict of {program} has");
}
