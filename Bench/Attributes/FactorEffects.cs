using System.Globalization;
using GlowGpu.Bench.Report;
using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Attributes;
using GlowGpu.Model.Data;
using GlowGpu.Model.Sampling;
using GlowGpu.Model.Training;

namespace GlowGpu.Bench.Attributes;

/// <summary>
/// Moves demo images along attributes and estimates from the pixels how far every factor went: the one that was
/// meant, and the others.
/// </summary>
public static class FactorEffects
{
    private const ulong ControlSeed = 7;

    /// <summary>Prints the table; returns the exit code.</summary>
    /// <param name="model">run folder or checkpoint of a model of the demo set</param>
    /// <param name="file">attributes fitted on it with <c>--labels factors</c></param>
    /// <param name="alpha">images go from −α to α</param>
    /// <param name="count">test images</param>
    public static int Print(string model, string file, double alpha, int count)
    {
        using Device device = BenchDevice.Open();
        using FlowModel glow = ModelFile.Load(model, device);
        AttributeDirections attributes = AttributeDirections.Load(file);
        attributes.CheckModel(glow, file, model);
        IImageSource images = DataSets.Limit(DataSets.Open("demo", new DataOptions(ImageSize: glow.Config.Height))
            .Test!, count);
        Latents latents = Evaluator.Encode(glow, images, Dequantization.Center, 0, 32).Latents;
        double[] spreads = Spreads(images);
        MarkdownTable table = new(["moved along", "images kept", .. DemoEstimate.Names.Select(static n => "Δ " + n),
            "target ÷ mean of others", "target ÷ largest other"]);
        AttributeDirection[] moved = [.. DemoEstimate.Names.Select(name => attributes.Get(name, file))];
        foreach (AttributeDirection attribute in moved) Row(attribute,
            DemoEstimate.Names.ToList().IndexOf(attribute.Name));
        Row(Control(glow.Config, moved.Average(static a => a.Norm)), -1);
        Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{images.Count} images of {images.Name} #{images.Hash}, from −{alpha} to {alpha}; every Δ is the mean "
                + $"of |change| in standard deviations of that factor over the images.\n"));
        Console.Out.WriteLine(table);
        return 0;

        void Row(AttributeDirection attribute, int target)
        {
            (double[] changes, int kept) = Changes(glow, images.Count, latents, attribute, alpha, spreads);
            double[] others = [.. changes.Where((_, f) => f != target)];
            bool meant = target >= 0;
            table.Add([attribute.Name, kept, .. changes.Cast<object>(), meant ? changes[target] / others.Average()
                : double.NaN, meant ? changes[target] / others.Max() : double.NaN]);
        }
    }

    // Standard deviation of every factor over the images, of angles that of the uniform distribution that they have.
    private static double[] Spreads(IImageSource images)
    {
        byte[] pixels = new byte[images.Height * images.Width * 3];
        List<double[]> all = [];
        for (int i = 0; i < images.Count; i++)
        {
            images.Read(i, pixels);
            if (DemoEstimate.Of(pixels, images.Height) is { } estimate) all.Add(estimate.Values);
        }
        return
        [
            .. DemoEstimate.Names.Select((_, f) => DemoEstimate.IsTurn(f) ? 1 / Math.Sqrt(12)
                : Math.Sqrt(all.Average(v => v[f] * v[f]) - Math.Pow(all.Average(v => v[f]), 2))),
        ];
    }

    // Images whose ends cannot be read (no solid to be seen) or that the model cannot decode are left out and counted.
    private static (double[] Changes, int Kept) Changes(
        FlowModel glow, int count, Latents latents, AttributeDirection attribute, double alpha, double[] spreads)
    {
        double[] sums = new double[spreads.Length];
        int kept = 0;
        for (int i = 0; i < count; i++)
        {
            float[] x = glow.Decode(AttributeEdit.Move(latents, i, attribute, [-alpha, alpha]), null);
            if (x.Any(static v => !(Math.Abs(v) < 1))) continue;
            byte[] ends = Glow.ToBytes(x, glow.Config.NBits);
            int half = ends.Length / 2;
            if (DemoEstimate.Of(ends.AsSpan(0, half), glow.Config.Height) is not { } from
                || DemoEstimate.Of(ends.AsSpan(half), glow.Config.Height) is not { } to) continue;
            kept++;
            for (int f = 0; f < sums.Length; f++) sums[f] += Math.Abs(DemoEstimate.Difference(f, from.Values[f],
                to.Values[f])) / spreads[f];
        }
        return (Array.ConvertAll(sums, s => s / kept), kept);
    }

    // A direction without a meaning, as long as those that have one: what any push of that length does.
    private static AttributeDirection Control(FlowConfig config, double norm)
    {
        Latents drawn = Sampler.Draw(config, 1, 1, ControlSeed);
        double length = Math.Sqrt(drawn.Eps.Sum(static level => level.Sum(static v => (double)v * v)));
        return new AttributeDirection("random direction", 0, 0, 0,
            [.. drawn.Eps.Select(level => Array.ConvertAll(level, v => (float)(v * norm / length)))]);
    }
}
