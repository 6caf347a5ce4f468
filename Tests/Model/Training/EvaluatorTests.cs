using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Data;
using GlowGpu.Model.Training;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Training;

public sealed class EvaluatorTests
{
    private Device device = null!;
    private Glow model = null!;

    [SetUp]
    public void Begin()
    {
        device = TinyRun.Open();
        model = new Glow(TinyRun.Config, device, seed: 1);
        float[] bytes = new float[8 * 64];
        Random random = new(1);
        for (int i = 0; i < bytes.Length; i++) bytes[i] = random.Next(256);
        model.Initialize(new Batch(8, bytes, null), Noise.Center);
    }

    [TearDown]
    public void End()
    {
        model.Dispose();
        device.Dispose();
    }

    [Test]
    public void An_images_likelihood_depends_on_seed_and_place_and_not_on_the_batch_size()
    {
        Evaluation one = Evaluator.Run(model, TinyRun.Images, Dequantization.Uniform, 3, batch: 1);
        Evaluation five = Evaluator.Run(model, TinyRun.Images, Dequantization.Uniform, 3, batch: 5);
        Evaluation all = Evaluator.Run(model, TinyRun.Images, Dequantization.Uniform, 3, batch: 1000);
        Evaluation other = Evaluator.Run(model, TinyRun.Images, Dequantization.Uniform, 4, batch: 5);
        Assert.Multiple(() =>
        {
            Assert.That(five.LogLikelihoods, Is.EqualTo(one.LogLikelihoods));
            Assert.That(all.LogLikelihoods, Is.EqualTo(one.LogLikelihoods));
            Assert.That(other.LogLikelihoods, Is.Not.EqualTo(one.LogLikelihoods));
            Assert.That(one.LogLikelihoods, Has.Length.EqualTo(22));
            Assert.That(one.BitsPerDim, Is.EqualTo(-one.LogLikelihoods.Average() / (64 * Math.Log(2))).Within(1e-12));
            Assert.That((one.Data, one.DataHash, one.ClassErrors),
                Is.EqualTo(("stripes/train", "000000000001", (double?)null)));
        });
    }

    [Test]
    public void Every_image_is_scored_once_the_last_batch_at_its_own_size()
    {
        List<int> done = [];
        Evaluation evaluation = Evaluator.Run(model, TinyRun.Images, Dequantization.Center, 0, batch: 8, done.Add);
        Assert.That(done, Is.EqualTo(new[] { 8, 16, 22 }));
        byte[] pixels = new byte[64];
        TinyRun.Images.Read(21, pixels);
        BatchResult last = model.Evaluate(new Batch(1, [.. pixels.Select(static p => (float)p)], null), Noise.Center);
        Assert.That(evaluation.LogLikelihoods[21], Is.EqualTo(last.LogLikelihoods[0]));
    }

    [Test]
    public void The_latents_are_those_of_every_image_and_lead_back_to_it()
    {
        (Latents latents, Evaluation evaluation) = Evaluator.Encode(model, TinyRun.Images, Dequantization.Center, 0,
            batch: 8);
        Assert.That(evaluation.LogLikelihoods,
            Is.EqualTo(Evaluator.Run(model, TinyRun.Images, Dequantization.Center, 0, 8).LogLikelihoods));
        byte[] images = GlowGpu.Model.Sampling.Sampler.Decode(model, latents, null);
        byte[] pixels = new byte[64];
        for (int i = 0; i < TinyRun.Images.Count; i++)
        {
            TinyRun.Images.Read(i, pixels);
            Assert.That(images.AsSpan(i * 64, 64).SequenceEqual(pixels), $"image {i}");
        }
    }

    [Test]
    public void A_stop_is_heard_between_batches()
    {
        using CancellationTokenSource stop = new();
        List<int> done = [];
        Assert.Throws<OperationCanceledException>(() => Evaluator.Run(model, TinyRun.Images, Dequantization.Center, 0,
            batch: 4, n =>
        {
            done.Add(n);
            stop.Cancel();
        }, stop.Token));
        Assert.That(done, Is.EqualTo(new[] { 4 }));
    }

    [Test]
    public void An_image_that_cannot_be_read_is_its_one_sentence()
    {
        HookedImages broken = new(TinyRun.Images, static () => throw new GlowException("a.png: is cut off"));
        Assert.That(() => Evaluator.Run(model, broken, Dequantization.Center, 0, batch: 4),
            Throws.TypeOf<GlowException>().With.Message.EqualTo("a.png: is cut off"));
    }

    [Test]
    public void Images_of_another_size_are_one_sentence()
    {
        IImageSource wide = new MemoryImages("wide", 3, 8, 16, 3, seed: 1);
        Assert.That(() => Evaluator.Run(model, wide, Dequantization.Center, 0, batch: 4),
            Throws.TypeOf<GlowException>().With.Message.EqualTo("wide: its images are 8×16×3; the model takes 8×8×1"));
    }
}
