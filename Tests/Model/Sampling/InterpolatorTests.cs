using GlowGpu.Model;
using GlowGpu.Model.Sampling;
using GlowGpu.Tests.Model.Training;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Sampling;

public sealed class InterpolatorTests
{
    private static readonly Latents Ends = Sampler.Draw(TinyRun.Config, 3, 1, 5);

    private static double[] Image(Latents latents, int i) =>
        [.. latents.Eps.SelectMany(e => e.Skip(i * (e.Length / latents.Count)).Take(e.Length / latents.Count))
            .Select(static v => (double)v)];

    private static double Norm(double[] v) => Math.Sqrt(v.Sum(static x => x * x));

    private static double Angle(double[] a, double[] b) =>
        Math.Acos(a.Zip(b, static (x, y) => x * y).Sum() / (Norm(a) * Norm(b)));

    [TestCase(InterpolationMode.Linear)]
    [TestCase(InterpolationMode.Spherical)]
    public void The_ends_are_the_two_images(InterpolationMode mode)
    {
        Latents path = Interpolator.Path(Ends, 2, 0, 7, mode);
        Assert.Multiple(() =>
        {
            Assert.That(path.Count, Is.EqualTo(7));
            Assert.That(Image(path, 0), Is.EqualTo(Image(Ends, 2)).Within(1e-6));
            Assert.That(Image(path, 6), Is.EqualTo(Image(Ends, 0)).Within(1e-6));
        });
    }

    [Test]
    public void The_straight_path_has_equal_steps()
    {
        Latents path = Interpolator.Path(Ends, 0, 1, 5, InterpolationMode.Linear);
        double[] a = Image(Ends, 0), b = Image(Ends, 1);
        for (int s = 0; s < 5; s++)
            Assert.That(Image(path, s), Is.EqualTo(a.Zip(b, (x, y) => x + (y - x) * s / 4)).Within(1e-6));
    }

    [Test]
    public void The_great_circle_turns_by_equal_angles_over_all_levels_and_keeps_the_norm()
    {
        double[] a = Image(Ends, 0);
        // Of the same norm, so that the norm on the way is the same too.
        double scale = Norm(a) / Norm(Image(Ends, 1));
        Latents equal = new(3,
            [.. Ends.Eps.Select(e => e.Select((v, i) => i / (e.Length / 3) == 1 ? (float)(v * scale)
            : v).ToArray())]);
        Latents path = Interpolator.Path(equal, 0, 1, 6, InterpolationMode.Spherical);
        double whole = Angle(a, Image(equal, 1));
        for (int s = 1; s < 6; s++)
        {
            Assert.That(Norm(Image(path, s)), Is.EqualTo(Norm(a)).Within(1e-5));
            Assert.That(Angle(a, Image(path, s)), Is.EqualTo(whole * s / 5).Within(1e-5));
        }
    }

    [TestCase(1f)]
    [TestCase(-1f)]
    [TestCase(0f)]
    public void Parallel_opposite_and_zero_latents_go_straight(float factor)
    {
        Latents pair = new(2,
            [.. Ends.Eps.Select(e => e[..(e.Length / 3)])
            .Select(e => e.Concat(e.Select(v => factor * v)).ToArray())]);
        Latents spherical = Interpolator.Path(pair, 0, 1, 3, InterpolationMode.Spherical),
            linear = Interpolator.Path(pair, 0, 1, 3, InterpolationMode.Linear);
        for (int l = 0; l < pair.Eps.Length; l++) Assert.That(spherical.Eps[l],
            Is.EqualTo(linear.Eps[l]).Within(1e-6f).And.All.Not.NaN);
    }

    [Test]
    public void One_step_is_the_first_image_and_images_that_are_not_there_are_refused()
    {
        Assert.That(Image(Interpolator.Path(Ends, 1, 2, 1, InterpolationMode.Spherical), 0),
            Is.EqualTo(Image(Ends, 1)).Within(1e-6));
        Assert.Throws<ArgumentOutOfRangeException>(() => Interpolator.Path(Ends, 0, 3, 2, InterpolationMode.Linear));
        Assert.Throws<ArgumentOutOfRangeException>(() => Interpolator.Path(Ends, -1, 0, 2, InterpolationMode.Linear));
        Assert.Throws<ArgumentOutOfRangeException>(() => Interpolator.Path(Ends, 0, 1, 0, InterpolationMode.Linear));
    }
}
