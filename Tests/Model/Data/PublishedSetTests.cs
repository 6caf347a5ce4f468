using GlowGpu.Model.Data;
using GlowGpu.Tests.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Data;

public sealed class PublishedSetTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void Begin() => folder = new TemporaryFolder();

    [TearDown]
    public void End() => folder.Dispose();

    private void Touch(string where, IEnumerable<string> names)
    {
        Directory.CreateDirectory(folder.File(where));
        foreach (string name in names) File.WriteAllText(Path.Combine(folder.File(where), name), "");
    }

    [TestCase("a/cifar10")]
    [TestCase("a/cifar-10-batches-bin")]
    [TestCase("a")]
    [TestCase("b/cifar10")]
    public void A_set_is_found_in_each_usual_place(string where)
    {
        Touch(where, PublishedSet.Cifar10.Members);
        Assert.That(PublishedSet.Cifar10.Find([folder.File("a"), folder.File("b")]), Is.EqualTo(folder.File(where)));
        Assert.That(PublishedSet.Cifar100.Find([folder.File("a"), folder.File("b")]), Is.Null);
    }

    [Test]
    public void The_first_folder_comes_first()
    {
        Touch("a/cifar-10-batches-bin", PublishedSet.Cifar10.Members);
        Touch("b/cifar10", PublishedSet.Cifar10.Members);
        Assert.That(PublishedSet.Cifar10.Find([folder.File("b"), folder.File("a")]),
            Is.EqualTo(folder.File("b/cifar10")));
    }

    [Test]
    public void Unpacked_members_count()
    {
        Touch("mnist", PublishedSet.Mnist.Members.Select(m => m[..^3]));
        Assert.That(PublishedSet.Mnist.Find([folder.Path]), Is.EqualTo(folder.File("mnist")));
    }

    [Test]
    public void A_set_in_part_is_not_passed_over()
    {
        Touch("cifar10", PublishedSet.Cifar10.Members.Where(m => m != "data_batch_4.bin"));
        Sentence.Of($"cifar10: {folder.File("cifar10")} holds data_batch_1.bin but lacks data_batch_4.bin; the set "
            + "is data_batch_1.bin, data_batch_2.bin, data_batch_3.bin, data_batch_4.bin, data_batch_5.bin, "
            + "test_batch.bin",
            () => PublishedSet.Cifar10.Find([folder.Path]));
    }

    [Test]
    public void Files_packed_with_xz_are_pointed_out()
    {
        Touch("cifar10", PublishedSet.Cifar10.Members.Select(m => m + ".xz"));
        Sentence.Of($"cifar10: {folder.File("cifar10")} holds data_batch_1.bin.xz, which is packed with xz; unpack "
            + "the files first (xz -dk *.xz)", () => PublishedSet.Cifar10.Find([folder.Path]));
    }

    [Test]
    public void A_data_folder_that_is_not_there_is_named() => Sentence.Of(
        $"{folder.File("none")}: there is no such folder to look for mnist in",
            () => DataSets.Open("mnist", new DataOptions(folder.File("none"))));

    [Test]
    public void The_given_folder_is_used()
    {
        Touch("x", []);
        for (int i = 1; i <= 5; i++) File.WriteAllBytes(folder.File($"x/data_batch_{i}.bin"),
            CifarBinaryTests.Records(1, (byte)i));
        File.WriteAllBytes(folder.File("x/test_batch.bin"), CifarBinaryTests.Records(1, 7, 8));
        (IImageSource train, IImageSource? test) = DataSets.Open("cifar10", new DataOptions(folder.File("x")));
        Assert.That((train.Name, train.Count, test!.Count), Is.EqualTo(("cifar10/train", 5, 2)));
        Sentence.Of("cifar10: its images are 32×32 and are not resized to 64; an image size goes with a folder of "
            + "images or the demo set",
            () => DataSets.Open("cifar10", new DataOptions(folder.File("x"), 64)));
    }

    [Test]
    public void Searched_folders_come_in_order_and_end_with_the_cache()
    {
        string? data = Environment.GetEnvironmentVariable("GLOW_DATA"),
            caches = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        try
        {
            Environment.SetEnvironmentVariable("GLOW_DATA", "/from/variable");
            Environment.SetEnvironmentVariable("XDG_CACHE_HOME", "/caches");
            Assert.That(DataFolders.Searched("/given"),
                Is.EqualTo(new[] { "/given", "/from/variable", "/caches/glow/data" }));
            Environment.SetEnvironmentVariable("GLOW_DATA", null);
            Environment.SetEnvironmentVariable("XDG_CACHE_HOME", null);
            Assert.That(DataFolders.Searched(null), Is.EqualTo(new[]
            {
                Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache",
                    "glow", "data"),
            }));
        }
        finally
        {
            Environment.SetEnvironmentVariable("GLOW_DATA", data);
            Environment.SetEnvironmentVariable("XDG_CACHE_HOME", caches);
        }
    }
}
