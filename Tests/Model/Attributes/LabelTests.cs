using GlowGpu.Engine;
using GlowGpu.Model.Attributes;
using GlowGpu.Model.Data;
using GlowGpu.Tests.Engine;
using GlowGpu.Tests.Model.Data;
using GlowGpu.Tests.Model.Training;
using NUnit.Framework;

namespace GlowGpu.Tests.Model.Attributes;

/// <summary>Where labels come from, and what is said when they do not fit.</summary>
public sealed class LabelTests
{
    private readonly TemporaryFolder folder = new();

    [OneTimeSetUp]
    public void Write()
    {
        foreach (string name in new[] { "a/1.png", "a/2.png", "b/3.png" })
        {
            Directory.CreateDirectory(Path.GetDirectoryName(folder.File("set/" + name))!);
            ImageFile.WritePng(folder.File("set/" + name), new byte[12], 2, 2, 3);
        }
    }

    [OneTimeTearDown]
    public void Delete() => folder.Dispose();

    private IImageSource Images => DataSets.Open(folder.File("set"), new DataOptions()).Train;

    [Test]
    public void Csv_by_path_or_file_name_in_any_order()
    {
        AttributeLabels labels = Read(
            "file,Smiling,\"Hat, red\"\nb/3.png,1,-1\n\n2.png,0,1\r\n\"a/1.png\", 1 ,0\nelse.png,1,1\n");
        Assert.That(labels.Names, Is.EqualTo(new[] { "Smiling", "Hat, red" }));
        Assert.That(Values(labels), Is.EqualTo(new[] { true, false, false, true, true, false }));
        Assert.That((labels.Positives(0), labels.Positives(1), labels.IndexOf("Hat, red")), Is.EqualTo((2, 1, 1)));
    }

    [Test]
    public void A_bare_file_name_that_fits_two_images_is_refused()
    {
        foreach (string name in new[] { "twins/a/1.png", "twins/b/1.png" })
        {
            Directory.CreateDirectory(Path.GetDirectoryName(folder.File(name))!);
            ImageFile.WritePng(folder.File(name), new byte[12], 2, 2, 3);
        }
        IImageSource twins = DataSets.Open(folder.File("twins"), new DataOptions()).Train;
        string csv = folder.File("twins.csv");
        File.WriteAllText(csv, "file,x\n1.png,1\n");
        Sentence.Of($"{csv}: line 2 fits both 'a/1.png' and 'b/1.png'; paths below the folder tell images of one "
            + "name apart", () => LabelFile.Read(csv, twins));
    }

    [Test]
    public void Csv_by_index_of_images_without_names()
    {
        File.WriteAllText(folder.File("i.csv"), "index,bright\n1,1\n0,0\n2,1\n");
        AttributeLabels labels = LabelSources.Open(folder.File("i.csv"), new MemoryImages("m", 3, 4, 4, 1, seed: 1));
        Assert.That(Values(labels), Is.EqualTo(new[] { false, true, true }));
    }

    [Test]
    public void A_choice_of_images_keeps_their_names()
    {
        File.WriteAllText(folder.File("n.csv"), "file,x\n1.png,1\n2.png,0\n");
        Assert.That(Values(LabelSources.Open(folder.File("n.csv"), DataSets.Limit(Images, 2))),
            Is.EqualTo(new[] { true, false }));
    }

    [Test]
    public void CelebA_list()
    {
        AttributeLabels labels = Read("3\nBald  Eyeglasses \n1.png -1  1\n2.png  1 -1\n3.png -1 -1\n");
        Assert.That(labels.Names, Is.EqualTo(new[] { "Bald", "Eyeglasses" }));
        Assert.That(Values(labels), Is.EqualTo(new[] { false, true, true, false, false, false }));
    }

    [Test]
    public void Folder_is_each_class_against_the_rest()
    {
        AttributeLabels labels = LabelSources.Open("folder", Images);
        Assert.That(labels.Names, Is.EqualTo(new[] { "a", "b" }));
        Assert.That(Values(labels), Is.EqualTo(new[] { true, false, true, false, false, true }));
    }

    [Test]
    public void Factors_are_split_at_the_median_and_shapes_against_the_rest()
    {
        DemoSet demo = DemoSet.Create(16).Test;
        IImageSource some = DataSets.Limit(demo, 101);
        AttributeLabels labels = LabelSources.Open("factors", some);
        float[] hues = [.. Enumerable.Range(0, 101).Select(i => demo.Factors(i).Hue)];
        int hue = labels.IndexOf("hue"), cone = labels.IndexOf("cone"), checks = labels.IndexOf("checks");
        for (int i = 0; i < 101; i++)
        {
            Assert.That(labels.Has(i, hue), Is.EqualTo(hues.Count(h => h < hues[i]) > 50));
            Assert.That(labels.Has(i, cone), Is.EqualTo(demo.Factors(i).Shape == DemoShape.Cone));
            Assert.That(labels.Has(i, checks), Is.EqualTo(demo.Factors(i).Texture == DemoTexture.Checks));
        }
        Assert.That(labels.Names, Has.Count.EqualTo(15));
    }

    [TestCase("file,x\n1.png,1\n",
        "lacks a line for 2 of the 3 images of set, the first 'a/2.png'; every image needs one")]
    [TestCase("file,x\n1.png,1\n2.png,yes\n3.png,0\n",
        "line 3, column 'x' is 'yes'; it must be 1 (has it), or 0 or -1 (has it not)")]
    [TestCase("file,x\n1.png,1,0\n", "line 2 has 3 values; the header asks for 2")]
    [TestCase("file,x\n1.png,1\n1.png,0\n",
        "line 3 describes the image '1.png' a second time; one line for each image is needed")]
    [TestCase("file,x,x\n1.png,1,1\n2.png,0,0\n3.png,0,0\n", "has two attributes 'x'; every name must be there once")]
    [TestCase("file\n1.png\n2.png\n3.png\n", "names no attribute; at least one is needed")]
    [TestCase("", "line 1 names no attributes; a header is needed")]
    [TestCase("3\n", "line 2 names no attributes; a header is needed")]
    [TestCase("file,\"x\n",
        "the line 'file,\"x' opens a quote that it does not close; a field in quotes ends on its line")]
    public void Refused(string text, string sentence) => Assert.That(() => Read(text),
        Throws.TypeOf<GlowException>().With.Message.EqualTo($"{folder.File("l.csv")}: {sentence}"));

    [Test]
    public void Refused_sources()
    {
        MemoryImages bare = new("bare", 3, 4, 4, 1, seed: 1);
        Assert.That(() => LabelSources.Open("factors", bare),
            Throws.TypeOf<GlowException>().With.Message.EqualTo(
                "bare: its images have no known factors; --labels factors goes with --data demo"));
        Assert.That(() => LabelSources.Open("folder", bare),
            Throws.TypeOf<GlowException>().With.Message.EqualTo(
                "bare: its images have no classes; --labels folder needs class sub-folders or labelled images"));
        Assert.That(() => LabelSources.Open(folder.File("none.csv"), bare),
            Throws.TypeOf<GlowException>().With.Message.EqualTo($"{folder.File("none.csv")}: there is no such file"));
    }

    [TestCase(false, "no image of 3 has the attribute 'x'; images with and without it are needed")]
    [TestCase(true, "every image of 3 has the attribute 'x'; images with and without it are needed")]
    public void Empty_class(bool value, string sentence)
    {
        AttributeLabels labels = new("L", ["x"], [value, value, value]);
        Assert.That(() => labels.CheckBothClasses([0]),
            Throws.TypeOf<GlowException>().With.Message.EqualTo("L: " + sentence));
        Assert.That(() => labels.IndexOf("z"),
            Throws.TypeOf<GlowException>().With.Message.EqualTo("L: has no attribute 'z'; it has x"));
    }

    private AttributeLabels Read(string text)
    {
        File.WriteAllText(folder.File("l.csv"), text);
        return LabelSources.Open(folder.File("l.csv"), Images);
    }

    private static bool[] Values(AttributeLabels labels) =>
        [.. from i in Enumerable.Range(0, labels.Count) from a in Enumerable.Range(0, labels.Names.Count)
            select labels.Has(i, a)];
}
