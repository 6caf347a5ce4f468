using System.Text.Json;
using GlowGpu.Engine;
using GlowGpu.Model.Data;
using NUnit.Framework;

namespace GlowGpu.Tests.App;

/// <summary><c>glow attribute</c> from labels to pictures, and its refusals.</summary>
public sealed class AttributeCommandTests
{
    private TinyRun run = null!;

    [OneTimeSetUp]
    public void Train()
    {
        run = new TinyRun();
        File.WriteAllText(run.File("l.csv"), "index,even,first\n0,1,1\n1,0,0\n2,1,0\n3,0,0\n4,1,0\n");
        run.Glow("attribute fit --model RUN --data ARRAY --labels FILE/l.csv --out FILE/a.safetensors --batch 2 "
            + "--device cpu").Succeeds();
    }

    [OneTimeTearDown]
    public void Delete() => run.Dispose();

    [Test]
    public void Fit_writes_the_difference_of_means_of_what_encode_gives()
    {
        run.Glow("encode --model RUN --data ARRAY --out FILE/z.safetensors --device cpu").Succeeds();
        using SafeTensorsReader latents = SafeTensorsReader.Open(run.File("z.safetensors")),
            fitted = SafeTensorsReader.Open(run.File("a.safetensors"));
        foreach (int level in new[] { 0, 1 })
        {
            float[] z = latents.ReadFloats($"eps{level}"), d = fitted.ReadFloats($"direction{level}");
            int length = z.Length / 5;
            Assert.That(d, Has.Length.EqualTo(2 * length));
            for (int i = 0; i < length; i++)
            {
                double even = (z[i] + (double)z[2 * length + i] + z[4 * length + i]) / 3,
                    odd = (z[length + i] + (double)z[3 * length + i]) / 2;
                Assert.That(d[i], Is.EqualTo(even - odd).Within(1e-5));
            }
        }
        Assert.That(fitted.ReadInts("positives"), Is.EqualTo(new[] { 3, 1 }));
        Assert.That(fitted.ReadInts("negatives"), Is.EqualTo(new[] { 2, 4 }));
    }

    [Test]
    public void List_and_score_report_every_attribute()
    {
        JsonElement list = run.Glow("attribute list FILE/a.safetensors --json").Json();
        Assert.That(list.GetProperty("all").EnumerateArray().Select(static a => a.GetProperty("name").GetString()),
            Is.EqualTo(new[] { "even", "first" }));
        Assert.That(run.Glow("attribute list FILE/a.safetensors").Succeeds().Out,
            Does.Contain("even").And.Contain("images.npy"));
        JsonElement score = run.Glow("attribute score --model RUN --attributes FILE/a.safetensors --data ARRAY "
            + "--labels FILE/l.csv --device cpu --json").Json();
        JsonElement even = score.GetProperty("scores")[0];
        using (Assert.EnterMultipleScope())
        {
            Assert.That(score.GetProperty("count").GetInt32(), Is.EqualTo(5));
            Assert.That(even.GetProperty("majority_rate").GetDouble(), Is.EqualTo(0.6));
            // Five points in 768 dimensions are separated by the direction between their means.
            Assert.That(even.GetProperty("auc").GetDouble(), Is.EqualTo(1));
            Assert.That(even.GetProperty("accuracy").GetDouble(), Is.EqualTo(1));
        }
        Assert.That(run.Glow("attribute score --model RUN --attributes FILE/a.safetensors --data ARRAY --labels "
            + "FILE/l.csv --device cpu").Succeeds().Out, Does.Contain("AUC"));
    }

    [Test]
    public void Apply_leaves_an_image_as_it_is_at_strength_zero_and_moves_it_elsewhere()
    {
        JsonElement result = run.Glow("attribute apply --model RUN --attributes FILE/a.safetensors --data ARRAY "
            + "--index 3,1 --attribute even,first "
            + "--alpha -1:1:3 --out FILE/strip.png --device cpu --json").Json();
        Assert.That(result.GetProperty("alphas").EnumerateArray().Select(static a => a.GetDouble()),
            Is.EqualTo(new[] { -1.0, 0, 1 }));
        Assert.That(result.GetProperty("rows").GetInt32(), Is.EqualTo(4));
        (byte[] pixels, _, int width) = ImageFile.Read(run.File("strip.png"), null);
        Assert.That(width, Is.EqualTo(3 * 17 + 1));
        for (int row = 0; row < 4; row++)
        {
            int image = row < 2 ? 3 : 1;
            Assert.That(Cell(row, 1), Is.EqualTo(run.Pixels[(image * 768)..((image + 1) * 768)]));
            Assert.That(Cell(row, 0), Is.Not.EqualTo(Cell(row, 1)));
            Assert.That(Cell(row, 2), Is.Not.EqualTo(Cell(row, 1)));
        }

        byte[] Cell(int row, int column) =>
            [.. Enumerable.Range(0,
                16).SelectMany(y => pixels.AsSpan(((1 + row * 17 + y) * width + 1 + column * 17) * 3, 48).ToArray())];
    }

    [Test]
    public void Apply_takes_an_image_file()
    {
        ImageFile.WritePng(run.File("i.png"), run.Pixels.AsSpan(0, 768), 16, 16, 3);
        run.Glow("attribute apply --model RUN --attributes FILE/a.safetensors --image FILE/i.png --attribute even "
            + "--alpha 0,1 --out FILE/i-strip.png --device cpu").Succeeds();
        (byte[] pixels, _, int width) = ImageFile.Read(run.File("i-strip.png"), null);
        Assert.That(Enumerable.Range(0, 16).SelectMany(y => pixels.AsSpan(((1 + y) * width + 1) * 3, 48).ToArray()),
            Is.EqualTo(run.Pixels[..768]));
    }

    [Test]
    public void Apply_warns_when_images_leave_the_range_of_the_data()
    {
        CommandRun far = run.Glow("attribute apply --model RUN --attributes FILE/a.safetensors --data ARRAY "
            + "--attribute even --alpha 0,1000 --out FILE/far.png --device cpu").Succeeds();
        CommandRun still = run.Glow("attribute apply --model RUN --attributes FILE/a.safetensors --data ARRAY "
            + "--attribute even --alpha 0 --out FILE/far.png --device cpu").Succeeds();
        Assert.That(far.Error,
            Does.Match(
            "^warning: (the images leave the range of the data|some values of the images are not finite)"));
        Assert.That(still.Error, Is.Empty);
    }

    [TestCase("attribute", "glow attribute: a verb is needed: fit, apply, list or score (see `glow attribute --help`)")]
    [TestCase("attribute fitt",
        "glow attribute: there is no verb 'fitt'; did you mean fit? (see `glow attribute --help`)")]
    [TestCase("attribute apply --model m --attributes a --image i --attribute x --out o.png --alpha 1:2",
        "glow attribute apply: --alpha is '1:2'; it must be FROM:TO:N with N from 2 to 1000, as in -2:2:9, or "
        + "numbers with commas between (see `glow attribute apply --help`)")]
    [TestCase("attribute apply --model m --attributes a --image i --attribute x --out o.png --alpha 0:1:1",
        "glow attribute apply: --alpha is '0:1:1'; it must be FROM:TO:N with N from 2 to 1000, as in -2:2:9, or "
        + "numbers with commas between (see `glow attribute apply --help`)")]
    [TestCase("attribute apply --model m --attributes a --attribute x --out o.png", "glow attribute apply: --image "
        + "X.png or --data D is missing; there must be an image to change (see `glow attribute apply --help`)")]
    [TestCase("attribute apply --model m --attributes a --image i --data d --attribute x --out o.png",
        "glow attribute apply: --image is given, and --data too; the image comes from one or the other (see `glow "
        + "attribute apply --help`)")]
    [TestCase("attribute fit --model m --data d --labels l --out a.npy",
        "glow attribute fit: --out is 'a.npy'; it must end in .safetensors (see `glow attribute fit --help`)")]
    public void Bad_usage(string line, string expected) => CommandRun.Of(line.Split(' ')).Fails(2, expected);

    [Test]
    public void Failures_are_one_sentence()
    {
        string attributes = run.File("a.safetensors"), labels = run.File("bad.csv");
        File.WriteAllText(labels, "index,x\n0,1\n");
        run.Glow("attribute fit --model RUN --data ARRAY --labels FILE/bad.csv --out FILE/b.safetensors --device cpu")
            .Fails(1,
            $"glow attribute fit: {labels}: lacks a line for 4 of the 5 images of images.npy, the first '1'; every "
                + "image needs one");
        File.WriteAllText(labels, "index,x\n0,0\n1,0\n2,0\n3,0\n4,0\n");
        run.Glow("attribute fit --model RUN --data ARRAY --labels FILE/bad.csv --out FILE/b.safetensors --device cpu")
            .Fails(1,
            $"glow attribute fit: {labels}: no image of 5 has the attribute 'x'; images with and without it are "
                + "needed");
        run.Glow("attribute score --model RUN --attributes FILE/a.safetensors --data ARRAY --labels FILE/bad.csv "
            + "--device cpu").Fails(1,
            $"glow attribute score: {labels}: has no attribute 'even'; it has x");
        run.Glow("attribute apply --model RUN --attributes FILE/a.safetensors --data ARRAY --attribute odd --out "
            + "FILE/o.png --device cpu").Fails(1,
            $"glow attribute apply: {attributes}: has no attribute 'odd'; it has even, first");
        run.Glow("attribute apply --model RUN --attributes FILE/a.safetensors --data ARRAY --index 5 --attribute "
            + "even --out FILE/o.png --device cpu").Fails(2,
            "glow attribute apply: --index names image 5, but images.npy has images 0 to 4 (see `glow attribute "
                + "apply --help`)");
        string model = Path.Combine(run.Run, "model.safetensors");
        CommandRun other = run.Glow($"attribute apply --model {model} --attributes FILE/a.safetensors --data ARRAY "
            + "--attribute even --out FILE/o.png --device cpu");
        Assert.That(other.Code, Is.EqualTo(1));
        Assert.That(other.Error, Does.Match($@"^glow attribute apply: \S+: was fitted on a model with the weights [0-9a-f]{{16}}, but those of \S+ are [0-9a-f]{{16}}; fit the attributes again on that model\r?\n$"));
        run.Glow($"attribute fit --model RUN --data ARRAY --labels FILE/l.csv --out {model} --device cpu").Fails(2,
            $"glow attribute fit: --out is '{model}', which holds no attributes but something else; a new file name "
                + "is needed (see `glow attribute fit --help`)");
        run.Glow("attribute list RUN/none").Fails(1, $"glow attribute list: RUN/none: there is no such file");
        Assert.That(run.File("b.safetensors"), Does.Not.Exist);
    }
}
