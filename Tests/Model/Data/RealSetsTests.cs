using GlowGpu.Model.Data;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Data;

/// <summary>The published sets themselves, where this machine has them; nothing is downloaded.</summary>
public sealed class RealSetsTests
{
    private static (IImageSource Train, IImageSource Test) Open(PublishedSet set)
    {
        if (set.Find(DataFolders.Searched(null)) is null)
            Assert.Ignore($"{set.Name} is neither in the folder that {DataFolders.Variable} names nor in the cache "
                + "of downloads");
        (IImageSource train, IImageSource? test) = DataSets.Open(set.Name, new DataOptions());
        Assert.That(test, Is.Not.Null);
        return (train, test!);
    }

    private static double[] ChannelMeans(IImageSource source, int stride)
    {
        var sums = new double[source.Channels];
        int images = 0;
        for (int i = 0; i < source.Count; i += stride, images++)
        {
            byte[] image = source.Image(i);
            for (int k = 0; k < image.Length; k++) sums[k % sums.Length] += image[k];
        }
        return sums.Select(s => s / (255.0 * images * source.Height * source.Width)).ToArray();
    }

    [Test]
    public void Cifar10_is_what_it_is_known_to_be()
    {
        (IImageSource train, IImageSource test) = Open(PublishedSet.Cifar10);
        Assert.That((train.Shape(), test.Shape()), Is.EqualTo(((50_000, 32, 32, 3), (10_000, 32, 32, 3))));
        Assert.That(train.Labels().GroupBy(l => l).Select(g => g.Count()), Has.Exactly(10).Items.And.All.EqualTo(5000));
        // The means that everyone normalises with.
        Assert.That(ChannelMeans(train, 1), Is.EqualTo(new[] { 0.49140, 0.48216, 0.44653 }).Within(1e-5));
        // The first test images are a cat, two ships and an airplane.
        Assert.That(Enumerable.Range(0, 4).Select(i => test.Classes[test.Label(i)]),
            Is.EqualTo(new[] { "cat", "ship", "ship", "airplane" }));
        Assert.That(test.Hash, Is.EqualTo("e64e7edf0fef"));
    }

    [Test]
    public void Mnist_is_what_it_is_known_to_be()
    {
        (IImageSource train, IImageSource test) = Open(PublishedSet.Mnist);
        Assert.That((train.Shape(), test.Shape()), Is.EqualTo(((60_000, 32, 32, 1), (10_000, 32, 32, 1))));
        Assert.That(train.Labels().Take(10), Is.EqualTo(new[] { 5, 0, 4, 1, 9, 2, 1, 3, 1, 4 }));
        Assert.That(test.Labels().Take(5), Is.EqualTo(new[] { 7, 2, 1, 0, 4 }));
        // The known mean of 28×28 images, spread over 32×32.
        Assert.That(ChannelMeans(train, 1)[0], Is.EqualTo(0.13066 * 784 / 1024).Within(1e-5));
    }

    [Test]
    public void Cifar100_is_what_it_is_known_to_be()
    {
        (IImageSource train, IImageSource test) = Open(PublishedSet.Cifar100);
        Assert.That((train.Count, test.Count), Is.EqualTo((50_000, 10_000)));
        Assert.That(train.Labels().GroupBy(l => l).Select(g => g.Count()), Has.Exactly(100).Items.And.All.EqualTo(500));
    }
}
