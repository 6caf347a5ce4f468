using System.Globalization;
using System.Text;
using GlowGpu.App.Console;
using GlowGpu.Model.Training;

namespace GlowGpu.App.Commands;

/// <summary>One variant in numbers, over its seeds.</summary>
/// <param name="Permutation">of channels</param>
/// <param name="Coupling">kind</param>
/// <param name="BitsPerDim">training bits/dim: mean of the last tenth of the steps, mean over the seeds</param>
/// <param name="BitsPerDimDeviation">standard deviation of that over the seeds; null for one</param>
/// <param name="ValidationBitsPerDim">bits/dim of the validation set after the last step, mean over the seeds</param>
/// <param name="Seconds">training time, mean over the seeds</param>
/// <param name="Parameters">trainable values</param>
/// <param name="PerSeed">training bits/dim of every seed</param>
internal sealed record AblationRow(string Permutation, string Coupling, double BitsPerDim,
    double? BitsPerDimDeviation, double? ValidationBitsPerDim,
    double Seconds, long Parameters, double[] PerSeed);

/// <summary>What <c>glow ablate</c> found.</summary>
internal sealed record AblationReport(string Out, long Steps, ulong[] Seeds, string Data, string DataHash,
    string? ValidationData, string? ValidationDataHash, AblationRow[] Rows)
{
    /// <summary>Gathers runs by variant.</summary>
    public static AblationRow[] RowsOf(IReadOnlyList<AblationRun> runs) =>
    [
        .. runs.GroupBy(static r => r.Variant).Select(static group =>
        {
            double[] bits = [.. group.Select(static r => r.Metrics.LastTenth)];
            double mean = bits.Average();
            double? deviation = bits.Length < 2 ? null
                : Math.Sqrt(bits.Sum(b => (b - mean) * (b - mean)) / (bits.Length - 1));
            double[] held = [.. group.Where(static r => r.Metrics.Validations.Count > 0)
                .Select(static r => r.Metrics.Validations[^1].BitsPerDim)];
            return new AblationRow(group.Key.Permutation, group.Key.Coupling, mean, deviation,
                held.Length > 0 ? held.Average() : null,
                group.Average(static r => r.Metrics.Seconds), group.First().Parameters, bits);
        }),
    ];

    /// <summary>A table for people to read anywhere.</summary>
    /// <param name="settings">how the runs were made, in words</param>
    /// <param name="plot">file name of the plot</param>
    public string Markdown(string settings, string plot)
    {
        StringBuilder text = new($"# Permutations and couplings, {Readable.Count(Steps)} steps\n\n");
        text.Append(CultureInfo.InvariantCulture, $"{settings}\n\nTraining set {Data} #{DataHash}");
        text.Append(ValidationData is null ? ", no validation. "
            : $", validation set {ValidationData} #{ValidationDataHash}. ");
        text.Append(CultureInfo.InvariantCulture, $"Seeds {string.Join(", $", Seeds)}: a variant starts from the "
            + $"same seed and sees the same images in the same order as every other. ");
        text.Append("Training bits/dim is the mean of the last tenth of the steps").Append(Seeds.Length > 1
            ? " (± standard deviation over the seeds)" : "");
        text.Append("; seconds are those of the steps alone.\n\n| permutation | coupling | training bits/dim | "
            + $"validation bits/dim | seconds | parameters |\n| --- | --- | ---: | ---: | ---: | ---: |\n");
        foreach (AblationRow row in Rows)
        {
            string spread = row.BitsPerDimDeviation is double d ? $" ± {Readable.Bits(d)}" : "";
            string held = row.ValidationBitsPerDim is double v ? Readable.Bits(v) : "–";
            text.Append(CultureInfo.InvariantCulture,
                $"| {row.Permutation} | {row.Coupling} | {Readable.Bits(row.BitsPerDim)}{spread} | {held} | "
                    + $"{row.Seconds:0.0} | {Readable.Count(row.Parameters)} |\n");
        }
        text.Append(CultureInfo.InvariantCulture, $"\n![curves]({plot})\n");
        return text.ToString();
    }
}
