using GlowGpu.Model.Data;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Data;

public sealed class AugmentationTests
{
    private const int Height = 20, Width = 32;

    // Pixel (y, x) of channel c is 100·c + … such that every pixel of a channel is told apart by row and column.
    private static readonly byte[] Image = Enumerable.Range(0, Height * Width)
        .SelectMany(i => new[] { (byte)(i / Width), (byte)(i % Width) }).ToArray();

    private static float[] Apply(string augment, ulong draw)
    {
        var target = new float[Image.Length];
        Augmentation.Parse(augment).Apply(Image, target, Height, Width, 2, 77, draw);
        return target;
    }

    /// <summary>The shift and flip that made an image, from its middle pixel and its left neighbour.</summary>
    private static (int Down, int Right, bool Flip) Find(float[] image)
    {
        int at = (Height / 2 * Width + Width / 2) * 2;
        bool flip = image[at + 1] < image[at - 1];
        int column = (int)image[at + 1];
        return (Height / 2 - (int)image[at], Width / 2 - (flip ? Width - 1 - column : column), flip);
    }

    [TestCase("none", false, false)]
    [TestCase("flip", true, false)]
    [TestCase("shift", false, true)]
    [TestCase("flip,shift", true, true)]
    [TestCase("shift, flip", true, true)]
    public void Names_are_read(string text, bool flip, bool shift) => Assert.That(Augmentation.Parse(text),
        Is.EqualTo(new Augmentation(flip, shift)));

    [TestCase("")]
    [TestCase("none,flip")]
    [TestCase("flip,flip")]
    [TestCase("Flip")]
    public void Other_names_are_refused(string text) => Sentence.Of(
        $"augment is '{text}'; it must be none, flip, shift or flip,shift", () => Augmentation.Parse(text));

    [Test]
    public void None_changes_nothing() => Assert.That(Apply("none", 3), Is.EqualTo(Image.Select(b => (float)b)));

    [Test]
    public void A_flip_mirrors_half_of_the_draws()
    {
        int flipped = 0;
        for (ulong draw = 0; draw < 1000; draw++)
        {
            float[] image = Apply("flip", draw);
            if (!Find(image).Flip)
            {
                Assert.That(image, Is.EqualTo(Image.Select(b => (float)b)));
                continue;
            }
            flipped++;
            if (flipped > 3) continue;
            for (int i = 0; i < Height * Width; i++) Assert.That((image[2 * i], image[2 * i + 1]),
                Is.EqualTo(((float)(i / Width), (float)(Width - 1 - i % Width))));
        }
        // Binomial: 500 ± 15.8.
        Assert.That(flipped, Is.InRange(430, 570));
    }

    [Test]
    public void Shifts_reach_a_tenth_each_way_equally_often_and_repeat_the_edge()
    {
        var seen = new Dictionary<(int, int), int>();
        for (ulong draw = 0; draw < 7000; draw++)
        {
            float[] image = Apply("shift", draw);
            (int down, int right, bool flip) = Find(image);
            Assert.That(flip, Is.False);
            seen[(down, right)] = seen.GetValueOrDefault((down, right)) + 1;
            if (draw > 20) continue;
            for (int i = 0; i < Height * Width; i++)
            {
                Assert.That((image[2 * i], image[2 * i + 1]), Is.EqualTo(
                    ((float)Math.Clamp(i / Width - down, 0, Height - 1),
                        (float)Math.Clamp(i % Width - right, 0, Width - 1))));
            }
        }
        // ±2 of 20 rows, ±3 of 32 columns: 35 shifts, each 200 ± 14 times.
        Assert.That(seen.Keys,
            Is.EquivalentTo(Enumerable.Range(-2, 5).SelectMany(d => Enumerable.Range(-3, 7).Select(r => (d, r)))));
        Assert.That(seen.Values, Has.All.InRange(125, 275));
    }

    [Test]
    public void Flip_and_shift_are_drawn_independently()
    {
        (int Down, int Right, bool Flip)[] draws = Enumerable.Range(0,
            4000).Select(d => Find(Apply("flip,shift", (ulong)d))).ToArray();
        foreach (bool flip in new[] { false, true })
            Assert.That(draws.Where(d => d.Flip == flip).Average(d => d.Right), Is.EqualTo(0).Within(0.25),
                "mean shift, standard error 0.045");
    }
}
