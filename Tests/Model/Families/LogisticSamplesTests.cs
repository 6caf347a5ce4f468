using GlowGpu.Model;
using GlowGpu.Model.Sampling;
using GlowGpu.Tests.Checks;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Families;

/// <summary>Latents of a NICE with a logistic prior.</summary>
[TestFixture]
public sealed class LogisticSamplesTests
{
    private static readonly NiceConfig Config = new() { ImageSize = [8, 8], Width = 4, Hidden = 1 };

    [TestCase(1.0)]
    [TestCase(0.5)]
    public void LatentsAreLogisticTimesTheTemperature(double temperature)
    {
        float[] eps = Sampler.Draw(Config, 400, temperature, seed: 4).Eps[0];
        Tolerance.Close("deviation", Tolerance.Rms(eps.Wide()), temperature * Math.PI / Math.Sqrt(3), 0.02);
        // Quartiles of the standard logistic are ±ln 3, where a normal of this deviation has them at ±1.22.
        float[] sorted = [.. eps.Order()];
        Tolerance.Close("upper quartile", sorted[sorted.Length * 3 / 4], temperature * Math.Log(3), 0.02);
        Assert.That(eps, Is.All.Matches<float>(float.IsFinite));
    }

    [Test]
    public void AnImageDependsOnSeedAndPlaceAlone()
    {
        float[] three = Sampler.Draw(Config, 3, 1, seed: 4).Eps[0], five = Sampler.Draw(Config, 5, 1, seed: 4).Eps[0];
        Tolerance.SameBits("eps0", five.AsSpan(0, three.Length), three);
        Assert.That(Sampler.Draw(Config, 3, 1, seed: 5).Eps[0], Is.Not.EqualTo(three));
    }
}
