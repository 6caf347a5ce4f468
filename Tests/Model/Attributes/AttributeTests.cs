using GlowGpu.Engine;
using GlowGpu.Model;
using GlowGpu.Model.Attributes;
using GlowGpu.Model.Training;
using GlowGpu.Tests.Engine;
using GlowGpu.Tests.Model.Training;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Attributes;

/// <summary>Directions, edits and scores against arithmetic done here.</summary>
public sealed class AttributeTests
{
    private static readonly bool[] Truth = [true, true, false, true, false, false, false, true, false, true, false];

    private static readonly AttributeLabels Labels = new("test", ["p", "q"],
        [.. Enumerable.Range(0, Truth.Length).SelectMany(static i => new[] { Truth[i], i % 3 == 0 })]);

    private static readonly MemoryImages Images = new("stripes", Truth.Length, 8, 8, 1, seed: 3);

    [Test]
    public void A_direction_is_the_difference_of_the_mean_latents()
    {
        using Device device = TinyRun.Open();
        using Glow model = new(TinyRun.Config, device, 1);
        AttributeDirections fitted = AttributeFitter.Fit(model, Images, Labels, batch: 4);
        Latents all = Evaluator.Encode(model, Images, Dequantization.Center, 0, Truth.Length).Latents;
        AttributeDirection p = fitted.Get("p", "file");
        Assert.That((p.Positives, p.Negatives, fitted.Data, fitted.DataHash),
            Is.EqualTo((5, 6, Images.Name, Images.Hash)));
        double midpoint = 0;
        for (int l = 0; l < all.Eps.Length; l++)
        {
            int length = all.Eps[l].Length / Truth.Length;
            for (int i = 0; i < length; i++)
            {
                double with = Enumerable.Range(0, Truth.Length).Where(static n => Truth[n])
                    .Average(n => all.Eps[l][n * length + i]);
                double without = Enumerable.Range(0, Truth.Length).Where(static n => !Truth[n])
                    .Average(n => all.Eps[l][n * length + i]);
                Assert.That(p.Direction[l][i], Is.EqualTo(with - without).Within(1e-5));
                midpoint += (with - without) * (with + without) / 2;
            }
        }
        Assert.That(p.Midpoint, Is.EqualTo(midpoint).Within(1e-4));
        Assert.That(p.Norm, Is.EqualTo(Math.Sqrt(p.Direction.SelectMany(static d => d).Sum(static v => (double)v * v)))
            .Within(1e-9));
    }

    [Test]
    public void Files_come_back_and_know_their_model()
    {
        using TemporaryFolder folder = new();
        using Device device = TinyRun.Open();
        using Glow model = new(TinyRun.Config, device, 1), other = new(TinyRun.Config, device, 2);
        AttributeDirections fitted = AttributeFitter.Fit(model, Images, Labels, batch: 4);
        string path = folder.File("a.safetensors");
        fitted.Save(path);
        AttributeDirections back = AttributeDirections.Load(path);
        Assert.That((back.Fingerprint, back.Data, back.DataHash, back.All.Count),
            Is.EqualTo((fitted.Fingerprint, fitted.Data, fitted.DataHash, 2)));
        for (int a = 0; a < 2; a++)
        {
            Assert.That((back.All[a].Name, back.All[a].Positives, back.All[a].Negatives, back.All[a].Midpoint),
                Is.EqualTo((fitted.All[a].Name, fitted.All[a].Positives, fitted.All[a].Negatives,
                    fitted.All[a].Midpoint)));
            Assert.That(back.All[a].Direction, Is.EqualTo(fitted.All[a].Direction));
        }
        Assert.That(() => back.CheckModel(model, path, "m"), Throws.Nothing);
        Assert.That(() => back.CheckModel(other, path, "m"), Throws.TypeOf<GlowException>().With.Message.EqualTo(
            $"{path}: was fitted on a model with the weights {fitted.Fingerprint}, but those of m are "
                + $"{ModelFingerprint.Of(other)}; fit the attributes again on that model"));
        Assert.That(() => back.Get("r", "f"),
            Throws.TypeOf<GlowException>().With.Message.EqualTo("f: has no attribute 'r'; it has p, q"));
    }

    [Test]
    public void A_fingerprint_sees_every_weight_and_nothing_else()
    {
        using TemporaryFolder folder = new();
        using Device device = TinyRun.Open();
        using Glow model = new(TinyRun.Config, device, 1), same = new(TinyRun.Config, device, 1);
        string fingerprint = ModelFingerprint.Of(model);
        Assert.That(fingerprint, Does.Match("^[0-9a-f]{16}$"));
        Assert.That(ModelFingerprint.Of(same), Is.EqualTo(fingerprint));
        ModelFile.Save(model, folder.File("m.safetensors"), 7);
        using (FlowModel loaded = ModelFile.Load(folder.File("m.safetensors"), device)) Assert.That(
            ModelFingerprint.Of(loaded), Is.EqualTo(fingerprint));
        string last = model.Parameters.All[^1].Name;
        float[] values = model.Parameters.Value(last).ToArray();
        values[^1] += 1e-6f;
        model.Parameters.Value(last).Write(values);
        Assert.That(ModelFingerprint.Of(model), Is.Not.EqualTo(fingerprint));
    }

    [Test]
    public void An_edit_adds_multiples_of_the_direction_to_one_image()
    {
        Latents latents = new(2, [[1, 2, 3, 4], [5, 6]]);
        AttributeDirection direction = new("d", 1, 1, 0, [[10, 20], [30]]);
        Latents moved = AttributeEdit.Move(latents, 1, direction, [-1, 0, 0.5]);
        Assert.That(moved.Count, Is.EqualTo(3));
        Assert.That(moved.Eps[0], Is.EqualTo(new float[] { -7, -16, 3, 4, 8, 14 }));
        Assert.That(moved.Eps[1], Is.EqualTo(new float[] { -24, 6, 21 }));
        Assert.That(direction.Project(latents, 1), Is.EqualTo(10 * 3 + 20 * 4 + 30 * 6));
    }

    [Test]
    public void Scores_agree_with_counting([Values(1, 2, 3, 4)] int seed)
    {
        Random random = new(seed);
        // Few distinct values: many ties.
        double[] projections = [.. Enumerable.Range(0, 60).Select(_ => (double)random.Next(8))];
        bool[] truth = [.. projections.Select(p => random.NextDouble() * 8 < p)];
        AttributeScore score = AttributeScorer.Of("x", projections, truth, 3.5);
        double wins = 0;
        long pairs = 0;
        double best = 0;
        for (int i = 0; i < 60; i++)
            for (int j = 0; j < 60; j++)
                if (truth[i] && !truth[j])
                {
                    pairs++;
                    wins += projections[i] > projections[j] ? 1 : projections[i] == projections[j] ? 0.5 : 0;
                }
        for (double t = -0.5; t < 9; t++) best = Math.Max(best, Accuracy(t));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(score.Auc, Is.EqualTo(wins / pairs).Within(1e-12));
            Assert.That(score.Accuracy, Is.EqualTo(Accuracy(3.5)).Within(1e-12));
            Assert.That(score.BestAccuracy, Is.EqualTo(best).Within(1e-12));
            Assert.That(score.Positives, Is.EqualTo(truth.Count(static t => t)));
            Assert.That(score.MajorityRate, Is.EqualTo(Math.Max(score.Positives, score.Negatives) / 60.0));
        }

        double Accuracy(double threshold) => projections.Zip(truth).Count(p => p.First > threshold == p.Second) / 60.0;
    }

    [Test]
    public void Scoring_a_set_projects_every_image_on_the_direction()
    {
        using Device device = TinyRun.Open();
        using Glow model = new(TinyRun.Config, device, 1);
        AttributeDirections fitted = AttributeFitter.Fit(model, Images, Labels, batch: 4);
        AttributeScore[] scores = AttributeScorer.Score(model, fitted.All, Images, Labels, batch: 3);
        Latents all = Evaluator.Encode(model, Images, Dequantization.Center, 0, 11).Latents;
        double[] projections = [.. Enumerable.Range(0, Truth.Length).Select(i => fitted.All[0].Project(all, i))];
        Assert.That(scores[0], Is.EqualTo(AttributeScorer.Of("p", projections, Truth, fitted.All[0].Midpoint)));
        // The direction was fitted on these images: better than chance by far.
        Assert.That(scores[0].Auc, Is.GreaterThan(0.75));
    }
}
