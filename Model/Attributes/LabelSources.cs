using GlowGpu.Engine;
using GlowGpu.Model.Data;

namespace GlowGpu.Model.Attributes;

/// <summary>Opens whatever <c>--labels</c> names.</summary>
public static class LabelSources
{
    private const string Factors = "factors", Folder = "folder";

    /// <summary>
    /// <paramref name="labels"/>: <c>factors</c> (the demo set's own), <c>folder</c> (each class of the images
    /// against the rest), or a file: CSV, or CelebA's <c>list_attr_celeba.txt</c>, told by its first line.
    /// </summary>
    /// <exception cref="GlowException">The labels cannot be read or do not cover the images; one sentence.</exception>
    public static AttributeLabels Open(string labels, IImageSource data) => labels switch
    {
        Factors => OfFactors(data),
        Folder => OfClasses(data),
        _ => LabelFile.Read(labels, data),
    };

    /// <summary>
    /// Every continuous factor above its median in the set against the rest; every shape and texture against the
    /// others. Hues are turns: the upper half is from green-cyan over blue to red.
    /// </summary>
    /// <exception cref="GlowException">The images were not made from known factors.</exception>
    public static AttributeLabels OfFactors(IImageSource data)
    {
        DemoFactors[] factors = new DemoFactors[data.Count];
        for (int i = 0; i < factors.Length; i++)
        {
            (IImageSource source, int index) = Subset.Origin(data, i);
            factors[i] = source is IFactorSource known ? known.Factors(index)
                : throw new GlowException(
                $"{data.Name}: its images have no known factors; --labels factors goes with --data demo");
        }
        List<(string Name, Func<int, bool> Has)> attributes =
        [
            Above("hue", static f => f.Hue), Above("size", static f => f.Size), Above("x", static f => f.X),
                Above("y", static f => f.Y),
            Above("rotation", static f => f.Rotation), Above("light", static f => f.Light),
                Above("ground", static f => f.Ground),
        ];
        foreach (DemoShape shape in Enum.GetValues<DemoShape>()) attributes.Add((shape.ToString().ToLowerInvariant(),
            i => factors[i].Shape == shape));
        foreach (DemoTexture texture in Enum.GetValues<DemoTexture>()) attributes.Add(
            (texture.ToString().ToLowerInvariant(), i => factors[i].Texture == texture));
        return Gather(Factors, data.Count, attributes);

        (string, Func<int, bool>) Above(string name, Func<DemoFactors, float> factor)
        {
            double median = Median([.. factors.Select(factor)]);
            return (name, i => factor(factors[i]) > median);
        }
    }

    private static AttributeLabels OfClasses(IImageSource data)
    {
        if (data.Classes.Count == 0)
            throw new GlowException($"{data.Name}: its images have no classes; --labels folder needs class "
                + "sub-folders or labelled images");
        return Gather(Folder, data.Count,
            [.. data.Classes.Select((name, k) => (name, (Func<int, bool>)(i => data.Label(i) == k)))]);
    }

    private static AttributeLabels Gather(string origin, int count, List<(string Name, Func<int, bool> Has)> attributes)
    {
        bool[] values = new bool[count * attributes.Count];
        for (int i = 0; i < count; i++)
            for (int a = 0; a < attributes.Count; a++) values[i * attributes.Count + a] = attributes[a].Has(i);
        return new AttributeLabels(origin, [.. attributes.Select(static a => a.Name)], values);
    }

    private static double Median(float[] values)
    {
        Array.Sort(values);
        int half = values.Length / 2;
        return values.Length % 2 == 1 ? values[half] : (values[half - 1] + (double)values[half]) / 2;
    }
}
