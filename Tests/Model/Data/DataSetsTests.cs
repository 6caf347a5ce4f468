using System.Security.Cryptography;
using GlowGpu.Model.Data;
using GlowGpu.Tests.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Data;

public sealed class DataSetsTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void Begin() => folder = new TemporaryFolder();

    [TearDown]
    public void End() => folder.Dispose();

    private static ImageArray Set(int count, bool labels = true) =>
        new("set", Pictures.Ramp(count * 12), 2, 2, 3,
            labels ? Enumerable.Range(0, count).Select(i => i % 3).ToArray() : null);

    private DataPair Open(string name, int? size = null) => DataSets.Open(Path.Combine(folder.Path, name),
        new DataOptions(ImageSize: size));

    [Test]
    public void The_hash_is_the_documented_one()
    {
        byte[] pixels = Pictures.Ramp(2 * 12);
        byte[] content =
        [
            2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0,
            .. pixels[..12], 1, 0, 0, 0,
            .. pixels[12..], 0, 0, 0, 0,
        ];
        Assert.That(new ImageArray("x", pixels, 2, 2, 3, [1, 0]).Hash,
            Is.EqualTo(Convert.ToHexStringLower(SHA256.HashData(content))[..12]));
    }

    [Test]
    public void The_hash_does_not_depend_on_the_format()
    {
        byte[] data = Pictures.Ramp(3 * 16);
        NumpyFile.Write(folder.File("a.npy"), data, 3, 4, 4);
        Assert.That(Open("a.npy").Train.Hash, Is.EqualTo(new ImageArray("x", data, 4, 4, 1).Hash));
    }

    [Test]
    public void A_split_is_disjoint_complete_seeded_and_shuffled()
    {
        ImageArray set = Set(1000);
        (IImageSource train, IImageSource validation) = DataSets.Split(set, 0.1, 7);
        Assert.That((train.Count, validation.Count), Is.EqualTo((900, 100)));
        Assert.That((train.Name, validation.Name), Is.EqualTo(("set:train", "set:validation")));
        int[] indices = Indices(train).Concat(Indices(validation)).ToArray();
        Assert.That(indices, Is.EquivalentTo(Enumerable.Range(0, 1000)).And.Not.Ordered);
        Assert.That(Indices(DataSets.Split(set, 0.1, 7).Validation), Is.EqualTo(Indices(validation)));
        Assert.That(Indices(DataSets.Split(set, 0.1, 8).Validation), Is.Not.EqualTo(Indices(validation)));
        // The classes stay mixed: of 100 drawn from three equal ones each has 33 ± 4.7 (one standard deviation).
        Assert.That(validation.Labels().GroupBy(l => l).Select(g => g.Count()),
            Has.All.InRange(15, 52).And.Exactly(3).Items);
        for (int i = 0; i < 100; i++)
        {
            int index = ((Subset)validation).SourceIndex(i);
            Assert.That(validation.Image(i), Is.EqualTo(set.Image(index)));
            Assert.That(validation.Label(i), Is.EqualTo(set.Label(index)));
        }

        static int[] Indices(IImageSource subset) => Enumerable.Range(0,
            subset.Count).Select(((Subset)subset).SourceIndex).ToArray();
    }

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(double.NaN)]
    [TestCase(0.01)]
    public void A_split_that_leaves_a_set_empty_is_refused(double fraction) => Sentence.Of(
        $"set: a validation fraction of {fraction} of 10 images leaves a set empty; both parts need at least one "
            + "image", () => DataSets.Split(Set(10), fraction, 1));

    [Test]
    public void A_limit_takes_the_first_images_and_their_labels()
    {
        ImageArray set = Set(10);
        IImageSource limited = DataSets.Limit(set, 4);
        Assert.That(limited.Name, Is.EqualTo("set[:4]"));
        Assert.That(limited.Labels(), Is.EqualTo(new[] { 0, 1, 2, 0 }));
        Assert.That(Enumerable.Range(0, 4).SelectMany(limited.Image), Is.EqualTo(Pictures.Ramp(48)));
        Assert.That(limited.Hash, Is.EqualTo(new ImageArray("x", Pictures.Ramp(48), 2, 2, 3, [0, 1, 2, 0]).Hash));
        Assert.That(DataSets.Limit(set, 10), Is.SameAs(set));
        Assert.That(DataSets.Limit(set, 11), Is.SameAs(set));
        Sentence.Of("set: a limit of 0 images leaves none; it must be at least 1", () => DataSets.Limit(set, 0));
    }

    [Test]
    public void A_folder_of_arrays_gives_training_and_test_set()
    {
        NumpyFile.Write(folder.File("train.npy"), new byte[3 * 16], 3, 4, 4);
        Assert.That(Open("").Train.Count, Is.EqualTo(3));
        NumpyFile.Write(folder.File("test.npy"), new byte[2 * 16], 2, 4, 4);
        Assert.That(Open("").Test!.Count, Is.EqualTo(2));
        NumpyFile.Write(folder.File("test.npy"), new byte[2 * 20], 2, 4, 5);
        Sentence.Of($"{folder.Path}: training images are 4×4×1 but test images 4×5×1; both must have one shape",
            () => Open(""));
    }

    [Test]
    public void Arrays_in_a_folder_that_are_not_named_train_are_refused()
    {
        NumpyFile.Write(folder.File("b.npy"), new byte[16], 1, 4, 4);
        NumpyFile.Write(folder.File("a.npy"), new byte[16], 1, 4, 4);
        Sentence.Of($"{folder.Path}: holds both a.npy and b.npy; name one of the files, or call them train and test",
            () => Open(""));
    }

    [Test]
    public void An_image_size_does_not_resize_arrays()
    {
        NumpyFile.Write(folder.File("a.npy"), new byte[16], 1, 4, 4);
        Assert.That(Open("a.npy", 4).Train.Height, Is.EqualTo(4));
        Sentence.Of($"{folder.File("a.npy")}: its images are 4×4 and are not resized to 8; an image size goes with "
            + "a folder of images or the demo set", () => Open("a.npy", 8));
        Sentence.Of("an image size of 0 makes no image; it must be at least 1", () => Open("a.npy", 0));
    }

    [Test]
    public void Paths_of_no_use_give_one_sentence()
    {
        const string kinds = "demo, cifar10, cifar100, mnist, a folder of images, idx(.gz) files, CIFAR binary "
            + "batches, or a .npy, .npz or .safetensors file";
        Sentence.Of($"nowhere: there is no such file or folder; data may be {kinds}",
            () => DataSets.Open("nowhere", new DataOptions()));
        File.WriteAllText(folder.File("a.txt"), "");
        Sentence.Of($"{folder.File("a.txt")}: is no kind of file that is known by its name; data may be {kinds}",
            () => Open("a.txt"));
        Pictures.WritePng(folder.File("a.png"), 2, 2);
        Sentence.Of($"{folder.File("a.png")}: is a single image; name the folder that holds the images",
            () => Open("a.png"));
        File.WriteAllText(folder.File("test_batch.bin.xz"), "");
        Sentence.Of(
            $"{folder.File("test_batch.bin.xz")}: is packed with xz; unpack it first (xz -dk test_batch.bin.xz)",
            () => Open("test_batch.bin.xz"));
        File.Delete(folder.File("a.png"));
        Sentence.Of($"{folder.Path}: holds test_batch.bin.xz, which is packed with xz; unpack it first (xz -dk "
            + "test_batch.bin.xz)", () => Open(""));
    }
}
