using GlowGpu.Engine;

namespace GlowGpu.Model.Attributes;

/// <summary>Which of several yes-or-no attributes each image of a set has.</summary>
public sealed class AttributeLabels
{
    private readonly bool[] values;

    /// <summary>Names <c>[A]</c> and values <c>[N,A]</c>, image after image.</summary>
    /// <exception cref="ArgumentException">The values do not fill whole images.</exception>
    /// <exception cref="GlowException">There is no attribute, or two have the same name.</exception>
    public AttributeLabels(string origin, IReadOnlyList<string> names, bool[] values)
    {
        if (names.Count == 0) throw new GlowException($"{origin}: names no attribute; at least one is needed");
        if (values.Length % names.Count != 0)
            throw new ArgumentException($"{values.Length} values do not fill images of {names.Count} attributes");
        string? twice = names.GroupBy(static n => n).FirstOrDefault(static g => g.Count() > 1)?.Key;
        if (twice is not null)
            throw new GlowException($"{origin}: has two attributes '{twice}'; every name must be there once");
        (Origin, Names, this.values) = (origin, names, values);
    }

    /// <summary>Where they come from, for messages.</summary>
    public string Origin { get; }

    /// <summary>Names of the attributes.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Number of images.</summary>
    public int Count => values.Length / Names.Count;

    /// <summary>Whether image <paramref name="image"/> has attribute <paramref name="attribute"/>.</summary>
    public bool Has(int image, int attribute) => values[image * Names.Count + attribute];

    /// <summary>Number of images that have an attribute.</summary>
    public int Positives(int attribute) => Enumerable.Range(0, Count).Count(i => Has(i, attribute));

    /// <summary>Index of an attribute.</summary>
    /// <exception cref="GlowException">There is no such attribute.</exception>
    public int IndexOf(string name)
    {
        int index = Names.ToList().IndexOf(name);
        return index >= 0 ? index
            : throw new GlowException($"{Origin}: has no attribute '{name}'; it has {Listed(Names)}");
    }

    /// <summary>Checks that each of the attributes divides the images in two classes.</summary>
    /// <exception cref="GlowException">One class of an attribute is empty.</exception>
    public void CheckBothClasses(IEnumerable<int> attributes)
    {
        foreach (int a in attributes)
        {
            int positives = Positives(a);
            if (positives == 0 || positives == Count)
                throw new GlowException($"{Origin}: {(positives == 0 ? "no" : "every")} image of {Count} has the "
                    + $"attribute '{Names[a]}'; images with and without it are needed");
        }
    }

    /// <summary>Names in a sentence; the first few of many.</summary>
    internal static string Listed(IReadOnlyList<string> names) =>
        string.Join(", ", names.Take(20)) + (names.Count > 20 ? $" and {names.Count - 20} more" : "");
}
