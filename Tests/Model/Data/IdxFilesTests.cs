using System.Buffers.Binary;
using System.IO.Compression;
using GlowGpu.Engine;
using GlowGpu.Model.Data;
using GlowGpu.Tests.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Data;

public sealed class IdxFilesTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void Begin() => folder = new TemporaryFolder();

    [TearDown]
    public void End() => folder.Dispose();

    private string Write(string name, byte[] data, params uint[] dimensions)
    {
        byte[] header = new byte[4 + 4 * dimensions.Length];
        (header[2], header[3]) = (8, (byte)dimensions.Length);
        for (int i = 0; i < dimensions.Length; i++) BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(4 + 4 * i),
            dimensions[i]);
        return WriteRaw(name, [.. header, .. data]);
    }

    private string WriteRaw(string name, byte[] bytes)
    {
        string path = folder.File(name);
        using Stream file = File.Create(path);
        using Stream target = name.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(file,
            CompressionLevel.Fastest) : file;
        target.Write(bytes);
        return path;
    }

    private static IImageSource Open(string path) => DataSets.Open(path, new DataOptions()).Train;

    [TestCase("x-images-idx3-ubyte")]
    [TestCase("x-images-idx3-ubyte.gz")]
    [TestCase("x-images.idx3-ubyte")]
    public void Images_are_centred_in_a_frame_of_zeros(string name)
    {
        byte[] data = Pictures.Ramp(3 * 28 * 28);
        IImageSource set = Open(Write(name, data, 3, 28, 28));
        Assert.That(set.Shape(), Is.EqualTo((3, 32, 32, 1)));
        Assert.That((set.Classes.Count, set.Label(1)), Is.EqualTo((0, -1)));
        byte[] image = set.Image(2), expected = new byte[32 * 32];
        for (int y = 0; y < 28; y++) data.AsSpan((2 * 28 + y) * 28, 28).CopyTo(expected.AsSpan((y + 2) * 32 + 2));
        Assert.That(image, Is.EqualTo(expected));
    }

    [Test]
    public void Sides_that_fit_stay_and_colour_is_kept()
    {
        byte[] data = Pictures.Ramp(2 * 8 * 16 * 3);
        IImageSource set = Open(Write("c-images-idx4-ubyte", data, 2, 8, 16, 3));
        Assert.That(set.Shape(), Is.EqualTo((2, 8, 16, 3)));
        Assert.That(set.Image(1), Is.EqualTo(data[384..]));
    }

    [TestCase(".gz", "")]
    [TestCase("", ".gz")]
    public void Labels_lie_beside_packed_or_not(string images, string labels)
    {
        Write("train-labels-idx1-ubyte" + labels, [7, 0, 2], 3);
        IImageSource set = Open(Write("train-images-idx3-ubyte" + images, new byte[3 * 64], 3, 8, 8));
        Assert.That(set.Labels(), Is.EqualTo(new[] { 7, 0, 2 }));
        Assert.That(set.Classes, Is.EqualTo(new[] { "0", "1", "2", "3", "4", "5", "6", "7" }));
    }

    [Test]
    public void A_folder_gives_training_and_test_set()
    {
        Write("train-images-idx3-ubyte", new byte[3 * 64], 3, 8, 8);
        Write("t10k-images-idx3-ubyte.gz", new byte[2 * 64], 2, 8, 8);
        Write("t10k-labels-idx1-ubyte.gz", [1, 0], 2);
        (IImageSource train, IImageSource? test) = DataSets.Open(folder.Path, new DataOptions());
        Assert.That((train.Count, test!.Count), Is.EqualTo((3, 2)));
        Assert.That((train.Name, test.Name),
            Is.EqualTo(($"{Path.GetFileName(folder.Path)}/train", $"{Path.GetFileName(folder.Path)}/test")));
        Assert.That(test.Labels(), Is.EqualTo(new[] { 1, 0 }));
    }

    [Test]
    public void Of_a_packed_and_an_unpacked_file_the_unpacked_one_is_taken()
    {
        Write("train-images-idx3-ubyte", new byte[3 * 64], 3, 8, 8);
        Write("train-images-idx3-ubyte.gz", new byte[64], 1, 8, 8);
        Assert.That(DataSets.Open(folder.Path, new DataOptions()).Train.Count, Is.EqualTo(3));
    }

    [Test]
    public void Two_training_files_in_a_folder_are_refused()
    {
        Write("a-train-images-idx3-ubyte", new byte[64], 1, 8, 8);
        Write("b-train-images-idx3-ubyte", new byte[64], 1, 8, 8);
        Sentence.Of($"{folder.Path}: holds both a-train-images-idx3-ubyte and b-train-images-idx3-ubyte; name one "
            + "of the files instead of the folder", () => Open(folder.Path));
    }

    [TestCase("a-images-idx3-ubyte")]
    [TestCase("a-images-idx3-ubyte.gz")]
    public void Broken_files_give_one_sentence(string name)
    {
        string path = WriteRaw(name, []);
        Sentence.Of($"{path}: has only 0 bytes; an idx file of images starts with 00 00 08 03 or 00 00 08 04",
            () => Open(path));
        WriteRaw(name, [0, 0, 13, 3, 0, 0, 0, 0]);
        Sentence.Of($"{path}: starts with 00 00 0D 03; an idx file of images starts with 00 00 08 03 or 00 00 08 04",
            () => Open(path));
        WriteRaw(name, [0, 0, 8, 3, 0, 0]);
        Sentence.Of($"{path}: ends inside its header; the file is truncated", () => Open(path));
        Write(name, new byte[100], 2, 8, 8);
        Sentence.Of($"{path}: ends after 100 of 128 bytes of data; the file is truncated", () => Open(path));
        Write(name, [], 0, 28, 28);
        Sentence.Of($"{path}: has shape [0,28,28], so it holds no image", () => Open(path));
    }

    [TestCase("a-images-idx3-ubyte")]
    [TestCase("a-images-idx3-ubyte.gz")]
    public void A_header_that_claims_too_much_allocates_nothing(string name)
    {
        string path = Write(name, new byte[100], 1u << 31, 28, 28);
        Sentence.Of($"{path}: has shape [2147483648,28,28], which is larger than can be read", () => Open(path));
        Write(name, new byte[100], int.MaxValue, 28, 28);
        Sentence.Of($"{path}: ends after 100 of {(long)int.MaxValue * 784} bytes of data; the file is truncated",
            () => Open(path));
        Write(name, new byte[100], 1, 1u << 20, 1u << 20);
        Sentence.Of($"{path}: has shape [1,1048576,1048576], and one image of 1099511627776 bytes is larger than "
            + "can be read", () => Open(path));
        Write(name, new byte[100], 1, uint.MaxValue, uint.MaxValue);
        Sentence.Of($"{path}: has shape [1,4294967295,4294967295], which is larger than can be read", () => Open(path));
    }

    [Test]
    public void Gzip_that_breaks_off_is_refused()
    {
        var random = new byte[8 * 64];
        new Random(1).NextBytes(random);
        string path = Write("a-images-idx3-ubyte.gz", random, 8, 8, 8);
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..^100]);
        Assert.That(() => Open(path), Throws.TypeOf<GlowException>()
            .With.Message.Match(@"-ubyte\.gz: ends after \d{3} of 512 bytes of data; the file is truncated$"));
        File.WriteAllText(path, "not gzip");
        Sentence.Of($"{path}: not a whole gzip file; it must be copied or downloaded again", () => Open(path));
    }

    [Test]
    public void Labels_that_do_not_belong_are_refused()
    {
        string path = Write("a-images-idx3-ubyte", new byte[128], 2, 8, 8),
            labels = Write("a-labels-idx1-ubyte", [1, 2, 3], 3);
        Sentence.Of($"{labels}: holds 3 labels, but a-images-idx3-ubyte holds 2 images; they do not belong together",
            () => Open(path));
        Write("a-labels-idx1-ubyte", [1], 2);
        Sentence.Of($"{labels}: ends after 1 of 2 bytes of data; the file is truncated", () => Open(path));
        Write("a-labels-idx1-ubyte", new byte[128], 2, 8, 8);
        Sentence.Of($"{labels}: starts with 00 00 08 03; an idx file of labels starts with 00 00 08 01",
            () => Open(path));
    }

    [Test]
    public void A_file_cut_short_while_in_use_says_so()
    {
        string path = Write("a-images-idx3-ubyte", new byte[4 * 64], 4, 8, 8);
        IImageSource set = Open(path);
        using (FileStream file = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite)) file.SetLength(16
            + 100);
        Assert.That(set.Image(0), Has.Length.EqualTo(64));
        Sentence.Of($"{path}: was cut short while in use; it ends at byte 116", () => set.Image(1));
    }
}
