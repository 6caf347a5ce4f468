using GlowGpu.Model.Data;
using GlowGpu.Tests.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Data;

public sealed class ImageFolderTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void Begin() => folder = new TemporaryFolder();

    [TearDown]
    public void End() => folder.Dispose();

    private DataPair Open(int? size = null) => DataSets.Open(folder.Path, new DataOptions(ImageSize: size));

    [Test]
    public void Files_come_in_ordinal_order_without_labels()
    {
        foreach (string name in new[] { "b.png", "a10.png", "a2.png", "B.png", ".hidden.png",
            "notes.txt" }) Pictures.WritePng(folder.File(name), 4, 6, step: name.Length + name[0]);
        (IImageSource set, IImageSource? test) = Open();
        Assert.That(test, Is.Null);
        Assert.That(set.Shape(), Is.EqualTo((4, 4, 6, 3)));
        Assert.That((set.Classes.Count, set.Label(0)), Is.EqualTo((0, -1)));
        string[] order = ["B.png", "a10.png", "a2.png", "b.png"];
        for (int i = 0; i < order.Length; i++)
            Assert.That(set.Image(i), Is.EqualTo(Pictures.Ramp(4 * 6 * 3, order[i].Length + order[i][0])), order[i]);
    }

    [Test]
    public void Sub_folders_are_classes_however_deep_their_images_lie()
    {
        Pictures.WritePng(folder.File("zebra/1.png"), 4, 4);
        Pictures.WritePng(folder.File("ant/deep/er/2.png"), 4, 4);
        Pictures.WritePng(folder.File("ant/1.png"), 4, 4);
        Pictures.WritePng(folder.File(".thumbnails/1.png"), 9, 9);
        Directory.CreateDirectory(folder.File("empty"));
        IImageSource set = Open().Train;
        Assert.That(set.Classes, Is.EqualTo(new[] { "ant", "zebra" }));
        Assert.That(set.Labels(), Is.EqualTo(new[] { 0, 0, 1 }));
    }

    [Test]
    public void A_single_sub_folder_makes_no_classes()
    {
        Pictures.WritePng(folder.File("img_align/1.png"), 4, 4);
        Assert.That(Open().Train.Classes, Is.Empty);
    }

    [Test]
    public void Train_and_test_folders_are_the_two_sets()
    {
        foreach (string name in new[] { "train/x/1.png", "train/y/1.png", "train/y/2.png", "val/x/1.png",
            "val/y/1.png" }) Pictures.WritePng(folder.File(name), 8, 8);
        (IImageSource train, IImageSource? test) = Open();
        Assert.That((train.Count, test!.Count), Is.EqualTo((3, 2)));
        Assert.That(train.Name, Is.EqualTo($"{Path.GetFileName(folder.Path)}/train"));
        Assert.That(test.Classes, Is.EqualTo(train.Classes));
        Pictures.WritePng(folder.File("val/z/1.png"), 8, 8);
        Sentence.Of($"{folder.Path}: train has the classes x, y but val has x, y, z; both need the same sub-folders",
            () => Open());
    }

    [Test]
    public void With_an_image_size_every_image_is_cropped_and_resized()
    {
        Pictures.WritePng(folder.File("a.png"), 20, 30);
        Pictures.WritePng(folder.File("b.png"), 8, 8);
        IImageSource set = Open(8).Train;
        Assert.That((set.Height, set.Width), Is.EqualTo((8, 8)));
        Assert.That(set.Image(0), Is.EqualTo(ImageFile.Read(folder.File("a.png"), 8).Pixels));
        Assert.That(set.Image(1), Is.EqualTo(Pictures.Ramp(8 * 8 * 3)));
    }

    [Test]
    public void Mixed_sizes_without_an_image_size_name_both_files()
    {
        string a = Pictures.WritePng(folder.File("a.png"), 4, 4), b = Pictures.WritePng(folder.File("b.png"), 4, 5);
        Sentence.Of($"{a} is 4×4 but {b} is 4×5; give an image size to crop and resize them all to", () => Open());
    }

    [Test]
    public void Images_beside_class_folders_are_refused()
    {
        Pictures.WritePng(folder.File("a.png"), 4, 4);
        Pictures.WritePng(folder.File("cats/b.png"), 4, 4);
        Sentence.Of($"{folder.Path}: holds images itself (a.png) and in the sub-folder cats; all must lie in class "
            + "folders or none", () => Open());
    }

    [Test]
    public void An_unreadable_file_is_named_when_it_is_read()
    {
        Pictures.WritePng(folder.File("a.png"), 8, 8);
        string broken = folder.File("b.jpg");
        File.WriteAllText(broken, "not an image");
        IImageSource set = Open(8).Train;
        set.Image(0);
        Sentence.Of($"{broken}: not a readable PNG, JPEG or WebP image", () => set.Image(1));
        Sentence.Of($"{broken}: not a readable PNG, JPEG or WebP image", () => Open());
    }

    [Test]
    public void A_decoded_image_is_kept()
    {
        string a = Pictures.WritePng(folder.File("a.png"), 8, 8);
        IImageSource set = Open().Train;
        byte[] first = set.Image(0);
        File.Delete(a);
        Assert.That(set.Image(0), Is.EqualTo(first));
    }

    [Test]
    public void A_file_that_changes_its_size_after_opening_is_named()
    {
        string a = Pictures.WritePng(folder.File("a.png"), 8, 8), b = Pictures.WritePng(folder.File("b.png"), 8, 8);
        IImageSource set = Open().Train;
        Pictures.WritePng(b, 8, 9);
        Sentence.Of($"{a} is 8×8 but {b} is 8×9; give an image size to crop and resize them all to",
            () => set.Image(1));
    }

    [Test]
    public void The_hash_sees_contents_order_size_and_labels_but_not_names()
    {
        Pictures.WritePng(folder.File("x/a.png"), 8, 8, step: 3);
        Pictures.WritePng(folder.File("y/b.png"), 8, 8, step: 5);
        string hash = Open().Train.Hash;
        Assert.That(hash, Does.Match("^[0-9a-f]{12}$"));
        Assert.That(Open().Train.Hash, Is.EqualTo(hash));
        Assert.That(Open(4).Train.Hash, Is.Not.EqualTo(hash), "size");
        File.Move(folder.File("x/a.png"), folder.File("x/renamed.png"));
        Assert.That(Open().Train.Hash, Is.EqualTo(hash), "names");
        File.Move(folder.File("y/b.png"), folder.File("x/z.png"));
        string oneClass = Open().Train.Hash;
        Assert.That(oneClass, Is.Not.EqualTo(hash), "labels");
        File.Move(folder.File("x/renamed.png"), folder.File("x/zz.png"));
        Assert.That(Open().Train.Hash, Is.Not.EqualTo(oneClass), "order");
    }

    [Test]
    public void A_folder_without_images_says_what_it_may_hold()
    {
        File.WriteAllText(folder.File("notes.txt"), "");
        Sentence.Of($"{folder.Path}: holds no data; it may hold PNG, JPEG or WebP images, idx(.gz) files, CIFAR "
            + "binary batches, or a .npy, .npz or .safetensors file", () => Open());
    }

    [Test]
    public void An_index_outside_the_set_is_refused()
    {
        Pictures.WritePng(folder.File("a.png"), 8, 8);
        IImageSource set = Open().Train;
        Assert.Throws<ArgumentOutOfRangeException>(() => set.Image(1));
        Assert.Throws<ArgumentOutOfRangeException>(() => set.Label(-1));
        Assert.Throws<ArgumentException>(() => set.Read(0, new byte[3]));
    }
}
