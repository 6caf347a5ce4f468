using System.Text.Json;
using GlowGpu.Tests.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.App;

/// <summary>Runs that are interrupted, continued, or started from another model.</summary>
public sealed class ResumeTests
{
    private const string Start = "train --data demo --limit 40 --image-size 16 --validation 0.2 --sample-every 100 "
        + $"{TinyRun.Small} --out";
    private TemporaryFolder folder = null!;

    [SetUp]
    public void Create() => folder = new TemporaryFolder();

    [TearDown]
    public void Delete() => folder.Dispose();

    [Test]
    public void Resume_continues_bit_for_bit_without_being_told_anything()
    {
        Train("straight", "--steps 6");
        Train("broken", "--steps 3");
        JsonElement result = CommandRun.Of("train", "--resume", "--out", folder.File("broken"), "--steps", "6",
            "--device", "cpu", "--json").Json();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(result.GetProperty("step").GetInt64(), Is.EqualTo(6));
            Assert.That(Model("broken"), Is.EqualTo(Model("straight")));
        }
    }

    [Test]
    public void The_same_command_with_resume_is_accepted()
    {
        Train("run", "--steps 2 --memory auto");
        Assert.That(Train("run", "--steps 3 --memory auto --resume").Json().GetProperty("step").GetInt64(),
            Is.EqualTo(3));
    }

    [Test]
    public void Ctrl_c_saves_and_succeeds()
    {
        using CancellationTokenSource stop = new();
        stop.Cancel();
        CommandRun run = CommandRun.Of(stop.Token, [.. Start.Split(' '), folder.File("run"), "--steps", "4"])
            .Succeeds();
        Assert.That(run.Out, Does.Contain($"continue with: glow train --resume --out {folder.File("run")}"));
        Assert.That(CommandRun.Of("train", "--resume", "--out", folder.File("run"), "--device", "cpu", "--json").Json()
            .GetProperty("end").GetString(), Is.EqualTo("finished"));
        Train("straight", "--steps 4");
        Assert.That(Model("run"), Is.EqualTo(Model("straight")));
    }

    [Test]
    public void Resume_refuses_another_recipe_shape_or_set()
    {
        Train("run", "--steps 1");
        string run = folder.File("run");
        Refused("--batch 16",
            $"--batch is 16, but the run in {run} was started with 8; leave --batch out or start a new run");
        Refused("--depth 3",
            $"--depth is 3, but the run in {run} was started with 2; leave --depth out or start a new run");
        Train("longer", "--steps 3");
        string config = File.ReadAllText(Path.Combine(folder.File("longer"), "config.json"));
        CommandRun fewer = CommandRun.Of([.. "train --resume --device cpu --steps 2 --out".Split(' '),
            folder.File("longer")]);
        Assert.That(fewer.Code, Is.EqualTo(1));
        Assert.That(fewer.Error, Does.EndWith(
            $"glow train: {folder.File("longer")}: is at step 3 already, past the 2 asked for; steps and epochs "
                + $"count from the start of the run{Environment.NewLine}"));
        Assert.That(File.ReadAllText(Path.Combine(folder.File("longer"), "config.json")), Is.EqualTo(config));
        JsonElement again = CommandRun.Of("train", "--resume", "--out", folder.File("longer"), "--device",
            "cpu", "--json").Json();
        Assert.That(again.GetProperty("bits_per_dim").GetDouble(), Is.InRange(0.1, 20));
        Refused("--no-shuffle", $"--no-shuffle is given, but the run in {run} was started without it; leave "
            + "--no-shuffle out or start a new run");

        void Refused(string option, string sentence) => CommandRun.Of([.. $"train --resume {option} --out".Split(' '),
            run])
            .Fails(2, $"glow train: {sentence} (see `glow train --help`)");
    }

    [Test]
    public void A_run_is_not_started_over_and_nothing_is_not_continued()
    {
        Train("run", "--steps 1");
        CommandRun.Of([.. Start.Split(' '), folder.File("run"), "--steps", "1"])
            .Fails(1, $"glow train: {folder.File("run")}: already holds a run; add --resume to continue it or "
            + "choose another folder");
        CommandRun.Of("train", "--resume", "--out", folder.File("none"))
            .Fails(1, $"glow train: {folder.File("none")}: holds no run to continue; leave out --resume to start one");
        Assert.That(folder.File("none"), Does.Not.Exist);
    }

    [Test]
    public void Init_takes_shape_and_weights_and_refuses_another_shape()
    {
        Train("first", "--steps 3");
        string first = folder.File("first");
        JsonElement result = CommandRun.Of("train", "--init", first, "--data", "demo", "--limit", "40",
            "--validation", "0.2", "--batch", "8",
            "--steps", "1", "--lr", "1e-9", "--polyak-epochs", "0", "--device", "cpu", "--out", folder.File("second"),
            "--json").Json();
        JsonElement config = CommandRun.Of("info", folder.File("second"), "--json").Json().GetProperty("config");
        double before = Bits(first), after = Bits(Path.Combine(folder.File("second"), "model.safetensors"));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(result.GetProperty("step").GetInt64(), Is.EqualTo(1));
            Assert.That(config.GetRawText(),
                Is.EqualTo(CommandRun.Of("info", first, "--json").Json().GetProperty("config").GetRawText()));
            Assert.That(after, Is.EqualTo(before).Within(1e-3));
        }
        CommandRun.Of("train", "--init", first, "--data", "demo", "--width", "16", "--out", folder.File("third"))
            .Fails(2, $"glow train: --width is 16, but the model {first} was made with 8; leave --width out or "
            + "start without --init (see `glow train --help`)");

        double Bits(string model) => CommandRun.Of("eval", "--model", model, "--data", "demo", "--limit", "20",
            "--dequantize", "center",
            "--device", "cpu", "--json").Json().GetProperty("bits_per_dim").GetDouble();
    }

    private CommandRun Train(string name, string rest) =>
        CommandRun.Of([.. Start.Split(' '), folder.File(name), .. rest.Split(' '), "--json"]).Succeeds();

    private byte[] Model(string name) => File.ReadAllBytes(Path.Combine(folder.File(name), "model.safetensors"));
}
