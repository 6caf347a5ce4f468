using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using GlowGpu.Model.Data;
using GlowGpu.Tests.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Data;

public sealed class NumpyFileTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void Begin() => folder = new TemporaryFolder();

    [TearDown]
    public void End() => folder.Dispose();

    private static byte[] Array(string header, byte[] data, int version = 1)
    {
        byte[] text = Encoding.UTF8.GetBytes(header + "\n"), length = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, text.Length);
        return [0x93, .. "NUMPY"u8, (byte)version, 0, .. version == 1 ? length[..2] : length, .. text, .. data];
    }

    private static byte[] Array(string descr, string shape, byte[] data, int version = 1) =>
        Array($"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}", data, version);

    private string WriteArray(byte[] bytes)
    {
        File.WriteAllBytes(folder.File("a.npy"), bytes);
        return folder.File("a.npy");
    }

    private string WriteArchive(params (string Name, byte[] Bytes)[] entries)
    {
        string path = folder.File("a.npz");
        File.Delete(path);
        using ZipArchive archive = ZipFile.Open(path, ZipArchiveMode.Create);
        foreach ((string name, byte[] bytes) in entries)
        {
            using Stream entry = archive.CreateEntry(name + ".npy").Open();
            entry.Write(bytes);
        }
        return path;
    }

    private static IImageSource Open(string path) => DataSets.Open(path, new DataOptions()).Train;

    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    public void Every_version_of_the_header_is_read(int version)
    {
        byte[] data = Pictures.Ramp(2 * 4 * 6 * 3);
        IImageSource set = Open(WriteArray(Array("|u1", "2, 4, 6, 3", data, version)));
        Assert.That(set.Shape(), Is.EqualTo((2, 4, 6, 3)));
        Assert.That(set.Image(1), Is.EqualTo(data[72..]));
        Assert.That((set.Classes.Count, set.Label(1)), Is.EqualTo((0, -1)));
    }

    [Test]
    public void Grey_images_need_no_channel_axis()
    {
        IImageSource set = Open(WriteArray(Array("|u1", "3, 2, 2", Pictures.Ramp(12))));
        Assert.That(set.Shape(), Is.EqualTo((3, 2, 2, 1)));
        Assert.That(set.Image(2), Is.EqualTo(Pictures.Ramp(12)[8..]));
    }

    [Test]
    public void What_is_written_is_read_back()
    {
        byte[] data = Pictures.Ramp(3 * 2 * 2 * 3);
        NumpyFile.Write(folder.File("w.npy"), data, 3, 2, 2, 3);
        IImageSource set = Open(folder.File("w.npy"));
        Assert.That(set.Shape(), Is.EqualTo((3, 2, 2, 3)));
        Assert.That(Enumerable.Range(0, 3).SelectMany(set.Image), Is.EqualTo(data));
        Assert.Throws<ArgumentException>(() => NumpyFile.Write(folder.File("x.npy"), data, 3, 3));
    }

    [Test]
    public void Files_are_written_as_numpy_writes_them()
    {
        NumpyFile.Write(folder.File("f.npy"), new[] { 1f, -2.5f, float.NaN }, 3);
        byte[] bytes = File.ReadAllBytes(folder.File("f.npy"));
        Assert.That(bytes, Has.Length.EqualTo(128 + 12));
        Assert.That(bytes[..10],
            Is.EqualTo(new byte[] { 0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y', 1, 0, 118, 0 }));
        Assert.That(Encoding.ASCII.GetString(bytes, 10, 118),
            Is.EqualTo("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }".PadRight(117) + "\n"));
        Assert.That(BitConverter.ToSingle(bytes, 132), Is.EqualTo(-2.5f));
    }

    [TestCase("|u1", new byte[] { 2, 0, 1 })]
    [TestCase("<i2", new byte[] { 2, 0, 0, 0, 1, 0 })]
    [TestCase(">i4", new byte[] { 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1 })]
    [TestCase("<u8", new byte[] { 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0 })]
    public void An_archive_holds_images_and_labels_of_any_integer_type(string type, byte[] labels)
    {
        byte[] data = Pictures.Ramp(3 * 4 * 4);
        IImageSource set = Open(WriteArchive(("labels", Array(type, "3,", labels)),
            ("images", Array("|u1", "3, 4, 4, 1", data))));
        Assert.That(set.Shape(), Is.EqualTo((3, 4, 4, 1)));
        Assert.That(set.Labels(), Is.EqualTo(new[] { 2, 0, 1 }));
        Assert.That(set.Classes, Is.EqualTo(new[] { "0", "1", "2" }));
        Assert.That(Enumerable.Range(0, 3).SelectMany(set.Image), Is.EqualTo(data));
    }

    [Test]
    public void An_archive_of_several_blocks_is_read_across_their_borders()
    {
        // 1000 bytes an image: no multiple of a block's 2^20.
        byte[] data = new byte[2_500_000];
        new Random(2).NextBytes(data);
        IImageSource set = Open(WriteArchive(("images", Array("|u1", "2500, 10, 100", data))));
        foreach (int i in new[] { 0, 1048, 1049, 2097, 2499 }) Assert.That(set.Image(i),
            Is.EqualTo(data[(i * 1000)..(i * 1000 + 1000)]), $"image {i}");
    }

    [Test]
    public void Broken_arrays_give_one_sentence()
    {
        string path = WriteArray([]);
        Sentence.Of($"{path}: is empty; a .npy array starts with 93 'NUMPY'", () => Open(path));
        WriteArray("\nNUMPY is something else"u8.ToArray());
        Sentence.Of($"{path}: is no .npy array, which starts with 93 'NUMPY'", () => Open(path));
        WriteArray(Array("|u1", "1, 2, 2", new byte[4], version: 4));
        Sentence.Of($"{path}: is a .npy array of version 4.0; versions 1 to 3 can be read", () => Open(path));
        WriteArray(Array("|u1", "2, 2, 2", new byte[4])[..30]);
        Sentence.Of($"{path}: ends inside its header; the file is truncated", () => Open(path));
        WriteArray(Array("|u1", "2, 2, 2", new byte[7]));
        Sentence.Of($"{path}: ends after 7 of 8 bytes of data; the file is truncated", () => Open(path));
        WriteArray(Array("{'descr': '|u1'}", new byte[4]));
        Sentence.Of($"{path}: has a .npy header that names no fortran_order or shape: {{'descr': '|u1'}}",
            () => Open(path));
        WriteArray(Array("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (2,)}", new byte[8]));
        Sentence.Of($"{path}: holds records or a type that cannot be read: "
            + $"{{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (2,)}}", () => Open(path));
    }

    [TestCase("<f4", "2, 2, 2", "holds elements of type '<f4'; images must be uint8 ('|u1')")]
    [TestCase("|O", "2, 2, 2", "holds elements of type '|O'; images must be uint8 ('|u1')")]
    [TestCase("|u1", "8,", "has shape [8]; images need [N,H,W,C] or [N,H,W]")]
    [TestCase("|u1", "", "has shape []; images need [N,H,W,C] or [N,H,W]")]
    [TestCase("|u1", "0, 2, 2", "has shape [0,2,2], so it holds no image")]
    [TestCase("|u1", "2, 3, 8, 8",
        "has shape [2,3,8,8], channels first; images need [N,H,W,C] (in NumPy: images.transpose(0, 2, 3, 1))")]
    public void Other_arrays_are_refused(string type, string shape, string sentence)
    {
        string path = WriteArray(Array(type, shape, new byte[512]));
        Sentence.Of($"{path}: {sentence}", () => Open(path));
    }

    [Test]
    public void Fortran_order_is_refused_with_the_remedy()
    {
        string path = WriteArray(Array("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 2, 2), }", new byte[8]));
        Sentence.Of($"{path}: is in Fortran order; save it as numpy.ascontiguousarray(images)", () => Open(path));
    }

    [Test]
    public void A_header_that_claims_too_much_allocates_nothing()
    {
        string path = WriteArray([0x93, .. "NUMPY"u8, 2, 0, 0xFF, 0xFF, 0xFF, 0xFF]);
        Sentence.Of($"{path}: claims a header of 4294967295 bytes; a .npy header has at most 10000", () => Open(path));
        WriteArray(Array("|u1", "2147483647, 1024, 1024, 3", new byte[16]));
        Sentence.Of($"{path}: ends after 16 of {2147483647L * 1024 * 1024 * 3} bytes of data; the file is truncated",
            () => Open(path));
        WriteArray(Array("|u1", "4294967296, 4294967296, 4294967296", new byte[16]));
        Sentence.Of($"{path}: has shape [4294967296,4294967296,4294967296], which is larger than can be read",
            () => Open(path));
        WriteArray(Array("|u1", "99999999999999999999, 2, 2", new byte[16]));
        Sentence.Of($"{path}: claims the shape (99999999999999999999, 2, 2), which is larger than can be read",
            () => Open(path));
        string archive = WriteArchive(("images", Array("|u1", "2147483647, 1024, 1024, 3", new byte[16])));
        Sentence.Of($"{archive}: images: ends after 16 of {2147483647L * 1024 * 1024 * 3} bytes of data; the file "
            + "is truncated", () => Open(archive));
    }

    [Test]
    public void Broken_archives_give_one_sentence()
    {
        byte[] images = Array("|u1", "2, 2, 2", new byte[8]);
        string path = WriteArchive(("x", images), ("y", images));
        Sentence.Of(
            $"{path}: holds no array 'images' (it holds x, y); save it as numpy.savez(file, images=…, labels=…)",
            () => Open(path));
        WriteArchive(("images", images), ("labels", Array("<f8", "2,", new byte[16])));
        Sentence.Of($"{path}: labels: holds elements of type '<f8'; labels must be integers", () => Open(path));
        WriteArchive(("images", images), ("labels", Array("|u1", "3,", new byte[3])));
        Sentence.Of($"{path}: labels: has shape [3]; there are 2 images, so labels need [2]", () => Open(path));
        WriteArchive(("images", images), ("labels", Array("|i1", "2,", [0, 0xFF])));
        Sentence.Of($"{path}: label 1 is -1; labels must be 0 to 65535", () => Open(path));
        WriteArchive(("images", images), ("labels", Array("<i4", "2,", new byte[7])));
        Sentence.Of($"{path}: labels: ends after 7 of 8 bytes of data; the file is truncated", () => Open(path));
        WriteArchive(("images", images));
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..^10]);
        Sentence.Of($"{path}: is no whole .npz archive; it is truncated or of another kind", () => Open(path));
        File.WriteAllBytes(path, []);
        Sentence.Of($"{path}: is no whole .npz archive; it is truncated or of another kind", () => Open(path));
    }
}
