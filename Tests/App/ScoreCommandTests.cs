using System.Globalization;
using System.Text.Json;
using GlowGpu.App.Plots;
using GlowGpu.Model.Data;
using NUnit.Framework;

namespace GlowGpu.Tests.App;

/// <summary><c>glow score</c> against <c>glow eval</c> and counting.</summary>
public sealed class ScoreCommandTests
{
    private TinyRun run = null!;

    [OneTimeSetUp]
    public void Train() => run = new TinyRun();

    [OneTimeTearDown]
    public void Delete() => run.Dispose();

    [Test]
    public void Scores_are_those_of_eval_and_p_values_those_of_counting()
    {
        JsonElement result = run.Glow("score --model RUN --data ARRAY --reference demo --reference-limit 24 "
            + "--dequantize center --out FILE/s.csv --histogram FILE/h.png --device cpu --json").Json();
        double[] own = Nats("ARRAY"), reference = Nats("demo --split train --limit 24");
        double entropy = -reference.Average();
        string[] lines = File.ReadAllLines(run.File("s.csv"));
        Assert.That(lines[0], Is.EqualTo("image,bits_per_dim,log_likelihood_nats,typicality_distance_nats,p_value"));
        Assert.That(lines, Has.Length.EqualTo(6));
        for (int i = 0; i < 5; i++)
        {
            double[] cells = [.. lines[i + 1].Split(',').Select(static c => double.Parse(c,
                CultureInfo.InvariantCulture))];
            double distance = Math.Abs(-own[i] - entropy);
            double p = (1 + reference.Count(v => Math.Abs(-v - entropy) >= distance)) / 25.0;
            Assert.That(cells, Is.EqualTo(new[] { i, -own[i] / (768 * Math.Log(2)), own[i], distance, p })
                .Within(1e-6));
        }
        using (Assert.EnterMultipleScope())
        {
            Assert.That(result.GetProperty("entropy_nats").GetDouble(), Is.EqualTo(entropy).Within(1e-6));
            Assert.That(result.GetProperty("reference_count").GetInt32(), Is.EqualTo(24));
            Assert.That(result.GetProperty("reference").GetString(), Does.StartWith("demo/train"));
            Assert.That(ImageFile.ReadSize(run.File("h.png")), Is.EqualTo((500, 900)));
        }
    }

    [Test]
    public void Json_without_reference_has_no_p_values()
    {
        run.Glow("score --model RUN --data ARRAY --out FILE/s.json --device cpu").Succeeds();
        JsonElement scores = JsonDocument.Parse(File.ReadAllText(run.File("s.json"))).RootElement.GetProperty("scores");
        Assert.That(scores.GetArrayLength(), Is.EqualTo(5));
        Assert.That(scores[3].EnumerateObject().Select(static p => p.Name),
            Is.EqualTo(new[] { "image", "bits_per_dim", "log_likelihood" }));
        double[] nats = Nats("ARRAY", "uniform");
        Assert.That(scores.EnumerateArray().Select(static s => s.GetProperty("log_likelihood").GetDouble()),
            Is.EqualTo(nats).Within(1e-6));
    }

    [Test]
    public void Images_of_a_folder_go_by_their_names()
    {
        ImageFile.WritePng(run.File("pictures/b, c.png"), run.Pixels.AsSpan(0, 768), 16, 16, 3);
        ImageFile.WritePng(run.File("pictures/a.png"), run.Pixels.AsSpan(768, 768), 16, 16, 3);
        run.Glow("score --model RUN --data FILE/pictures --out FILE/f.csv --device cpu").Succeeds();
        string[] lines = File.ReadAllLines(run.File("f.csv"));
        Assert.That(lines[1], Does.StartWith("a.png,"));
        Assert.That(lines[2], Does.StartWith("\"b, c.png\","));
    }

    [Test]
    public void Refusals()
    {
        NumpyFile.Write(run.File("small.npy"), new byte[20 * 8 * 8 * 3], 20, 8, 8, 3);
        run.Glow("score --model RUN --data ARRAY --reference ARRAY --out FILE/x.csv --device cpu").Fails(2,
            "glow score: --reference has 5 images; at least 20 are needed for a p-value below 0.05 (see `glow score "
                + "--help`)");
        run.Glow("score --model RUN --data ARRAY --reference FILE/small.npy --out FILE/x.csv --device cpu").Fails(1,
            "glow score: small.npy: its images are 8×8×3; the model takes 16×16×3");
        run.Glow("score --model RUN --data ARRAY --out FILE/x.txt --device cpu").Fails(2,
            $"glow score: --out is '{run.File("x.txt")}'; it must end in .csv or .json (see `glow score --help`)");
        run.Glow("score --model RUN --data ARRAY --out FILE/x.csv --histogram FILE/h.jpg --device cpu").Fails(2,
            $"glow score: --histogram is '{run.File("h.jpg")}'; it must end in .png (see `glow score --help`)");
        Assert.That(run.File("x.csv"), Does.Not.Exist);
    }

    [Test]
    public void Histograms_share_out_every_value() =>
        Assert.That(Histogram.Shares([0, 0.5, 1, 1.5, 2, 4], 0, 1, 4),
            Is.EqualTo(new[] { 2 / 6.0, 2 / 6.0, 1 / 6.0, 1 / 6.0 }).Within(1e-12));

    private double[] Nats(string data, string dequantize = "center") =>
        [.. run.Glow($"eval --model RUN --data {data} --dequantize {dequantize} --device cpu --json").Json()
            .GetProperty("log_likelihoods").EnumerateArray().Select(static e => e.GetDouble())];
}
