using System.Text.Json;
using GlowGpu.Model.Training;
using GlowGpu.Tests.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Training;

/// <summary>The weight of the class term rises from 0.</summary>
public sealed class ClassRampTests
{
    // 22 images in batches of 4: five steps an epoch, the rest is left out of it.
    private static readonly MemoryImages Images = new("labelled", 22, 8, 8, 1, seed: 2, classes: 3);

    [TestCase(null, new[] { 0.2, 0.4, 0.6, 0.8, 1, 1 })]
    [TestCase(2L, new[] { 0.5, 1.0, 1, 1, 1, 1 })]
    [TestCase(0L, new[] { 1.0, 1, 1, 1, 1, 1 })]
    public void The_loss_counts_the_class_term_by_the_ramp(long? ramp, double[] shares)
    {
        using TemporaryFolder folder = new();
        // A rate of next to nothing: the classifier stays at zero, so the class term stays at log2(3) bits.
        TrainOptions options = TinyRun.Options with
        {
            ClassWeight = 0.5,
            ClassRamp = ramp,
            LearningRate = 1e-9,
            Steps = 6
        };
        TinyRun.Start(folder.File("run"), options: options, config: TinyRun.Config with { Classes = 3 },
            images: Images, validate: false);
        double[] terms =
        [
            .. File.ReadLines(folder.File("run/metrics.jsonl"))
            .Select(static line => JsonDocument.Parse(line).RootElement)
                .Select(static row => row.GetProperty("loss").GetDouble() - row.GetProperty("bits_per_dim")
                .GetDouble()),
        ];
        long epoch = 22 / 4;
        Assert.That(epoch, Is.EqualTo(5));
        Assert.That(terms, Is.EqualTo(shares.Select(static s => s * 0.5 * Math.Log2(3))).Within(1e-4));
    }
}
