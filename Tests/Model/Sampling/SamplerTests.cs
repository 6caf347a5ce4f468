using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Sampling;
using GlowGpu.Tests.Model.Training;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Sampling;

public sealed class SamplerTests
{
    private static GlowConfig Config => TinyRun.Config;

    [Test]
    public void An_image_depends_on_seed_and_number_and_not_on_the_count()
    {
        Latents five = Sampler.Draw(Config, 5, 0.7, 3), two = Sampler.Draw(Config, 2, 0.7, 3),
            other = Sampler.Draw(Config, 2, 0.7, 4);
        for (int l = 0; l < Config.Levels; l++)
        {
            Assert.That(two.Eps[l], Is.EqualTo(five.Eps[l].Take(two.Eps[l].Length)));
            Assert.That(two.Eps[l], Is.Not.EqualTo(other.Eps[l]));
        }
    }

    [Test]
    public void The_levels_of_an_image_follow_one_another_in_its_part_of_the_stream()
    {
        GlowConfig config = new() { ImageSize = [16, 32], Channels = 3, Levels = 3, Depth = 1, Width = 4 };
        Latents latents = Sampler.Draw(config, 3, 0.5, 9);
        for (int image = 0; image < 3; image++)
        {
            float[] stream = new float[config.Dimensions];
            new CounterRandom(CounterRandom.DeriveKey(9, "sample"),
                (ulong)image * CounterRandom.NormalBlocks(stream.Length)).Normal(stream, 0.5);
            IEnumerable<float> levels = latents.Eps.SelectMany(level => level.Skip(image * level.Length / 3)
                .Take(level.Length / 3));
            Assert.That(levels, Is.EqualTo(stream), $"image {image}");
        }
    }

    [Test]
    public void Latents_have_the_temperature_as_deviation_and_the_shapes_of_the_levels()
    {
        GlowConfig config = new() { ImageSize = [16, 32], Channels = 3, Levels = 3, Depth = 1, Width = 4 };
        Latents latents = Sampler.Draw(config, 40, 0.5, 1);
        Assert.That(latents.Eps.Select(static e => e.Length / 40),
            Is.EqualTo(new[] { 8 * 16 * 6, 4 * 8 * 12, 2 * 4 * 48 }));
        double[] all = [.. latents.Eps.SelectMany(static e => e).Select(static v => (double)v)];
        // 61,440 draws: five standard errors of mean and variance.
        Assert.That(all.Average(), Is.EqualTo(0).Within(5 * 0.5 / Math.Sqrt(all.Length)));
        Assert.That(all.Average(static v => v * v), Is.EqualTo(0.25).Within(5 * 0.25 * Math.Sqrt(2.0 / all.Length)));
        Assert.That(Sampler.Draw(config, 2, 0, 1).Eps.SelectMany(static e => e), Is.All.Zero);
    }

    [Test]
    public void Decoding_in_pieces_changes_nothing()
    {
        // 12,288 values a piece of 64·32·32·3: 40 images of 64 × 128 × 3 take several.
        GlowConfig config = new() { ImageSize = [64, 128], Channels = 3, Levels = 1, Depth = 1, Width = 2 };
        using Device device = TinyRun.Open();
        using Glow model = new(config, device, 1);
        Latents latents = Sampler.Draw(config, 10, 1, 2);
        byte[] whole = Glow.ToBytes(model.Decode(latents, null), 8);
        List<int> done = [];
        Assert.That(Sampler.Decode(model, latents, null, done.Add).AsSpan().SequenceEqual(whole));
        Assert.That(done, Is.EqualTo(new[] { 8, 10 }));
    }

    [Test]
    public void Samples_are_the_decoded_draws()
    {
        using Device device = TinyRun.Open();
        using Glow model = new(Config, device, 1);
        byte[] expected = Glow.ToBytes(model.Decode(Sampler.Draw(Config, 3, 0.9, 8), null), 8);
        Assert.That(Sampler.Sample(model, 3, 0.9, 8), Is.EqualTo(expected));
    }

    [Test]
    public void Samples_of_several_pieces_are_the_decoded_draws()
    {
        GlowConfig config = new()
        {
            ImageSize = [64, 128],
            Channels = 3,
            Levels = 2,
            Depth = 1,
            Width = 2,
            Classes = 3
        };
        using Device device = TinyRun.Open();
        using Glow model = new(config, device, 1);
        byte[] expected = Sampler.Decode(model, Sampler.Draw(config, 19, 0.9, 8), Sampler.Labels(config, 19, null));
        Assert.That(Sampler.Sample(model, 19, 0.9, 8).AsSpan().SequenceEqual(expected));
    }

    [Test]
    public void Decoding_into_memory_of_another_length_is_refused()
    {
        using Device device = TinyRun.Open();
        using Glow model = new(Config, device, 1);
        Latents latents = Sampler.Draw(Config, 2, 1, 1);
        float[] x = new float[2 * Config.Dimensions];
        Assert.That(() => model.Decode(latents, null, x.AsSpan(1)),
            Throws.ArgumentException.With.Message.StartsWith(
                $"decode: 2 images of {Config.Dimensions} values do not fill {x.Length - 1}"));
        model.Decode(latents, null, x);
        Assert.That(x, Is.EqualTo(model.Decode(latents, null)));
    }

    [Test]
    public void Classes_come_in_turn_or_as_asked()
    {
        GlowConfig conditional = Config with { Classes = 3 };
        Assert.Multiple(() =>
        {
            Assert.That(Sampler.Labels(Config, 4, null), Is.Null);
            Assert.That(Sampler.Labels(conditional, 5, null), Is.EqualTo(new float[] { 0, 1, 2, 0, 1 }));
            Assert.That(Sampler.Labels(conditional, 2, 2), Is.EqualTo(new float[] { 2, 2 }));
            Assert.That(() => Sampler.Labels(conditional, 2, 3),
                Throws.TypeOf<GlowException>()
                    .With.Message.EqualTo("sample: there is no class 3; the model knows 0 to 2"));
            Assert.That(() => Sampler.Labels(Config, 2, 0),
                Throws.TypeOf<GlowException>().With.Message.EqualTo(
                    "sample: class 0 was asked for, but the model is unconditional; leave the class out"));
            Assert.That(() => Sampler.Draw(Config, 1, -0.1, 0),
                Throws.TypeOf<GlowException>()
                    .With.Message.EqualTo("sample: the temperature is -0.1; it must be 0 or more"));
        });
    }

    [Test]
    public void A_conditional_model_needs_labels_to_decode()
    {
        using Device device = TinyRun.Open();
        using Glow model = new(Config with { Classes = 3 }, device, 1);
        Latents latents = Sampler.Draw(model.Config, 2, 1, 1);
        Assert.That(() => Sampler.Decode(model, latents, null),
            Throws.TypeOf<GlowException>().With.Message.EqualTo(
                "decode: the model is conditional on 3 classes; a label for each image is needed"));
        Assert.That(Sampler.Decode(model, latents, [0, 2]), Has.Length.EqualTo(128));
    }
}
