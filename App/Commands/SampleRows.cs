using System.Globalization;
using GlowGpu.App.Console;
using GlowGpu.Model;
using GlowGpu.Model.Sampling;

namespace GlowGpu.App.Commands;

/// <summary>
/// What the images of one row of samples have in common; the noise of image i is that of image i in every other row.
/// </summary>
/// <param name="Temperature">of all levels</param>
/// <param name="Class">the class, or null: in turn, or unconditional</param>
internal sealed record SampleRow(double Temperature, int? Class);

/// <summary>Rows of samples drawn with the same noise.</summary>
/// <param name="Images">bytes <c>[R·N,H,W,C]</c></param>
/// <param name="LogLikelihoods">nats of each, or null when not asked for</param>
/// <param name="Statistics">what they are like</param>
internal sealed record SampleRows(byte[] Images, double[]? LogLikelihoods, SampleStatistics Statistics)
{
    /// <summary>Temperatures of the rows of the published figure 8.</summary>
    public static double[] Published { get; } = [0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 1];

    /// <summary>Draws <paramref name="each"/> images a row.</summary>
    public static SampleRows Draw(FlowModel model, IReadOnlyList<SampleRow> rows, int each, ulong seed,
        bool encode, Terminal terminal)
    {
        FlowConfig config = model.Config;
        int total = rows.Count * each;
        Progress progress = new(terminal, "sampled", total);
        byte[] images = new byte[(long)total * config.Dimensions];
        double[]? nats = encode ? new double[total] : null;
        SampleStatistics statistics = new(config);
        for (int row = 0; row < rows.Count; row++)
        {
            int done = row * each;
            Latents drawn = Sampler.Draw(config, each, rows[row].Temperature, seed);
            (byte[] part, double[]? likelihoods) = Sampler.DecodeChecked(model, drawn,
                Sampler.Labels(config, each, rows[row].Class), statistics, encode,
                n => progress.Report(done + n), terminal.Stop);
            part.CopyTo(images, (long)done * config.Dimensions);
            likelihoods?.CopyTo(nats!, done);
        }
        return new SampleRows(images, nats, statistics);
    }

    /// <summary>bits/dim of each image, or null.</summary>
    public double[]? BitsPerDim(FlowConfig config) =>
        LogLikelihoods is null ? null : Array.ConvertAll(LogLikelihoods,
            nats => -nats / (config.Dimensions * Math.Log(2)));

    /// <summary>A line for each image: temperature, class, log p(x) in nats, bits/dim.</summary>
    public void WriteCsv(TextWriter target, FlowConfig config, IReadOnlyList<SampleRow> rows)
    {
        double[] bits = BitsPerDim(config)!;
        int each = bits.Length / rows.Count;
        target.WriteLine("image,temperature,class,log_prob_nats,bits_per_dim");
        for (int i = 0; i < bits.Length; i++)
        {
            SampleRow row = rows[i / each];
            string label = config.Classes == 0 ? "" : (row.Class ?? i % each % config.Classes)
                .ToString(CultureInfo.InvariantCulture);
            target.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{i},{row.Temperature},{label},{LogLikelihoods![i]:R},{bits[i]:R}"));
        }
    }

    /// <summary>The statistics for people.</summary>
    public void PrintStatistics(TextWriter target)
    {
        target.WriteLine($"max|x| {Readable.Short(Statistics.MaxX)}, "
            + $"{Readable.Short(100 * Statistics.OutsideFraction)} % of the values outside [-0.5, 0.5]");
        for (int l = 0; l < Statistics.MaxZ.Length; l++)
            target.WriteLine($"level {l}: max|x| {Readable.Short(Statistics.MaxVariables[l])}, max|z| "
                + $"{Readable.Short(Statistics.MaxZ[l])}, max|encode(decode(z)) − z| "
                + $"{Readable.Short(Statistics.InverseErrors[l])}");
    }
}
