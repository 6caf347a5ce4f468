using System.Globalization;
using GlowGpu.Engine;

namespace GlowGpu.Model.Sampling;

/// <summary>What a latents file holds.</summary>
/// <param name="Latents">every level</param>
/// <param name="LogLikelihoods">nats per image, or null when the file has none</param>
/// <param name="Labels">class per image, or null when the file has none</param>
public sealed record StoredLatents(Latents Latents, double[]? LogLikelihoods, int[]? Labels);

/// <summary>
/// Latents as a safetensors file: <c>eps0 … eps{L−1}</c> <c>[N,h,w,c]</c>, and optionally <c>log_likelihood</c>
/// <c>[N]</c> and
/// <c>labels</c> <c>[N]</c>.
/// </summary>
public static class LatentsFile
{
    private const string LogLikelihood = "log_likelihood";
    private const string LabelsName = "labels";

    /// <summary>Writes the file in one step, the model's config and <paramref name="metadata"/> with it.</summary>
    /// <exception cref="GlowException">The file cannot be written.</exception>
    public static void Write(string path, FlowConfig config, StoredLatents stored,
        IReadOnlyDictionary<string, string>? metadata = null)
    {
        SafeTensorsWriter writer = new();
        foreach ((string key, string value) in metadata
            ?? new Dictionary<string, string>()) writer.Metadata[key] = value;
        writer.Metadata["config"] = config.ToJson();
        int n = stored.Latents.Count;
        for (int l = 0; l < config.Levels; l++)
        {
            (int h, int w, int c) = config.LatentShape(l);
            writer.Add(Name(l), [n, h, w, c], stored.Latents.Eps[l]);
        }
        if (stored.LogLikelihoods is not null) writer.Add(LogLikelihood, [n], stored.LogLikelihoods);
        if (stored.Labels is not null) writer.Add(LabelsName, [n], stored.Labels);
        writer.Save(path);
    }

    /// <summary>Reads a file for a model of that config.</summary>
    /// <exception cref="GlowException">A level is missing, of another shape, or not finite; the sentence says
    /// which.</exception>
    public static StoredLatents Read(string path, FlowConfig config)
    {
        using SafeTensorsReader reader = SafeTensorsReader.Open(path);
        long count = -1;
        float[][] eps = new float[config.Levels][];
        for (int l = 0; l < eps.Length; l++)
        {
            (int h, int w, int c) = config.LatentShape(l);
            string n = count < 0 ? "N" : count.ToString(CultureInfo.InvariantCulture);
            TensorEntry tensor = reader.Find(Name(l))
                ?? throw new GlowException(
                $"{path}: lacks the tensor '{Name(l)}' [{n},{h},{w},{c}]; the model has {config.Levels} levels");
            if (tensor.Shape is not [var images, var th, var tw, var tc] || (th, tw, tc) != (h, w, c)
                || images is < 1 or > int.MaxValue || (count >= 0 && images != count))
                throw new GlowException($"{path}: tensor '{Name(l)}' is [{string.Join(",", tensor.Shape)}]; the "
                    + $"model takes [{n},{h},{w},{c}]");
            count = images;
            eps[l] = reader.ReadFloats(Name(l));
            int wrong = Array.FindIndex(eps[l], static v => !float.IsFinite(v));
            if (wrong >= 0) throw new GlowException($"{path}: tensor '{Name(l)}' holds {eps[l][wrong]} (image "
                + $"{wrong / (h * w * c)}); latents must be finite");
        }
        if (reader.Find(Name(config.Levels)) is not null)
            throw new GlowException(
                $"{path}: holds a tensor '{Name(config.Levels)}'; the model has only {config.Levels} levels");
        return new StoredLatents(new Latents((int)count, eps),
            Has(LogLikelihood) ? reader.ReadDoubles(LogLikelihood) : null,
            Has(LabelsName) ? reader.ReadInts(LabelsName) : null);

        bool Has(string name)
        {
            TensorEntry? tensor = reader.Find(name);
            if (tensor is not null && !tensor.HasShape([(int)count]))
                throw new GlowException($"{path}: tensor '{name}' is [{string.Join(",", tensor.Shape)}]; one value "
                    + $"for each of {count} images is needed");
            return tensor is not null;
        }
    }

    private static string Name(int level) => string.Create(CultureInfo.InvariantCulture, $"eps{level}");
}
