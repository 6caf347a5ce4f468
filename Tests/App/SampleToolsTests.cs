using System.Globalization;
using System.Text.Json;
using GlowGpu.Model.Data;
using NUnit.Framework;

namespace GlowGpu.Tests.App;

/// <summary>
/// Rasters, log-probabilities and statistics of <c>glow sample</c>; random pairs of <c>glow interpolate</c>.
/// </summary>
public sealed class SampleToolsTests
{
    private TinyRun run = null!;

    [OneTimeSetUp]
    public void Train() => run = new TinyRun();

    [OneTimeTearDown]
    public void Delete() => run.Dispose();

    [Test]
    public void Raster_has_the_published_temperatures()
    {
        JsonElement result = run.Glow(
            "sample --model RUN --raster --count 2 --seed 3 --out FILE/r.npy --device cpu --json").Json();
        Assert.That(Doubles(result, "temperatures"), Is.EqualTo(new[] { 0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 1 }));
        run.Glow("sample --model RUN --temperatures 0,0.25,0.5,0.6,0.7,0.8,0.9,1 --count 2 --seed 3 --out "
            + "FILE/t.npy --device cpu").Succeeds();
        Assert.That(File.ReadAllBytes(run.File("r.npy")), Is.EqualTo(File.ReadAllBytes(run.File("t.npy"))));
    }

    [Test]
    public void Log_probabilities_come_as_json_and_csv_and_fall_with_the_temperature()
    {
        JsonElement result = run.Glow("sample --model RUN --temperatures 0,0.5,1 --count 2 --with-log-prob --out "
            + "FILE/l.npy --device cpu --json").Json();
        double[] nats = Doubles(result, "log_probs"), bits = Doubles(result, "bits_per_dim");
        CommandRun text = run.Glow(
            "sample --model RUN --temperatures 0,0.5,1 --count 2 --with-log-prob --out FILE/l.npy --device cpu")
            .Succeeds();
        string[] lines = text.Out.TrimEnd().Split('\n', StringSplitOptions.TrimEntries);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(bits, Is.EqualTo(nats.Select(static v => -v / (768 * Math.Log(2)))).Within(1e-9));
            Assert.That(lines[0], Is.EqualTo("image,temperature,class,log_prob_nats,bits_per_dim"));
            Assert.That(lines.Skip(1).Select(static l => double.Parse(l.Split(',')[3], CultureInfo.InvariantCulture)),
                Is.EqualTo(nats));
            Assert.That(lines[3], Does.StartWith("2,0.5,,"));
            // −½|z|² is largest at z = 0, and the split scales hardly change in a model of five steps.
            Assert.That(nats[0], Is.EqualTo(nats[1]).Within(1e-6));
            Assert.That(nats[0], Is.GreaterThan(nats[2]).And.GreaterThan(nats[4]));
            Assert.That(text.Error, Does.Contain("6 images at temperature 0, 0.5, 1 in "));
        }
    }

    [Test]
    public void Statistics_agree_with_the_latents_drawn()
    {
        JsonElement stats = run.Glow(
            "sample --model RUN --count 3 --temperature 1 --stats --out FILE/s.npy --device cpu --json").Json()
            .GetProperty("stats");
        double[] z = Doubles(stats, "max_z"), errors = Doubles(stats, "inverse_errors");
        using (Assert.EnterMultipleScope())
        {
            // Some thousand normal draws a level.
            Assert.That(z, Has.Length.EqualTo(2).And.All.InRange(2.5, 5.5));
            Assert.That(errors, Has.All.InRange(1e-9, 1e-3));
            // The last layer of a level makes what its latents, a few deviations at most here, are cut from.
            Assert.That(Doubles(stats, "level_max_x"), Has.Length.EqualTo(2).And.All.InRange(0.1, 100));
            Assert.That(stats.GetProperty("max_x").GetDouble(), Is.GreaterThan(0.1));
            Assert.That(stats.GetProperty("outside_fraction").GetDouble(), Is.InRange(0, 1));
        }
        Assert.That(run.Glow("sample --model RUN --count 3 --stats --out FILE/s.npy --device cpu").Succeeds().Out,
            Does.Match(@"level 1: max\|x\| \S+, max\|z\|"));
        CommandRun hot = run.Glow(
            "sample --model RUN --count 3 --temperature 10 --stats --out FILE/s.npy --device cpu").Succeeds();
        Assert.That(hot.Error, Does.Contain("warning: "));
    }

    [TestCase("sample --model m --out o.png --raster --temperature 1", "sample",
        "--raster and --temperature are both given; one of them is enough")]
    [TestCase("sample --model m --out o.png --per-class --class 1", "sample",
        "--per-class and --class are both given; one of them is enough")]
    [TestCase("interpolate --model m --out o.png --random 3", "interpolate",
        "--random is given without --data; it picks pairs of a set")]
    [TestCase("interpolate --model m --out o.png --data d --random 3 --pair 0,1", "interpolate",
        "--random and --pair are both given; one of them is enough")]
    public void Bad_usage(string line, string verb, string sentence) =>
        CommandRun.Of(line.Split(' ')).Fails(2, $"glow {verb}: {sentence} (see `glow {verb} --help`)");

    [Test]
    public void Per_class_needs_classes() => run.Glow("sample --model RUN --per-class --out FILE/p.png").Fails(2,
        $"glow sample: --per-class is given, but {run.Run} is not conditional; leave it out (see `glow sample "
            + "--help`)");

    [Test]
    public void Random_pairs_make_a_grid_of_walks()
    {
        JsonElement result = run.Glow("interpolate --model RUN --data ARRAY --random 3 --seed 5 --steps 3 --out "
            + "FILE/walks.png --device cpu --json").Json();
        int[][] pairs = [.. result.GetProperty("pairs").EnumerateArray()
            .Select(static p => p.EnumerateArray().Select(static i => i.GetInt32()).ToArray())];
        Assert.That(pairs, Has.Length.EqualTo(3));
        Assert.That(pairs, Has.All.Matches<int[]>(static p => p!.Length == 2 && p[0] != p[1]
            && p.All(static i => i is >= 0 and < 5)));
        (byte[] pixels, int height, int width) = ImageFile.Read(run.File("walks.png"), null);
        Assert.That((height, width), Is.EqualTo((6 * 17 + 1, 3 * 17 + 1)));
        for (int row = 0; row < 6; row++)
        {
            Assert.That(Cell(row, 0), Is.EqualTo(Image(pairs[row / 2][0])), $"row {row}");
            Assert.That(Cell(row, 2), Is.EqualTo(Image(pairs[row / 2][1])), $"row {row}");
        }
        JsonElement fewer = run.Glow("interpolate --model RUN --data ARRAY --random 2 --seed 5 --steps 3 --out "
            + "FILE/walks.png --device cpu --json").Json();
        Assert.That(fewer.GetProperty("pairs")[1].GetRawText(),
            Is.EqualTo(result.GetProperty("pairs")[1].GetRawText()));

        byte[] Image(int index) => run.Pixels[(index * 768)..((index + 1) * 768)];

        byte[] Cell(int row, int column) =>
            [.. Enumerable.Range(0,
                16).SelectMany(y => pixels.AsSpan(((1 + row * 17 + y) * width + 1 + column * 17) * 3, 48).ToArray())];
    }

    [Test]
    public void A_single_image_makes_no_pair()
    {
        NumpyFile.Write(run.File("one.npy"), run.Pixels.AsSpan(0, 768).ToArray(), 1, 16, 16, 3);
        run.Glow("interpolate --model RUN --data FILE/one.npy --random 1 --out FILE/w.png --device cpu").Fails(2,
            "glow interpolate: --random needs two images, but one.npy has 1 (see `glow interpolate --help`)");
    }

    private static double[] Doubles(JsonElement element, string name) =>
        [.. element.GetProperty(name).EnumerateArray().Select(static e => e.GetDouble())];
}
