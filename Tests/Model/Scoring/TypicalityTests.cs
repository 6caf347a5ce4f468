using GlowGpu.Engine;
using GlowGpu.Model.Scoring;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Scoring;

public sealed class TypicalityTests
{
    [Test]
    public void P_values_agree_with_counting()
    {
        Random random = new(1);
        double[] reference = [.. Enumerable.Range(0, 50).Select(_ => -100.0 - random.Next(20))];
        Typicality test = new(reference);
        double entropy = reference.Sum(static v => -v) / 50;
        Assert.That(test.Entropy, Is.EqualTo(entropy).Within(1e-12));
        for (double nats = -140; nats <= -80; nats += 0.5)
        {
            double distance = Math.Abs(-nats - entropy);
            int farther = reference.Count(v => Math.Abs(-v - entropy) >= distance);
            Assert.That(test.Distance(nats), Is.EqualTo(distance).Within(1e-12));
            Assert.That(test.PValue(nats), Is.EqualTo((1 + farther) / 51.0).Within(1e-12));
        }
    }

    [Test]
    public void Too_likely_is_as_atypical_as_too_unlikely()
    {
        Typicality test = new([-9, -10, -11, -10]);
        Assert.That(test.PValue(-10), Is.EqualTo(1));
        Assert.That(test.PValue(-5), Is.EqualTo(0.2));
        Assert.That(test.PValue(-15), Is.EqualTo(0.2));
        Assert.That(test.PValue(double.NaN), Is.EqualTo(0.2));
        Assert.That(test.PValue(double.NegativeInfinity), Is.EqualTo(0.2));
    }

    [Test]
    public void A_reference_is_a_distribution_of_finite_values()
    {
        Assert.That(() => new Typicality([-1]), Throws.TypeOf<GlowException>().With.Message.EqualTo(
            "typicality: 1 reference images make no distribution; at least 2 are needed"));
        Assert.That(() => new Typicality([-1, double.NaN]), Throws.TypeOf<GlowException>().With.Message.EqualTo(
            "typicality: the model gives a reference image no finite likelihood; a model that has not diverged is "
                + "needed"));
    }
}
