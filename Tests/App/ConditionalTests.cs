using System.Text.Json;
using GlowGpu.Engine;
using GlowGpu.Model.Data;
using GlowGpu.Tests.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.App;

/// <summary>A model that is conditional on the classes of its data.</summary>
public sealed class ConditionalTests
{
    private readonly TemporaryFolder folder = new();
    private readonly string[] names = [.. DataSets.Open("demo", new DataOptions()).Train.Classes];

    [OneTimeSetUp]
    public void Train() => Run("train --data demo --limit 40 --image-size 16 --validation 0 --steps 8 --classes "
        + "auto --class-weight 0.1 --lr 0.01 "
        + $"{TinyRun.Small} --out RUN").Succeeds();

    [OneTimeTearDown]
    public void Delete() => folder.Dispose();

    [Test]
    public void A_class_goes_by_number_or_name()
    {
        byte[] byNumber = Sample("1", "a.npy"), byName = Sample(names[1].ToUpperInvariant(), "b.npy"),
            other = Sample("0", "c.npy");
        Assert.That(byName, Is.EqualTo(byNumber));
        Assert.That(other, Is.Not.EqualTo(byNumber));
        Run("sample --model RUN --class dragon --out FILE/d.npy").Fails(2,
            $"glow sample: --class is 'dragon'; it must be a number from 0 to {names.Length - 1} or one of "
                + $"{string.Join(", ", names)} (see `glow sample --help`)");
    }

    [Test]
    public void Eval_counts_class_errors()
    {
        JsonElement result = Run("eval --model RUN --data demo --limit 4 --device cpu --json").Json();
        Assert.That(result.GetProperty("class_errors").GetDouble() * 4,
            Is.EqualTo(Math.Round(result.GetProperty("class_errors").GetDouble() * 4)).And.InRange(0, 4));
    }

    [Test]
    public void Labels_travel_with_the_latents()
    {
        JsonElement encoded = Run(
            "encode --model RUN --data demo --limit 3 --out FILE/z.safetensors --device cpu --json").Json();
        using SafeTensorsReader reader = SafeTensorsReader.Open(folder.File("z.safetensors"));
        IImageSource test = DataSets.Open("demo", new DataOptions(ImageSize: 16)).Test!;
        Assert.That(reader.ReadInts("labels"), Is.EqualTo(new[] { test.Label(0), test.Label(1), test.Label(2) }));
        Run("decode --model RUN --latents FILE/z.safetensors --out FILE/z.npy --device cpu").Succeeds();
        IImageSource back = NumpyFile.Open(folder.File("z.npy"));
        Assert.That(back.Count, Is.EqualTo(encoded.GetProperty("count").GetInt32()));
        for (int i = 0; i < back.Count; i++)
        {
            byte[] original = new byte[768], decoded = new byte[768];
            test.Read(i, original);
            back.Read(i, decoded);
            Assert.That(decoded, Is.EqualTo(original));
        }
    }

    [Test]
    public void Image_files_need_a_class_to_be_walked_between()
    {
        ImageFile.WritePng(folder.File("i.png"), new byte[768], 16, 16, 3);
        Run("interpolate --model RUN --from FILE/i.png --to FILE/i.png --out FILE/w.png --device cpu").Fails(2,
            $"glow interpolate: --class is missing; the model is conditional on {names.Length} classes, and image "
                + "files do not say theirs (see `glow interpolate --help`)");
        Run("interpolate --model RUN --from FILE/i.png --to FILE/i.png --class 2 --out FILE/w.png --device cpu")
            .Succeeds();
        Run("interpolate --model RUN --data demo --pair 0,1 --out FILE/w.png --device cpu").Succeeds();
        Run("interpolate --model RUN --out FILE/w.png --device cpu").Succeeds();
    }

    [Test]
    public void Unlabelled_images_are_refused()
    {
        NumpyFile.Write(folder.File("bare.npy"), new byte[768], 1, 16, 16, 3);
        Run("eval --model RUN --data FILE/bare.npy").Fails(1,
            $"glow eval: bare.npy: has no labels; the model is conditional on {names.Length} classes");
        Run("train --data FILE/bare.npy --levels 2 --classes auto --out FILE/t").Fails(1,
            "glow train: data 'bare.npy' has no labels, so --classes auto finds no class; use --classes 0 or "
                + "labelled images");
    }

    [Test]
    public void Per_class_rows_are_the_same_noise_in_every_class()
    {
        JsonElement result = Run("sample --model RUN --per-class --count 2 --temperature 1 --with-log-prob --out "
            + "FILE/rows.npy --device cpu --json").Json();
        Assert.That(result.GetProperty("count").GetInt32(), Is.EqualTo(2 * names.Length));
        Assert.That(result.GetProperty("classes").GetArrayLength(), Is.EqualTo(names.Length));
        IImageSource rows = NumpyFile.Open(folder.File("rows.npy"));
        for (int k = 0; k < names.Length; k++)
        {
            Sample(k.ToString(System.Globalization.CultureInfo.InvariantCulture), "row.npy");
            IImageSource row = NumpyFile.Open(folder.File("row.npy"));
            byte[] expected = new byte[768], actual = new byte[768];
            for (int i = 0; i < 2; i++)
            {
                row.Read(i, expected);
                rows.Read(2 * k + i, actual);
                Assert.That(actual, Is.EqualTo(expected), $"class {k}, image {i}");
            }
        }
    }

    [Test]
    public void The_published_name_of_the_class_weight_is_known()
    {
        Run("train --data demo --limit 16 --image-size 16 --validation 0 --steps 1 --classes auto --weight-y 0.25 "
            + "--class-ramp 3 "
            + $"{TinyRun.Small} --out FILE/named").Succeeds();
        JsonElement training = JsonDocument.Parse(File.ReadAllText(folder.File("named/config.json")))
            .RootElement.GetProperty("training");
        Assert.That(training.GetProperty("class_weight").GetDouble(), Is.EqualTo(0.25));
        Assert.That(training.GetProperty("class_ramp").GetInt64(), Is.EqualTo(3));
    }

    private byte[] Sample(string label, string file)
    {
        Run($"sample --model RUN --class {label} --count 2 --temperature 1 --device cpu --out FILE/{file}").Succeeds();
        return File.ReadAllBytes(folder.File(file));
    }

    private CommandRun Run(string line) => CommandRun.Of([.. line.Split(' ').Select(word =>
        word == "RUN" ? folder.File("run") : word.StartsWith("FILE/", StringComparison.Ordinal)
            ? folder.File(word[5..]) : word)]);
}
