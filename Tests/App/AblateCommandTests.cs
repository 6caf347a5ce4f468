using System.Text.Json;
using GlowGpu.App.Plots;
using GlowGpu.Model.Data;
using GlowGpu.Model.Training;
using GlowGpu.Tests.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.App;

/// <summary><c>glow ablate</c>: six runs, one table, and nothing done twice.</summary>
public sealed class AblateCommandTests
{
    private const string Line = "ablate --data demo --limit 24 --image-size 16 --validation 0.25 --levels 2 --depth "
        + "2 --width 8 --bits 8 --batch 8 "
        + "--warmup-epochs 1 --device cpu --threads 1 --seeds 3,4 --json";

    private readonly TemporaryFolder folder = new();
    private JsonElement report;

    [OneTimeSetUp]
    public void Train() => report = Run($"{Line} --steps 4").Json();

    [OneTimeTearDown]
    public void Delete() => folder.Dispose();

    private string Out => folder.File("out");

    [Test]
    public void Every_variant_has_its_numbers()
    {
        JsonElement[] rows = [.. report.GetProperty("rows").EnumerateArray()];
        Assert.That(rows.Select(static r => (r.GetProperty("permutation").GetString(),
            r.GetProperty("coupling").GetString())),
            Is.EqualTo(new[] { ("reverse", "additive"), ("shuffle", "additive"), ("invconv", "additive"),
                ("reverse", "affine"), ("shuffle", "affine"), ("invconv", "affine") }));
        foreach (JsonElement row in rows)
        {
            string name = $"{row.GetProperty("permutation").GetString()}-{row.GetProperty("coupling").GetString()}";
            // The last tenth of four steps is the last one.
            double[] last = [.. new[] { 3, 4 }.Select(seed => Steps(name, seed)[^1])];
            double[] each = [.. row.GetProperty("per_seed").EnumerateArray().Select(static v => v.GetDouble())];
            double mean = (last[0] + last[1]) / 2;
            using (Assert.EnterMultipleScope())
            {
                Assert.That(each, Is.EqualTo(last));
                Assert.That(row.GetProperty("bits_per_dim").GetDouble(), Is.EqualTo(mean).Within(1e-12));
                Assert.That(row.GetProperty("bits_per_dim_deviation").GetDouble(),
                    Is.EqualTo(Math.Abs(last[0] - last[1]) / Math.Sqrt(2)).Within(1e-9));
                Assert.That(row.GetProperty("validation_bits_per_dim").GetDouble(), Is.InRange(0.1, 20));
                Assert.That(row.GetProperty("seconds").GetDouble(), Is.GreaterThan(0));
                // The shuffle's order is stored but not trained.
                long stored = CommandRun.Of("info", Path.Combine(Out, $"{name}-seed3"), "--json").Json()
                    .GetProperty("parameters").GetInt64();
                long order = name.StartsWith("shuffle", StringComparison.Ordinal) ? 2 * (12 + 24) : 0;
                Assert.That(row.GetProperty("parameters").GetInt64(), Is.EqualTo(stored - order).Or.EqualTo(stored));
            }
        }
        string table = File.ReadAllText(Path.Combine(Out, "ablation.md"));
        Assert.That(table.Split('\n').Count(static l => l.StartsWith("| ", StringComparison.Ordinal)), Is.EqualTo(8));
        Assert.That(table,
            Does.Contain($"| invconv | affine | {rows[5].GetProperty("bits_per_dim").GetDouble():0.0000} ±"));
        Assert.That(JsonDocument.Parse(File.ReadAllText(Path.Combine(Out, "ablation.json"))).RootElement.GetRawText(),
            Is.EqualTo(report.GetRawText()));
        Assert.That(ImageFile.ReadSize(Path.Combine(Out, "ablation.png")), Is.EqualTo((550, 900)));
    }

    [Test]
    public void The_same_command_again_trains_nothing_and_says_the_same()
    {
        Dictionary<string, byte[]> before = Directory.GetFiles(Out, "model.safetensors", SearchOption.AllDirectories)
            .ToDictionary(static f => f, File.ReadAllBytes);
        DateTime[] written = [.. before.Keys.Select(File.GetLastWriteTimeUtc)];
        JsonElement again = Run($"{Line} --steps 4").Json();
        Assert.That(again.GetRawText(), Is.EqualTo(report.GetRawText()));
        Assert.That(before, Has.Count.EqualTo(12));
        Assert.That(before.Keys.Select(File.GetLastWriteTimeUtc), Is.EqualTo(written));
    }

    [Test]
    public void A_stopped_comparison_continues()
    {
        string other = folder.File("stopped");
        using CancellationTokenSource stop = new();
        stop.Cancel();
        CommandRun cut = CommandRun.Of(stop.Token, [.. $"{Line} --steps 4 --out {other}".Split(' ')]);
        Assert.That((cut.Code, cut.Out), Is.EqualTo((1, "")));
        Assert.That(cut.Error, Does.Contain("run 1 of 12; the same command continues there"));
        JsonElement whole = CommandRun.Of($"{Line} --steps 4 --out {other}".Split(' ')).Json();
        Assert.That(whole.GetProperty("rows").EnumerateArray()
            .Select(static r => r.GetProperty("bits_per_dim").GetDouble()),
            Is.EqualTo(report.GetProperty("rows").EnumerateArray().Select(static r => r.GetProperty("bits_per_dim")
                .GetDouble())));
    }

    [Test]
    public void Other_settings_need_another_folder()
    {
        string first = Path.Combine(Out, "reverse-additive-seed3");
        Run($"{Line.Replace("--batch 8", "--batch 4")} --steps 4").Fails(1,
            $"glow ablate: {first}: this run was started with batch 8, not 4; resume it with the same value or "
                + "start another run in a new folder");
        CommandRun fewer = Run($"{Line} --steps 2");
        Assert.That(fewer.Code, Is.EqualTo(1));
        Assert.That(fewer.Error, Does.EndWith($"glow ablate: {first}: is at step 4 already, past the 2 asked for; "
            + $"steps and epochs count from the start of the run{Environment.NewLine}"));
        CommandRun.Of("ablate", "--data", "demo", "--out", "o").Fails(2,
            "glow ablate: --steps N is missing (see `glow ablate --help`)");
    }

    [Test]
    public void Curves_are_means_over_seeds_and_a_sliding_window()
    {
        AblationVariant variant = AblationVariant.All[0];
        AblationRun[] runs = [.. new[] { 0.0, 2.0 }.Select(shift => new AblationRun(variant, 0, 1, new RunMetrics(
            [.. Enumerable.Range(1, 100).Select(s => ((long)s, s + shift))], [], 0)))];
        (double[] steps, double[] bits) = AblationPlot.Smooth(runs);
        Assert.That(steps, Is.EqualTo(Enumerable.Range(1, 100)));
        Assert.That(bits[0], Is.EqualTo(2).Within(1e-9));
        // A fiftieth of 100 steps is two.
        Assert.That(bits[1..], Is.EqualTo(Enumerable.Range(2, 99).Select(static s => s + 0.5)).Within(1e-9));
    }

    private double[] Steps(string name, int seed) =>
    [
        .. File.ReadLines(Path.Combine(Out, $"{name}-seed{seed}", "metrics.jsonl"))
        .Select(static l => JsonDocument.Parse(l).RootElement)
            .Where(static r => r.TryGetProperty("bits_per_dim", out _))
            .Select(static r => r.GetProperty("bits_per_dim").GetDouble()),
    ];

    private CommandRun Run(string line) => CommandRun.Of([.. line.Split(' '), "--out", Out]);
}
