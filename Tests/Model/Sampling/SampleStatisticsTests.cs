using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Data;
using GlowGpu.Model.Sampling;
using GlowGpu.Tests.Model.Training;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Sampling;

public sealed class SampleStatisticsTests
{
    private static readonly MemoryImages Images = new("stripes", 5, 8, 8, 1, seed: 6);

    [Test]
    public void Log_probabilities_of_decoded_images_are_those_of_the_images()
    {
        using Device device = TinyRun.Open();
        using Glow model = new(TinyRun.Config, device, 1);
        Batch batch = OrderedBatches.Read(Images, 5, labels: false).Single().Batch;
        model.Initialize(batch, Noise.Center);
        double[] expected = model.Evaluate(batch, Noise.Center).LogLikelihoods;
        Latents latents = model.Encode(batch, Noise.Center).Latents;
        SampleStatistics statistics = new(TinyRun.Config);
        (byte[] images, double[]? nats) = Sampler.DecodeChecked(model, latents, null, statistics, encode: true);
        Assert.That(nats, Is.EqualTo(expected).Within(1e-3));
        Assert.That(images, Is.EqualTo(Array.ConvertAll(batch.Bytes[..320], static v => (byte)v)));
        using (Assert.EnterMultipleScope())
        {
            for (int l = 0; l < 2; l++)
            {
                Assert.That(statistics.MaxZ[l], Is.EqualTo(latents.Eps[l].Max(Math.Abs)));
                Assert.That(statistics.InverseErrors[l], Is.InRange(0, 1e-4));
            }
            // u = ½: the values of a byte b are (b + ½)/256 − ½.
            Assert.That(statistics.MaxX, Is.EqualTo(images.Max(static b => Math.Abs((b + 0.5) / 256 - 0.5)))
                .Within(1e-5));
            Assert.That(statistics.OutsideFraction, Is.Zero);
            Assert.That(statistics.Concern, Is.Null);
        }
    }

    [Test]
    public void Values_outside_the_range_are_counted_and_warned_of()
    {
        SampleStatistics some = new(TinyRun.Config);
        some.AddImages([.. Enumerable.Repeat(0.1f, 97), 0.5f, -0.6f, 0.7f]);
        Assert.That((some.OutsideFraction, some.Concern), Is.EqualTo((0.02, (string?)null)));
        Assert.That(some.MaxX, Is.EqualTo(0.7f));
        some.AddImages([0, 3]);
        Assert.That(some.Concern,
            Does.StartWith(
            "the images leave the range of the data, [-0.5, 0.5): max|x| is 3 and 2.94 % of the values are outside"));
        SampleStatistics broken = new(TinyRun.Config);
        broken.AddImages([0, float.PositiveInfinity, 0.2f]);
        Assert.That(broken.MaxX, Is.NaN);
        Assert.That(broken.Concern, Does.StartWith("some values of the images are not finite"));
    }
}
