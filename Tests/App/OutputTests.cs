using GlowGpu.App.Console;
using GlowGpu.App.Output;
using GlowGpu.Engine;
using GlowGpu.Model.Data;
using GlowGpu.Tests.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.App;

/// <summary>Where pictures and latents go, and what is never written over.</summary>
public sealed class OutputTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void Create() => folder = new TemporaryFolder();

    [TearDown]
    public void Delete() => folder.Dispose();

    [Test]
    public void Png_is_a_grid_npy_an_array_and_a_bare_name_a_folder()
    {
        byte[] images = [.. Enumerable.Range(0, 3 * 4 * 4 * 3).Select(static i => (byte)i)];
        ImageOutput.Of(In("deep/er/grid.png"), 3, 3).Write(images, 3, 4, 4, 3, 2);
        ImageOutput.Of(In("array.npy"), 3, 3).Write(images, 3, 4, 4, 3, 2);
        ImageOutput.Of(In("ordner ü"), 3, 3).Write(images, 3, 4, 4, 3, 2);
        using (Assert.EnterMultipleScope())
        {
            (_, int height, int width) = ImageFile.Read(In("deep/er/grid.png"), null);
            Assert.That((height, width), Is.EqualTo((2 * 5 + 1, 2 * 5 + 1)));
            IImageSource array = NumpyFile.Open(In("array.npy"));
            Assert.That((array.Count, array.Height, array.Width, array.Channels), Is.EqualTo((3, 4, 4, 3)));
            byte[] last = new byte[48];
            array.Read(2, last);
            Assert.That(last, Is.EqualTo(images[96..]));
            Assert.That(Directory.GetFiles(In("ordner ü")).Select(Path.GetFileName),
                Is.EquivalentTo(new[] { "000000.png", "000001.png", "000002.png" }));
            Assert.That(ImageFile.Read(In("ordner ü/000001.png"), null).Pixels, Is.EqualTo(images[48..96]));
        }
    }

    [Test]
    public void Any_number_of_channels_fits_an_array_only()
    {
        ImageOutput.Of(In("x.npy"), 1, 7).Write(new byte[28], 1, 2, 2, 7, 1);
        Refuses(() => ImageOutput.Of(In("x.png"), 1, 7), "images of 7 channels are no pictures; it must end in .npy");
        Refuses(() => ImageOutput.Picture(In("x.png"), 7),
            "images of 7 channels are no pictures; 1 or 3 channels are needed");
    }

    [Test]
    public void Other_endings_are_refused() =>
        Refuses(() => ImageOutput.Of(In("x.jpg"), 1, 3),
            "'.jpg' is not a kind of output; it must end in .png or .npy, or name a folder");

    [Test]
    public void A_file_is_not_replaced_by_a_folder_nor_a_folder_by_a_file()
    {
        File.WriteAllText(In("notes"), "keep");
        Directory.CreateDirectory(In("grid.png"));
        Refuses(() => ImageOutput.Of(In("notes"), 1, 3), "which is a file; a folder, .png or .npy is needed");
        Refuses(() => ImageOutput.Of(In("grid.png"), 1, 3), "which is a folder; a file name is needed");
        Refuses(() => ImageOutput.Picture(In("grid.png"), 3), "which is a folder; a file name is needed");
    }

    [Test]
    public void Pictures_are_not_mixed_with_what_a_folder_holds()
    {
        Directory.CreateDirectory(In("d"));
        File.WriteAllText(In("d/000000.png"), "");
        Assert.That(() => ImageOutput.Of(In("d"), 1, 3), Throws.Nothing);
        File.WriteAllText(In("d/000001.png"), "");
        Refuses(() => ImageOutput.Of(In("d"), 1, 3),
            "which already holds '000001.png'; an empty or new folder is needed");
    }

    [Test]
    public void Latents_replace_latents_but_nothing_else()
    {
        SafeTensorsWriter latents = new(), model = new();
        latents.Add("eps0", [1], new float[1]);
        latents.Save(In("z.safetensors"));
        model.Add("prior.conv.bias", [1], new float[1]);
        model.Save(In("model.safetensors"));
        Assert.That(() => OutputPath.Latents(In("z.safetensors")), Throws.Nothing);
        Refuses(() => OutputPath.Latents(In("model.safetensors")),
            "which holds no latents but something else; a new file name is needed");
    }

    [Test]
    public void A_free_name_is_found()
    {
        Assert.That(OutputPath.Free(In("demo")), Is.EqualTo(In("demo")));
        Directory.CreateDirectory(In("demo"));
        Directory.CreateDirectory(In("demo-2"));
        Assert.That(OutputPath.Free(In("demo")), Is.EqualTo(In("demo-3")));
    }

    private static void Refuses(Action action, string end) =>
        Assert.That(action, Throws.TypeOf<UsageException>().With.Message.EndsWith(end));

    private string In(string name) => folder.File(name);
}
