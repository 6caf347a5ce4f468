using GlowGpu.Model.Data;
using GlowGpu.Tests.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Data;

public sealed class CifarBinaryTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void Begin() => folder = new TemporaryFolder();

    [TearDown]
    public void End() => folder.Dispose();

    /// <summary>Records whose pixel i of plane c of image n is a function of all three.</summary>
    public static byte[] Records(int labelBytes, params byte[] labels) => labels.SelectMany((label, n) =>
        Enumerable.Repeat((byte)1, labelBytes - 1).Append(label).Concat(Enumerable.Range(0,
            3072).Select(i => Pixel(n, i / 1024, i % 1024)))).ToArray();

    private static byte Pixel(int image, int plane, int at) => (byte)(image * 31 + plane * 77 + at * 5);

    private string Write(string name, byte[] bytes)
    {
        File.WriteAllBytes(folder.File(name), bytes);
        return folder.File(name);
    }

    private static byte[] Interleaved(int image) => Enumerable.Range(0, 3072).Select(i => Pixel(image, i % 3, i / 3))
        .ToArray();

    private DataPair Open() => DataSets.Open(folder.Path, new DataOptions());

    private static IImageSource OpenFile(string path) => DataSets.Open(path, new DataOptions()).Train;

    [Test]
    public void A_file_is_given_channels_last_with_the_names_of_the_classes()
    {
        IImageSource set = OpenFile(Write("data_batch_2.bin", Records(1, 3, 9, 0)));
        Assert.That(set.Shape(), Is.EqualTo((3, 32, 32, 3)));
        Assert.That(set.Labels(), Is.EqualTo(new[] { 3, 9, 0 }));
        Assert.That(set.Classes, Has.Count.EqualTo(10).And.ItemAt(3).EqualTo("cat"));
        for (int i = 0; i < 3; i++) Assert.That(set.Image(i), Is.EqualTo(Interleaved(i)));
    }

    [Test]
    public void The_fine_labels_of_cifar100_are_used()
    {
        Write("train.bin", Records(2, 99, 5));
        Write("test.bin", Records(2, 0));
        (IImageSource train, IImageSource? test) = Open();
        Assert.That(train.Labels(), Is.EqualTo(new[] { 99, 5 }));
        Assert.That(train.Classes, Has.Count.EqualTo(100).And.ItemAt(99).EqualTo("worm").And.Unique);
        Assert.That(test!.Image(0), Is.EqualTo(Interleaved(0)));
    }

    [Test]
    public void The_five_batches_follow_one_another()
    {
        for (int i = 0; i < 5; i++) Write($"data_batch_{i + 1}.bin",
            Records(1, Enumerable.Repeat((byte)i, i + 1).ToArray()));
        Write("test_batch.bin", Records(1, 8));
        (IImageSource train, IImageSource? test) = Open();
        Assert.That(train.Labels(), Is.EqualTo(new[] { 0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4 }));
        Assert.That(train.Image(5), Is.EqualTo(Interleaved(2)));
        Assert.That(train.Image(14), Is.EqualTo(Interleaved(4)));
        Assert.That(test!.Labels(), Is.EqualTo(new[] { 8 }));
    }

    [Test]
    public void A_folder_with_the_test_file_only_is_that_set()
    {
        Write("test_batch.bin", Records(1, 8));
        (IImageSource train, IImageSource? test) = Open();
        Assert.That((train.Name, train.Count, test),
            Is.EqualTo(($"{Path.GetFileName(folder.Path)}/test", 1, (IImageSource?)null)));
    }

    [Test]
    public void Names_of_classes_are_taken_from_the_sets_own_file()
    {
        string names = Write("batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n"u8.ToArray());
        Write("test_batch.bin", Records(1, 8));
        Assert.That(Open().Train.Classes, Is.EqualTo("a b c d e f g h i j".Split(' ')));
        Write("batches.meta.txt", "a\nb\n"u8.ToArray());
        Sentence.Of($"{names}: names 2 classes; CIFAR-10 has 10", () => Open());
    }

    [Test]
    public void A_missing_batch_is_named()
    {
        foreach (int i in new[] { 1, 2, 4, 5 }) Write($"data_batch_{i}.bin", Records(1, 0));
        Sentence.Of($"{folder.Path}: lacks data_batch_3.bin; the training set of CIFAR-10 is data_batch_1.bin, "
            + "data_batch_2.bin, data_batch_3.bin, data_batch_4.bin, data_batch_5.bin", () => Open());
    }

    [Test]
    public void Broken_files_give_one_sentence()
    {
        string path = Write("data_batch_1.bin", []);
        Sentence.Of($"{path}: is empty; a CIFAR-10 file has 3073 bytes an image", () => OpenFile(path));
        Write("data_batch_1.bin", Records(1, 1, 2)[..^5]);
        Sentence.Of($"{path}: has 6141 bytes, which is no multiple of the 3073 that a CIFAR-10 image takes; it is "
            + "truncated or of another kind", () => OpenFile(path));
        Write("data_batch_1.bin", Records(1, 1, 10));
        Sentence.Of($"{path}: image 1 has label 10; CIFAR-10 has 0 to 9, so this is another kind of file",
            () => OpenFile(path));
        string hundred = Write("test.bin", Records(2, 1)[..^1]);
        Sentence.Of($"{hundred}: has 3073 bytes, which is no multiple of the 3074 that a CIFAR-100 image takes; it "
            + "is truncated or of another kind", () => OpenFile(hundred));
        string missing = folder.File("none.bin");
        Sentence.Of($"{missing}: there is no such file or folder; data may be demo, cifar10, cifar100, mnist, a "
            + "folder of images, idx(.gz) files, CIFAR binary batches, or a .npy, .npz or .safetensors file",
            () => OpenFile(missing));
    }
}
