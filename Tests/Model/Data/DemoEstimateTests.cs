using GlowGpu.Model.Data;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Data;

/// <summary>Factors read from pixels against the factors that the images were rendered from.</summary>
public sealed class DemoEstimateTests
{
    private const int Size = 32, Count = 300;

    private readonly (DemoFactors Truth, DemoEstimate Seen)[] all = [.. Images()];

    [Test]
    public void Every_solid_is_seen() => Assert.That(all, Has.Length.EqualTo(Count));

    [Test]
    public void Hues_are_found()
    {
        Assert.That(Quantile(static a => Math.Abs(DemoEstimate.Difference(0, a.Truth.Hue, a.Seen.Hue)), 0.9),
            Is.LessThan(0.03));
        Assert.That(Quantile(static a => Math.Abs(DemoEstimate.Difference(5, a.Truth.Ground, a.Seen.Ground)), 0.9),
            Is.LessThan(0.03));
    }

    [Test]
    public void Places_are_found()
    {
        Assert.That(Quantile(static a => Math.Abs(a.Truth.X - a.Seen.X), 0.9), Is.LessThan(0.05));
        // A cone's middle is not its centre of area.
        Assert.That(Quantile(static a => a.Truth.Shape == DemoShape.Cone ? 0 : Math.Abs(a.Truth.Y - a.Seen.Y), 0.9),
            Is.LessThan(0.05));
    }

    [TestCase(DemoShape.Sphere, 0.83)]
    [TestCase(DemoShape.Cylinder, 0.9)]
    [TestCase(DemoShape.Cone, 0.87)]
    public void Sizes_and_light_follow_the_truth(DemoShape shape, double least)
    {
        (DemoFactors Truth, DemoEstimate Seen)[] some = [.. all.Where(a => a.Truth.Shape == shape)];
        Assert.That(Correlation(some, static a => a.Truth.Size, static a => Math.Sqrt(a.Seen.Area)),
            Is.GreaterThan(least));
        Assert.That(Correlation(some, static a => a.Truth.Light, static a => a.Seen.Light), Is.GreaterThan(0.8));
    }

    [TestCase(0.9, 0.1, 0.2)]
    [TestCase(0.1, 0.9, -0.2)]
    [TestCase(0.2, 0.7, 0.5)]
    public void Angles_go_the_shorter_way(double a, double b, double expected) =>
        Assert.That(DemoEstimate.Difference(0, a, b), Is.EqualTo(expected).Within(1e-12));

    [Test]
    public void Bare_ground_shows_no_solid() =>
        Assert.That(DemoEstimate.Of(Enumerable.Repeat((byte)200, Size * Size * 3).ToArray(), Size), Is.Null);

    private static IEnumerable<(DemoFactors, DemoEstimate)> Images()
    {
        DemoSet set = DemoSet.Create(Size).Test;
        byte[] pixels = new byte[Size * Size * 3];
        for (int i = 0; i < Count; i++)
        {
            set.Read(i, pixels);
            // As a model of five bits sees and paints them.
            byte[] coarse = Array.ConvertAll(pixels, static b => (byte)(b & ~7));
            if (DemoEstimate.Of(coarse, Size) is { } seen) yield return (set.Factors(i), seen);
        }
    }

    private double Quantile(Func<(DemoFactors Truth, DemoEstimate Seen), double> error, double fraction) =>
        all.Select(error).Order().ElementAt((int)(fraction * (all.Length - 1)));

    private static double Correlation<T>(T[] items, Func<T, double> first, Func<T, double> second)
    {
        double a = items.Average(first), b = items.Average(second);
        return items.Sum(i => (first(i) - a) * (second(i) - b))
            / Math.Sqrt(items.Sum(i => Math.Pow(first(i) - a, 2)) * items.Sum(i => Math.Pow(second(i) - b, 2)));
    }
}
