using GlowGpu.Kernels;

namespace GlowGpu.Engine;

/// <summary>A tensor of the flat buffer: a name, a shape and a place there.</summary>
/// <param name="Name">as in the checkpoint</param>
/// <param name="Shape">dimensions</param>
/// <param name="Offset">of its first element</param>
/// <param name="Count">elements</param>
/// <param name="IsStatistic">
/// true when it is measured, not trained: its gradient stays 0, so that no optimizer moves it, while checkpoints and
/// the Polyak average take it along with the weights it belongs to
/// </param>
public sealed record Parameter(string Name, int[] Shape, long Offset, int Count, bool IsStatistic = false);

/// <summary>
/// All trainable parameters and running statistics of a model in one flat device buffer, and their gradients in a
/// second of the same layout, so that the optimizer is one pass. Tensors start at multiples of 16 elements; the gaps
/// stay zero.
/// </summary>
public sealed class ParameterSet : IDisposable
{
    private const int Alignment = 16;
    private readonly Dictionary<string, Parameter> byName;
    private readonly IBuffer values;
    private readonly IBuffer gradients;

    /// <summary>
    /// Lays out the parameters in the order given; <paramref name="isStatistic"/> says which names are measured.
    /// </summary>
    public ParameterSet(IBackend backend, IEnumerable<(string Name, int[] Shape)> layout,
        Predicate<string>? isStatistic = null)
    {
        List<Parameter> list = [];
        long offset = 0;
        foreach ((string name, int[] shape) in layout)
        {
            int count = checked((int)shape.Aggregate(1L, static (a, b) => a * b));
            list.Add(new Parameter(name, shape, offset, count, isStatistic?.Invoke(name) ?? false));
            offset += (count + Alignment - 1) / Alignment * Alignment;
        }
        All = list;
        byName = list.ToDictionary(static p => p.Name);
        Length = checked((int)offset);
        values = backend.Allocate(offset);
        gradients = backend.Allocate(offset);
    }

    /// <summary>Every parameter, in layout order.</summary>
    public IReadOnlyList<Parameter> All { get; }

    /// <summary>Elements of the flat buffers, gaps included.</summary>
    public int Length { get; }

    /// <summary>Number of trainable values; gaps and statistics excluded.</summary>
    public long Count => All.Where(static p => !p.IsStatistic).Sum(static p => (long)p.Count);

    /// <summary>
    /// Rises whenever values change, so that what is derived from them (packed weights, inverses) knows.
    /// </summary>
    public long Version { get; private set; }

    /// <summary>All values <c>[1, Length]</c>.</summary>
    public View Values => View.Dense(values, 0, 1, Length);

    /// <summary>All gradients <c>[1, Length]</c>.</summary>
    public View Gradients => View.Dense(gradients, 0, 1, Length);

    /// <summary>The parameter of that name, or null.</summary>
    public Parameter? Find(string name) => byName.GetValueOrDefault(name);

    /// <summary>Values of one parameter as a single row.</summary>
    public View Value(string name) => Of(values, name);

    /// <summary>Gradient of one parameter as a single row.</summary>
    public View Gradient(string name) => Of(gradients, name);

    /// <summary>Call after writing to <see cref="Values"/> by any way.</summary>
    public void Touch() => Version++;

    /// <inheritdoc/>
    public void Dispose()
    {
        values.Dispose();
        gradients.Dispose();
    }

    private View Of(IBuffer buffer, string name)
    {
        Parameter p = byName.TryGetValue(name, out Parameter? found)
            ? found
            : throw new ArgumentException($"parameters: there is no '{name}'");
        return View.Dense(buffer, p.Offset, 1, p.Count);
    }
}
