using System.Security.Cryptography;
using GlowGpu.Model.Data;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Data;

public sealed class DemoSetTests
{
    private const int Size = 32;

    private static readonly DemoSet Train = DemoSet.Create(Size).Train;
    private static readonly DemoFactors Plain = new(DemoShape.Sphere, 0, 1, 0.5f, 0.5f, 0, 30, DemoTexture.Plain, 0.5f);

    private static byte[] Render(DemoFactors factors, int size = Size)
    {
        var pixels = new byte[size * size * 3];
        DemoRenderer.Render(factors, size, pixels);
        return pixels;
    }

    private static string HashOf(int size, int count)
    {
        DemoSet set = DemoSet.Create(size).Train;
        return Convert.ToHexStringLower(SHA256.HashData(Enumerable.Range(0, count).SelectMany(set.Image)
            .ToArray()))[..16];
    }

    // The bytes are promised to be the same on every machine.
    [TestCase(32, 250, "3639c5eb6311b340")]
    [TestCase(64, 50, "cb8e8063f2ab0e82")]
    public void The_pixels_are_pinned(int size, int count, string hash) => Assert.That(HashOf(size, count),
        Is.EqualTo(hash));

    [Test]
    public void The_hashes_are_pinned_and_tell_sets_and_sizes_apart()
    {
        (DemoSet train, DemoSet test) = DemoSet.Create(32);
        Assert.That((train.Hash, test.Hash, DemoSet.Create(64).Train.Hash),
            Is.EqualTo(("84198cdcb0c8", "602ad2028761", "97ca7e30d109")));
        Assert.That(DataSets.Limit(train, 100).Hash, Is.Not.EqualTo(train.Hash));
    }

    [Test]
    public void It_opens_by_name_with_its_test_set_and_classes()
    {
        (IImageSource train, IImageSource? test) = DataSets.Open("demo", new DataOptions());
        Assert.That((train.Name, test!.Name), Is.EqualTo(("demo/train", "demo/test")));
        Assert.That((train.Shape(), test.Shape()), Is.EqualTo(((20_000, 32, 32, 3), (2_000, 32, 32, 3))));
        Assert.That(train.Classes, Is.EqualTo(new[] { "sphere", "cube", "cylinder", "cone", "torus" }));
        Assert.That(DataSets.Open("demo", new DataOptions(ImageSize: 64)).Train.Height, Is.EqualTo(64));
        Sentence.Of("demo: an image size of 8 is out of range; it must be 16 to 256",
            () => DataSets.Open("demo", new DataOptions(ImageSize: 8)));
    }

    [Test]
    public void Labels_are_shapes_in_turn()
    {
        Assert.That(Enumerable.Range(0, 10).Select(Train.Label), Is.EqualTo(new[] { 0, 1, 2, 3, 4, 0, 1, 2, 3, 4 }));
        for (int i = 0; i < 100; i++) Assert.That((int)Train.Factors(i).Shape, Is.EqualTo(Train.Label(i)));
    }

    [Test]
    public void Factors_are_spread_over_their_ranges()
    {
        DemoFactors[] all = Enumerable.Range(0, 5000).Select(Train.Factors).ToArray();
        void Uniform(string name, Func<DemoFactors, float> factor, float low, float high)
        {
            double[] values = all.Select(f => (factor(f) - low) / (double)(high - low)).ToArray();
            Assert.That(values, Has.All.InRange(0, 1), name);
            // Mean ½ ± 0.0041, variance 1/12 ± 0.0011.
            Assert.That(values.Average(), Is.EqualTo(0.5).Within(0.02), name);
            Assert.That(values.Average(v => (v - 0.5) * (v - 0.5)), Is.EqualTo(1 / 12.0).Within(0.005), name);
        }
        Uniform("hue", f => f.Hue, 0, 1);
        Uniform("size", f => f.Size, 0.8f, 1.2f);
        Uniform("x", f => f.X, 0.37f, 0.63f);
        Uniform("y", f => f.Y, 0.44f, 0.56f);
        Uniform("rotation", f => f.Rotation, -45, 45);
        Uniform("light", f => f.Light, -70, 70);
        Uniform("ground", f => f.Ground, 0, 1);
        int Count(DemoTexture texture) => all.Count(f => f.Texture == texture);
        // 70 % and 15 % each of 5,000, ± three standard deviations.
        Assert.That(Count(DemoTexture.Plain), Is.EqualTo(3500).Within(97));
        Assert.That(new[] { Count(DemoTexture.Bands), Count(DemoTexture.Checks) }, Has.All.EqualTo(750).Within(76));
    }

    [Test]
    public void Test_images_are_not_among_the_training_images()
    {
        (DemoSet train, DemoSet test) = DemoSet.Create(Size);
        Assert.That(train.Factors(0), Is.Not.EqualTo(test.Factors(0)));
        HashSet<DemoFactors> known = Enumerable.Range(0, train.Count).Select(train.Factors).ToHashSet();
        Assert.That(known, Has.Count.EqualTo(train.Count));
        Assert.That(Enumerable.Range(0, test.Count).Select(test.Factors).Any(known.Contains), Is.False);
    }

    [Test]
    public void An_image_is_the_same_from_any_thread_and_read_twice()
    {
        byte[][] expected = Enumerable.Range(0, 40).Select(i => Render(Train.Factors(i))).ToArray();
        DemoSet set = DemoSet.Create(Size).Train;
        for (int pass = 0; pass < 2; pass++) Parallel.For(0, 40,
            i => Assert.That(set.Image(i), Is.EqualTo(expected[i])));
    }

    [Test]
    public void The_hue_factor_is_the_hue_of_the_solids_pixels()
    {
        int[] images = Enumerable.Range(0, 400).ToArray();
        double[] errors = images.Select(i =>
        {
            DemoFactors factors = Train.Factors(i);
            double difference = Math.Abs(MeanHue(Train.Image(i), DemoRenderer.Coverage(factors, Size)) - factors.Hue);
            return Math.Min(difference, 1 - difference);
        }).ToArray();
        // Light, ground bounce and highlights tint the solid a little.
        Assert.That(errors.Average(), Is.LessThan(0.02), "mean error in turns");
        Assert.That(errors.Max(), Is.LessThan(0.08), "largest error in turns");
    }

    [Test]
    public void Position_factors_are_the_middle_of_the_solids_pixels()
    {
        const int size = 64;
        for (int i = 0; i < 200; i++)
        {
            DemoFactors factors = Train.Factors(i);
            float[] mask = DemoRenderer.Coverage(factors, size);
            int[] covered = Enumerable.Range(0, mask.Length).Where(k => mask[k] > 0.5f).ToArray();
            double x = (covered.Min(k => k % size) + covered.Max(k => k % size) + 1) / (2.0 * size),
                y = (covered.Min(k => k / size) + covered.Max(k => k / size) + 1) / (2.0 * size);
            Assert.That(x, Is.EqualTo(factors.X).Within(0.02), $"x of image {i}");
            // Seen from above, the near half of a base hangs lower than the far half of a top rises.
            Assert.That(y, Is.EqualTo(factors.Y).Within(factors.Shape == DemoShape.Cone ? 0.16 : 0.04),
                $"y of image {i}");
        }
    }

    [TestCase(DemoShape.Sphere)]
    [TestCase(DemoShape.Cube)]
    [TestCase(DemoShape.Cylinder)]
    [TestCase(DemoShape.Cone)]
    [TestCase(DemoShape.Torus)]
    public void Larger_solids_cover_more_pixels_and_none_leaves_the_image(DemoShape shape)
    {
        const int size = 64;
        double small = DemoRenderer.Coverage(Plain with { Shape = shape, Size = 0.8f }, size).Sum(),
            large = DemoRenderer.Coverage(Plain with { Shape = shape, Size = 1.2f }, size).Sum();
        // (1.2/0.8)² = 2.25, and more because the centre of the larger one is higher, so nearer to the camera.
        Assert.That(large / small, Is.InRange(2.25, 2.8));
        Assert.That(small / (size * size), Is.InRange(0.04, 0.2), "share of the image");
        foreach (float x in new[] { 0.37f, 0.63f })
        {
            foreach (float y in new[] { 0.44f, 0.56f })
            {
                float[] mask = DemoRenderer.Coverage(
                    Plain with { Shape = shape, Size = 1.2f, X = x, Y = y, Rotation = 0 }, size);
                Assert.That(Enumerable.Range(0, size).Max(k => mask[k] + mask[(size - 1) * size + k] + mask[k * size]
                    + mask[k * size + size - 1]), Is.Zero, $"({x}, {y})");
            }
        }
    }

    [Test]
    public void Coverage_is_a_fraction_with_soft_edges()
    {
        float[] mask = DemoRenderer.Coverage(Plain, Size);
        Assert.That(mask, Has.All.InRange(0f, 1f));
        Assert.That(mask.Count(m => m == 1), Is.GreaterThan(80));
        Assert.That(mask.Count(m => m is > 0 and < 1), Is.InRange(15, 80));
    }

    [TestCase(-60)]
    [TestCase(60)]
    public void The_light_factor_says_which_side_is_bright(float light)
    {
        foreach (DemoShape shape in new[] { DemoShape.Sphere, DemoShape.Cylinder, DemoShape.Cone })
        {
            DemoFactors factors = Plain with { Shape = shape, Light = light };
            byte[] pixels = Render(factors);
            float[] mask = DemoRenderer.Coverage(factors, Size);
            double Mean(Func<int, bool> side) => Enumerable.Range(0, mask.Length).Where(i => mask[i] == 1
                && side(i % Size)).Average(i => pixels[3 * i]);
            double left = Mean(x => x < Size / 2), right = Mean(x => x >= Size / 2);
            Assert.That(light < 0 ? left - right : right - left, Is.GreaterThan(20), $"{shape}");
        }
    }

    [Test]
    public void The_shadow_falls_away_from_the_light()
    {
        byte[] left = Render(Plain with { Light = -60 }), right = Render(Plain with { Light = 60 });
        // Ground beside the sphere: dark on the right when the light comes from the left.
        int row = 20, leftOf = (row * Size + 4) * 3 + 1, rightOf = (row * Size + 27) * 3 + 1;
        Assert.That(left[leftOf] - left[rightOf], Is.GreaterThan(20));
        Assert.That(right[rightOf] - right[leftOf], Is.GreaterThan(20));
    }

    [Test]
    public void The_ground_factor_is_the_hue_of_the_ground()
    {
        for (int k = 0; k < 12; k++)
        {
            byte[] pixels = Render(Plain with { Ground = k / 12f });
            var corner = new float[Size * Size];
            corner.AsSpan((Size - 2) * Size).Fill(1);
            double difference = Math.Abs(MeanHue(pixels, corner) - k / 12.0);
            Assert.That(Math.Min(difference, 1 - difference), Is.LessThan(0.05), $"ground {k}/12");
        }
    }

    [Test]
    public void Rotation_turns_a_cube_but_not_a_plain_sphere()
    {
        Assert.That(Render(Plain with { Shape = DemoShape.Cube, Rotation = 30 }),
            Is.Not.EqualTo(Render(Plain with { Shape = DemoShape.Cube })));
        int[] change = Render(Plain with { Rotation = 30 }).Zip(Render(Plain), (a, b) => Math.Abs(a - b)).ToArray();
        Assert.That(change.Max(), Is.LessThanOrEqualTo(2));
    }

    [TestCase(DemoShape.Sphere)]
    [TestCase(DemoShape.Cube)]
    [TestCase(DemoShape.Cylinder)]
    [TestCase(DemoShape.Cone)]
    [TestCase(DemoShape.Torus)]
    public void Textures_change_the_solid_and_nothing_else(DemoShape shape)
    {
        DemoFactors factors = Plain with { Shape = shape };
        byte[] plain = Render(factors), bands = Render(factors with { Texture = DemoTexture.Bands }),
            checks = Render(factors with { Texture = DemoTexture.Checks });
        float[] mask = DemoRenderer.Coverage(factors, Size);
        foreach (byte[] other in new[] { bands, checks })
        {
            for (int i = 0; i < mask.Length; i++)
                if (mask[i] == 0) Assert.That(other[3 * i + 1], Is.EqualTo(plain[3 * i + 1]));
            Assert.That(other.Zip(plain, (a, b) => Math.Abs(a - b)).Count(d => d > 30), Is.GreaterThan(50));
        }
        Assert.That(bands, Is.Not.EqualTo(checks));
    }

    [Test]
    public void Sizes_show_the_same_picture()
    {
        byte[] small = Render(Train.Factors(3), 32), large = ImageResize.CropAndResize(Render(Train.Factors(3), 128),
            128, 128, 32);
        Assert.That(small.Zip(large, (a, b) => Math.Abs(a - b)).Average(), Is.LessThan(2));
    }

    [Test]
    public void Arguments_are_checked()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Render(Plain, 15));
        Assert.Throws<ArgumentOutOfRangeException>(() => DemoRenderer.Coverage(Plain, 257));
        Assert.Throws<ArgumentException>(() => DemoRenderer.Render(Plain, 32, new byte[5]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Render(Plain with { Shape = (DemoShape)9 }));
    }

    // Hue of the mean colour of the pixels that are wholly covered.
    private static double MeanHue(byte[] pixels, float[] mask)
    {
        double r = 0, g = 0, b = 0;
        for (int i = 0; i < mask.Length; i++)
        {
            if (mask[i] < 1) continue;
            r += pixels[3 * i];
            g += pixels[3 * i + 1];
            b += pixels[3 * i + 2];
        }
        double high = Math.Max(r, Math.Max(g, b)), range = high - Math.Min(r, Math.Min(g, b));
        double sixth = high == r ? (g - b) / range : high == g ? 2 + (b - r) / range : 4 + (r - g) / range;
        return (sixth / 6 + 1) % 1;
    }
}
