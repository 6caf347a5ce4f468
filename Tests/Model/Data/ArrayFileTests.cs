using GlowGpu.Engine;
using GlowGpu.Model.Data;
using GlowGpu.Tests.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Data;

public sealed class ArrayFileTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void Begin() => folder = new TemporaryFolder();

    [TearDown]
    public void End() => folder.Dispose();

    private string Write(Action<SafeTensorsWriter> add)
    {
        var writer = new SafeTensorsWriter();
        add(writer);
        writer.Save(folder.File("a.safetensors"));
        return folder.File("a.safetensors");
    }

    private static IImageSource Open(string path) => DataSets.Open(path, new DataOptions()).Train;

    [Test]
    public void Images_and_labels_are_read()
    {
        byte[] data = Pictures.Ramp(3 * 4 * 2 * 3);
        IImageSource set = Open(Write(w =>
        {
            w.Add("images", [3, 4, 2, 3], data);
            w.Add("labels", [3], new[] { 1, 0, 4 });
        }));
        Assert.That(set.Shape(), Is.EqualTo((3, 4, 2, 3)));
        Assert.That(set.Labels(), Is.EqualTo(new[] { 1, 0, 4 }));
        Assert.That(set.Classes, Has.Count.EqualTo(5));
        Assert.That(Enumerable.Range(0, 3).SelectMany(set.Image), Is.EqualTo(data));
    }

    [Test]
    public void Labels_are_not_needed()
    {
        IImageSource set = Open(Write(w => w.Add("images", [2, 2, 2], new byte[8])));
        Assert.That(set.Shape(), Is.EqualTo((2, 2, 2, 1)));
        Assert.That((set.Classes.Count, set.Label(0)), Is.EqualTo((0, -1)));
    }

    [Test]
    public void Other_files_are_refused_in_one_sentence()
    {
        string path = Write(w => w.Add("eps0", [1], new float[1]));
        Sentence.Of($"{path}: holds no tensor 'images'; a data set needs images U8 [N,H,W,C] and, if it has "
            + "classes, labels [N]", () => Open(path));
        Write(w => w.Add("images", [1, 2, 2], new float[4]));
        Sentence.Of($"{path}: images is F32; images must be U8", () => Open(path));
        Write(w => w.Add("images", [4], new byte[4]));
        Sentence.Of($"{path}: images: has shape [4]; images need [N,H,W,C] or [N,H,W]", () => Open(path));
        Write(w =>
        {
            w.Add("images", [2, 2, 2], new byte[8]);
            w.Add("labels", [3], new int[3]);
        });
        Sentence.Of($"{path}: labels has shape [3]; there are 2 images, so labels need [2]", () => Open(path));
        Write(w =>
        {
            w.Add("images", [2, 2, 2], new byte[8]);
            w.Add("labels", [2], new[] { 0, 1_000_000 });
        });
        Sentence.Of($"{path}: label 1 is 1000000; labels must be 0 to 65535", () => Open(path));
        File.WriteAllBytes(path, []);
        Sentence.Of($"{path}: has only 0 bytes; a safetensors file begins with an 8-byte header length",
            () => Open(path));
    }
}
