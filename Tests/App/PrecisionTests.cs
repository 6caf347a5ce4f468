using System.Text.Json.Nodes;
using GlowGpu.Engine;
using GlowGpu.Tests.Engine;
using NUnit.Framework;

namespace GlowGpu.Tests.App;

/// <summary>Which precision a run is started, continued and refused in.</summary>
public sealed class PrecisionTests
{
    private const string Start = "train --data demo --limit 40 --image-size 16 --validation 0 --steps 1 "
        + $"{TinyRun.Small} --out";
    private TemporaryFolder folder = null!;

    [SetUp]
    public void Create() => folder = new TemporaryFolder();

    [TearDown]
    public void Delete() => folder.Dispose();

    private string Run => folder.File("run");

    [TestCase("tf32")]
    [TestCase("bf16")]
    public void Tensor_cores_that_are_missing_are_named(string precision)
    {
        CommandRun.Of([.. Start.Split(' '), Run, "--precision", precision]).Fails(1,
            $"glow train: {Missing(precision)}");
        Assert.That(Run, Does.Not.Exist);
    }

    [Test]
    public void A_run_keeps_its_precision_and_refuses_another()
    {
        CommandRun.Of([.. Start.Split(' '), Run, "--precision", "fp32"]).Succeeds();
        Assert.That(Config()["precision"]!.GetValue<string>(), Is.EqualTo("fp32"));
        CommandRun.Of([.. "train --resume --device cpu --precision bf16 --out".Split(' '), Run])
            .Fails(2, $"glow train: --precision is bf16, but the run in {Run} was started with fp32; leave "
            + "--precision out or start a new run (see `glow train --help`)");
        CommandRun.Of([.. "train --resume --device cpu --precision fp32 --steps 2 --out".Split(' '), Run]).Succeeds();
    }

    [Test]
    public void A_run_in_another_precision_is_not_continued_in_fp32()
    {
        CommandRun.Of([.. Start.Split(' '), Run]).Succeeds();
        JsonObject config = Config();
        config["precision"] = "tf32";
        File.WriteAllText(Path.Combine(Run, "config.json"), config.ToJsonString());
        CommandRun.Of([.. "train --resume --device cpu --steps 2 --out".Split(' '), Run]).Fails(1,
            $"glow train: {Missing("tf32")}");
    }

    private JsonObject Config() => JsonNode.Parse(File.ReadAllText(Path.Combine(Run, "config.json")))!.AsObject();

    private static string Missing(string precision) =>
        $"precision {precision}: device cpu ({DeviceFactory.List()[^1].Name}) has no tensor cores for it; "
        + "choose --precision fp32 or a CUDA device of compute capability 8.0 or later";
}
